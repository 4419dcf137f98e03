"""Quantizes an exported model to int8 by onnxruntime's own quantizer."""

from pathlib import Path
from typing import Any

from resflops.latency.backends.exported_model import ExportedModel, to_arrays
from resflops.latency.backends.silence import silence
from resflops.latency.failures import ExportError

__all__ = ["quantize"]

LARGE = 1 << 30
"""Bytes from which the weights are kept in a file of their own, as one file holds 2 GB at most."""


def quantize(exported: ExportedModel, precision: str) -> Path:
    """Quantize a model, and return its file, which lies in the folder for what is made of it.

    Args:
        exported: the model in float32.
        precision: ``int8-dynamic``, for activations scaled at every step, or ``int8-static``, for those
            scaled once, by what the input of the measurement makes of them.

    Raises:
        ExportError: the quantizer cannot do it.
    """
    target = exported.folder / f"{precision}.onnx"
    if target.exists():
        return target
    partial = target.with_suffix(".partial")
    try:
        with silence():
            _run_quantizer(exported, precision, partial)
    except Exception as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"onnxruntime's quantizer: {error}") from error
    return partial.rename(target)


def _run_quantizer(exported: ExportedModel, precision: str, target: Path) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    large = exported.size > LARGE
    if precision == "int8-dynamic":
        # onnxruntime's integer convolution takes weights without a sign only.
        quantize_dynamic(exported.path, target, weight_type=QuantType.QUInt8, use_external_data_format=large)
    else:
        quantize_static(
            exported.path,
            target,
            _make_reader(exported),
            quant_format=QuantFormat.QDQ,
            use_external_data_format=large,
        )


def _make_reader(exported: ExportedModel) -> Any:  # noqa: ANN401 - of a class that is imported here
    """Make a reader of the one batch to calibrate with, that of the measurement."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            arrays = to_arrays(exported.inputs)
            self._batches = iter([dict(zip(exported.input_names, arrays, strict=True))])

        def get_next(self) -> Any:  # noqa: ANN401
            return next(self._batches, None)

    return Reader()
