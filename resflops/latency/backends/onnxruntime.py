"""onnxruntime: a model exported to ONNX, run by its CPU or CUDA provider."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from resflops.errors import ModelError, UsageError
from resflops.latency.backends.base import PreparedRuntime, Subject
from resflops.latency.backends.exported_model import ExportedModel, check_outputs, to_arrays
from resflops.latency.backends.node_times import attribute_nodes, name_nodes
from resflops.latency.backends.quantization import quantize
from resflops.latency.backends.refusals import explain_refusal
from resflops.latency.backends.support import INT8, check_installed, get_kind
from resflops.latency.measurements import Attribution
from resflops.latency.session import Step

__all__ = ["OnnxRuntime", "open_session"]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

ERRORS_ONLY = 3
"""The severity from which onnxruntime writes to the standard error."""


class OnnxRuntime:
    """Runs an exported model."""

    def check_available(self, device: str) -> None:
        """Check that it is installed, with the provider of a device."""
        check_installed("onnxruntime")
        import onnxruntime

        provider, known = PROVIDERS[get_kind(device)], onnxruntime.get_available_providers()
        if provider not in known:
            raise UsageError(
                f"backend 'onnxruntime' cannot run on device {device!r}: the one that is installed has no "
                f"{provider}; install with: pip install onnxruntime-gpu"
            )

    def read_facts(self, device: str) -> dict[str, str]:
        """Read its version, its provider, and what it is set to."""
        import onnx
        import onnxruntime
        import onnxscript

        return {
            "version": onnxruntime.__version__,
            "execution provider": PROVIDERS[get_kind(device)],
            "graph optimization": "all",
            "threads": str(torch.get_num_threads()),
            "exporter": f"onnxscript {onnxscript.__version__}, onnx {onnx.__version__}",
        }

    def prepare(self, subject: Subject) -> PreparedRuntime:
        """Prepare a session, and compare what it gives with what eager torch gives."""
        configuration = subject.configuration
        exported = subject.exports.get(subject.model, configuration)
        path = _find_file(exported, subject)
        device = torch.device(configuration.device)
        with explain_refusal():
            session = open_session(path, device)
            step, read = (_bind if device.type == "cuda" else _feed)(session, exported, device)
            step()
        error = check_outputs(exported, read(), dtype=configuration.dtype)
        return PreparedRuntime(
            step=step, error=error, notes=_list_notes(exported, device), cold_l2=configuration.cold_l2
        )

    def attribute(
        self,
        prepared: Any,  # noqa: ANN401 - what it has prepared itself
        subject: Subject,
        *,
        repetitions: int,
        block: Callable[[], None],
    ) -> Attribution:
        """Attribute the time to layers by a profile of the nodes, with which it is run once more."""
        del block
        exported = subject.exports.get(subject.model, subject.configuration)
        path = _find_file(exported, subject)
        device = torch.device(subject.configuration.device)

        def open_profiled(settings: dict[str, Any]) -> tuple[Any, Step]:
            session = open_session(name_nodes(path), device, folder=path.parent, **settings)
            return session, _feed(session, exported, device)[0]

        return attribute_nodes(open_profiled, prepared.step, exported.list_nodes(), repetitions=repetitions)


def _find_file(exported: ExportedModel, subject: Subject) -> Path:
    """Find the file to open: that of the model, or what the quantizer makes of it.

    Raises:
        ModelError: a file of the user's is to be run in another type than it has.
    """
    precision, own = subject.configuration.dtype, exported.dtype
    if precision == own:
        return exported.path
    if precision in INT8 and own == "float32":
        return quantize(exported, precision)
    raise ModelError(
        f"dtype {precision} is not supported: the types are fixed in the ONNX file, which computes in {own}; "
        f"leave it out, or convert the file"
    )


def _list_notes(exported: ExportedModel, device: torch.device) -> tuple[str, ...]:
    if device.type == "cpu" and exported.dtype == "float16":
        return ("on the CPU onnxruntime computes float16 in float32, and casts before and after",)
    return ()


def open_session(
    model: Path | bytes, device: torch.device, *, folder: Path | None = None, **settings: object
) -> Any:  # noqa: ANN401
    """Open a session of a model on as many threads as torch takes.

    Args:
        model: the model's file, or what would be in it.
        device: the device to run on.
        folder: where weights lie that are not in the model, where it is no file.
        settings: other attributes of onnxruntime's SessionOptions.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = ERRORS_ONLY
    for name, value in settings.items():
        setattr(options, name, value)
    if folder is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    providers: list[Any] = [PROVIDERS["cpu"]]
    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        facts = {"device_id": str(index), "user_compute_stream": str(_get_stream(device).cuda_stream)}
        providers = [(PROVIDERS["cuda"], facts), *providers]
    return onnxruntime.InferenceSession(model, options, providers=providers)


Reader = Callable[[], Sequence[Any]]


def _feed(session: Any, exported: ExportedModel, device: torch.device) -> tuple[Step, Reader]:  # noqa: ANN401
    """Make a step that hands the arrays over, which onnxruntime takes without a copy on the CPU."""
    del device
    feeds = dict(zip(exported.input_names, to_arrays(exported.inputs), strict=True))
    names = [each.name for each in session.get_outputs()]

    def step() -> object:
        return session.run(names, feeds)

    return step, lambda: session.run(names, feeds)


_STREAMS: dict[torch.device, torch.cuda.Stream] = {}


def _get_stream(device: torch.device) -> torch.cuda.Stream:
    """Get the stream that onnxruntime is to launch on; always the same, as a session keeps to it."""
    if device not in _STREAMS:
        _STREAMS[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return _STREAMS[device]


def _bind(session: Any, exported: ExportedModel, device: torch.device) -> tuple[Step, Reader]:  # noqa: ANN401
    """Make a step whose inputs and outputs lie on the device, where nothing is copied from or to the host.

    onnxruntime launches on a stream of its own that waits for torch's current one, and that one for it, so
    that events around a step are around its kernels; the host does not wait.
    """
    import onnxruntime

    index = device.index if device.index is not None else torch.cuda.current_device()
    binding = session.io_binding()
    inputs = tuple(each.to(device) for each in exported.inputs)
    outputs = tuple(map(torch.empty_like, exported.outputs or _compute_outputs(session, exported, device)))
    for tensors, bind, names in (
        (inputs, binding.bind_input, exported.input_names),
        (outputs, binding.bind_output, [each.name for each in session.get_outputs()]),
    ):
        for name, tensor in zip(names, tensors, strict=True):
            kind = _find_element_type(tensor)
            bind(name, device.type, index, kind, tuple(tensor.shape), tensor.data_ptr())
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    stream = _get_stream(device)

    def step() -> object:
        current = torch.cuda.current_stream(device)
        stream.wait_stream(current)
        session.run_with_iobinding(binding, options)
        current.wait_stream(stream)
        # What is bound lives as long as the step.
        return inputs, outputs

    return step, lambda: to_arrays(outputs)


def _compute_outputs(session: Any, exported: ExportedModel, device: torch.device) -> list[Tensor]:  # noqa: ANN401
    """Compute the outputs once, which tells their sizes and types."""
    step, read = _feed(session, exported, device)
    step()
    return [torch.from_numpy(each).to(device) for each in read()]


def _find_element_type(tensor: Tensor) -> Any:  # noqa: ANN401 - a type of NumPy, or a number of ONNX
    if tensor.dtype == torch.bfloat16:
        from onnx import TensorProto

        return TensorProto.BFLOAT16
    return to_arrays([torch.empty(0, dtype=tensor.dtype)])[0].dtype.type
