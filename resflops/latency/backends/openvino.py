"""OpenVINO: a model exported to ONNX, run by its CPU plugin."""

import sys
from collections.abc import Callable
from typing import Any

import torch

from resflops.latency.backends.base import PreparedRuntime, Subject
from resflops.latency.backends.exported_model import check_outputs, to_arrays
from resflops.latency.backends.refusals import explain_refusal
from resflops.latency.backends.support import INT8, check_installed
from resflops.latency.measurements import Attribution

__all__ = ["OpenVino"]

PRECISIONS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
"""What OpenVINO calls the element types."""

CAPABILITIES = {"float32": "FP32", "float16": "FP16", "bfloat16": "BF16"}


class OpenVino:
    """Runs an exported model on the CPU."""

    def check_available(self, device: str) -> None:
        """Check that it is installed."""
        del device
        check_installed("openvino")

    def read_facts(self, device: str) -> dict[str, str]:
        """Read its version, and what it is set to."""
        del device
        import onnxscript

        openvino = _import_openvino()
        return {
            "version": openvino.__version__,
            "device": "CPU",
            "inference precision": "that of the dtype",
            "threads": str(torch.get_num_threads()),
            "exporter": f"onnxscript {onnxscript.__version__}",
        }

    def prepare(self, subject: Subject) -> PreparedRuntime:
        """Prepare a request, and compare what it gives with what eager torch gives.

        Raises:
            RuntimeError: the processor does not compute in the dtype.
        """
        openvino = _import_openvino()
        dtype = subject.configuration.dtype
        core = openvino.Core()
        known = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # What a quantised file leaves in floating point is computed in float32.
        floats = "float32" if dtype in INT8 else dtype
        if CAPABILITIES[floats] not in known:
            raise RuntimeError(f"dtype {dtype} is not supported by OpenVINO on this processor")
        exported = subject.exports.get(subject.model, subject.configuration)
        settings = {
            # Its default is the fastest that the processor has, which may be bfloat16.
            "INFERENCE_PRECISION_HINT": PRECISIONS[floats],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        inputs = to_arrays(exported.inputs)

        def step() -> object:
            return request.infer(inputs, share_inputs=True, share_outputs=True)

        with explain_refusal():
            compiled = core.compile_model(core.read_model(exported.path), "CPU", settings)
            request = compiled.create_infer_request()
            step()
        got = [request.get_output_tensor(place).data for place in range(len(compiled.outputs))]
        return PreparedRuntime(step=step, error=check_outputs(exported, got, dtype=dtype))

    def attribute(
        self,
        prepared: Any,  # noqa: ANN401 - what it has prepared itself
        subject: Subject,
        *,
        repetitions: int,
        block: Callable[[], None],
    ) -> Attribution:
        """Raise: its times of nodes are not joined to layers, and ``Support`` does not offer it."""
        raise NotImplementedError


def _import_openvino() -> Any:  # noqa: ANN401 - a module
    """Import it without its telemetry, which sends a message at the import, by a thread that stays.

    Where it cannot be imported, OpenVINO has a stub that sends nothing.
    """
    telemetry = "openvino_telemetry"
    hidden = "openvino" not in sys.modules and telemetry not in sys.modules
    if hidden:
        # What stands there as None cannot be imported.
        sys.modules[telemetry] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        if hidden:
            del sys.modules[telemetry]
    return openvino
