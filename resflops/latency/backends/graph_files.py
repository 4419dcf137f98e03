"""ONNX files of the user's, and graphs that were loaded: measured as they are, by runtimes that open them.

Nothing is exported, and a file is opened where it lies, so that weights beside it are found.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from resflops.cost import Cost, price
from resflops.cost.convention import MACS
from resflops.errors import ModelError
from resflops.latency.backends.exported_model import ExportedModel
from resflops.latency.backends.graph_inputs import make_inputs
from resflops.latency.backends.graph_types import find_precision, settle_configuration
from resflops.latency.backends.scopes import Node, list_computing
from resflops.latency.configuration import Configuration
from resflops.records import Shape, Trace
from resflops.sources.found_model import FoundModel, ReadRequest
from resflops.sources.onnx_files.external_data import list_weight_files
from resflops.sources.onnx_files.loading import LARGEST_FILE, load_graph
from resflops.sources.onnx_files.order import list_taken, order_nodes
from resflops.sources.onnx_files.reading import match_nodes
from resflops.sources.spec import parse_spec

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["MeasurableGraph"]


class MeasurableGraph:
    """A model that is an ONNX graph, with random inputs.

    Args:
        found: the model that was found in the file.
        trace: its trace on the inputs that the caller gives; if None, they are those of the configuration.
        values: inputs by name whose values the caller has given.
    """

    def __init__(
        self,
        found: FoundModel,
        trace: Trace | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._found, self._trace, self._values = found, trace, values
        # The sizes that the spec of a file sets, and the name by which the file is known already.
        spec = parse_spec(found.spec) if isinstance(found.graph, Path) else None
        self._sizes = spec.values() if spec else {}
        self._name = spec.name if spec else found.spec
        # Read once for the count and for the inputs.
        self._read = lru_cache(maxsize=1)(self._read_trace)

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Raise why torch cannot run it."""
        del configuration
        self._found.make()
        raise AssertionError

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Raise why torch cannot run it."""
        self.build_module(configuration)
        raise AssertionError

    def count(self, configuration: Configuration) -> Cost:
        """Count what one step costs."""
        return price(self._read(configuration.batch, configuration.input_shape), MACS)

    def settle(self, configuration: Configuration, *, batch_given: bool = True) -> Configuration:
        """Settle what its file fixes: the type, and the batch if nobody has asked for one."""
        return settle_configuration(
            self._load().graph, configuration, sizes=self._sizes, batch_given=batch_given
        )

    def open_file(self, configuration: Configuration, folder: Path) -> ExportedModel:
        """Open its file on the inputs of a configuration; a graph that was loaded is written to one.

        Args:
            configuration: what is measured.
            folder: where files are put that are made of it.

        Raises:
            InputError: the file fixes other sizes, or leaves some open.
            ModelError: its weights are not there.
        """
        trace = self._read(configuration.batch, configuration.input_shape)
        model, path = self._load(), self._found.graph
        files = list_weight_files(model, path.parent if isinstance(path, Path) else None, self._name)
        if not isinstance(path, Path):
            path = _write(model, folder / "model.onnx", self._name)
        return ExportedModel(
            path=path,
            folder=folder,
            inputs=make_inputs(model.graph, trace.inputs, self._values),
            input_names=tuple([each.name for each in trace.inputs]),
            outputs=None,
            dtype=find_precision(model.graph),
            list_nodes=lambda: tuple(_list_nodes(model, trace)),
            size=sum(each.stat().st_size for each in (path, *files)),
        )

    def _load(self) -> "ModelProto":
        graph = self._found.graph
        assert graph is not None  # noqa: S101 - that of an ONNX graph
        return load_graph(graph, self._name) if isinstance(graph, Path) else graph

    def _read_trace(self, batch: int, shape: Shape) -> Trace:
        if self._trace is not None:
            return self._trace
        assert self._found.read is not None  # noqa: S101 - that of an ONNX graph
        return self._found.read(ReadRequest(inputs=((batch, *shape),)) if shape else ReadRequest(batch=batch))


def _write(model: "ModelProto", path: Path, name: str) -> Path:
    if model.ByteSize() > LARGEST_FILE:
        raise ModelError(
            f"{name} has more than 2 GiB with its weights, which no ONNX file can hold; save it with its "
            "weights beside it (external data), and give the path of that file"
        )
    path.write_bytes(model.SerializeToString())
    return path


def _list_nodes(model: "ModelProto", trace: Trace) -> list[Node]:
    """List the nodes of a graph that compute something, with the layers that the count has for each."""
    return list_computing(_read_nodes(model, trace), [each.name for each in trace.inputs])


def _read_nodes(model: "ModelProto", trace: Trace) -> Iterator[Node]:
    reading = match_nodes(model, trace)
    layers: dict[int, dict[str, None]] = {}
    for place, record in zip(reading.nodes, reading.trace.ops, strict=True):
        layers.setdefault(place, {})[record.layer] = None
    for place in order_nodes(model.graph, trace.model):
        node = model.graph.node[place]
        outputs = tuple([name for name in node.output if name])
        yield Node(
            # By its first output, as no other node has it, where it has no name.
            name=node.name or next(iter(outputs), ""),
            op=node.op_type,
            # Those of the graphs in it, too.
            inputs=tuple(filter(None, list_taken(node))),
            outputs=outputs,
            layers=tuple(layers.get(place, ())),
        )
