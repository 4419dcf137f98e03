"""Exports models to ONNX files, which the settings of a run share, and which are removed after it.

Each batch size is exported by itself, as what is to be measured has fixed shapes: for shapes that are
known only at run time a runtime may choose other kernels. Weights lie in a file beside the graph's, since
one file cannot hold more than 2 GB.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from shutil import disk_usage, rmtree
from tempfile import TemporaryDirectory
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor
from torch.utils._pytree import tree_leaves

from resflops.latency.backends.exported_model import ExportedModel
from resflops.latency.backends.exporters import export_module, export_script
from resflops.latency.backends.graph_files import MeasurableGraph
from resflops.latency.configuration import Configuration
from resflops.latency.failures import ExportError
from resflops.latency.models import Measurable
from resflops.latency.prepare import adapt_inputs, randomize_inputs

__all__ = ["ExportedModels"]

EXPORTED_DTYPES = {"cuda": ("float16", "bfloat16")}
"""The types beside float32 that a module is cast to before it is exported."""


def _find_exported_configuration(configuration: Configuration) -> Configuration:
    """Find the configuration of torch under which a module is exported, which several settings share."""
    kind = configuration.device.partition(":")[0]
    own = configuration.backend == "onnxruntime" and configuration.dtype in EXPORTED_DTYPES.get(kind, ())
    return replace(
        configuration, backend="torch", cold_l2=False, dtype=configuration.dtype if own else "float32"
    )


class ExportedModels:
    """The models that were exported in this run, in a temporary folder; removed by ``close``."""

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self.say = say
        self._folder: TemporaryDirectory[str] | None = None
        self._known: dict[Configuration, ExportedModel] = {}
        self._failed: dict[Configuration, Exception] = {}
        self._numbers = count()

    def get(self, model: Measurable, configuration: Configuration) -> ExportedModel:
        """Get the exported model of a configuration, exporting it if it is not there.

        A model that is an ONNX file is not exported, and its file stays where it is.

        Raises:
            ExportError: torch cannot export it.
            ResflopsError: its file cannot be run on that input.
        """
        key = _find_exported_configuration(configuration)
        if key in self._failed:
            # It takes long, and fails again.
            raise self._failed[key]
        if key not in self._known:
            self._known[key] = self._make(model, key)
            self._make_room(key)
        # To the end: what was used last is removed last.
        self._known[key] = self._known.pop(key)
        return self._known[key]

    def _make(self, model: Measurable, key: Configuration) -> ExportedModel:
        if isinstance(model, MeasurableGraph):
            return model.open_file(key, self._make_folder())
        self.say(f"exporting {key.model}, batch {key.batch}, to ONNX")
        try:
            return _export(model, key, self._make_folder())
        except ExportError as error:
            self._failed[key] = error.with_traceback(None)
            raise

    def close(self) -> None:
        """Remove all files."""
        self._known.clear()
        if self._folder:
            # On Windows a file that a session still maps cannot be removed; the system does so later.
            rmtree(self._folder.name, ignore_errors=True)
            self._folder.cleanup()
            self._folder = None

    def _make_folder(self) -> Path:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="resflops-onnx-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name, str(next(self._numbers)))
        folder.mkdir()
        return folder

    def _make_room(self, latest: Configuration) -> None:
        """Remove what was not used for longest while the disk has no room for three more of the latest."""
        wanted = 3 * self._known[latest].size
        for key in [key for key in self._known if key != latest]:
            if disk_usage(self._known[latest].folder).free > wanted:
                return
            rmtree(self._known.pop(key).folder, ignore_errors=True)


def _export(model: Measurable, configuration: Configuration, folder: Path) -> ExportedModel:
    module, _ = model.build_module(configuration)
    args, kwargs = adapt_inputs(randomize_inputs(model.build_inputs(configuration)), configuration)
    module.eval()
    with torch.no_grad():
        outputs = _list_tensors(module(*args, **kwargs))
    path = folder / "model.onnx"
    export = export_script if isinstance(module, torch.jit.ScriptModule) else export_module
    names, nodes = export(module, args, kwargs, path)
    inputs = _list_tensors((args, kwargs))
    if len(names) != len(inputs):
        raise ExportError(f"its graph has {len(names)} inputs, and the model is called with {len(inputs)}")
    return ExportedModel(
        path=path,
        folder=folder,
        inputs=inputs,
        input_names=names,
        outputs=outputs,
        dtype=configuration.dtype,
        list_nodes=lambda: nodes,
        size=sum(each.stat().st_size for each in folder.iterdir()),
    )


def _list_tensors(values: Any) -> tuple[Tensor, ...]:  # noqa: ANN401 - any nesting of containers
    return tuple(leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
