"""Pooling and interpolation."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(record: OpRecord) -> Work:
    """A window of k elements takes k-1 comparisons per output."""
    return Work(comparisons=prod(record.output_shape) * (_window(record) - 1))


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(record: OpRecord) -> Work:
    """A window of k elements takes k-1 additions and one division per output."""
    return Work(arithmetic=prod(record.output_shape) * _window(record))


@rule("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(record: OpRecord) -> Work:
    """As max pooling, with torch's windows, which may differ in size and overlap."""
    return Work(comparisons=_adaptive_elements(record) - prod(record.output_shape))


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_avg_pool(record: OpRecord) -> Work:
    """As average pooling, with torch's windows, which may differ in size and overlap."""
    return Work(arithmetic=_adaptive_elements(record))


def _window(record: OpRecord) -> int:
    kernel = record.attributes["kernel"]
    assert isinstance(kernel, tuple)  # noqa: S101 - the tracer writes it so
    return prod(kernel)


def _adaptive_elements(record: OpRecord) -> int:
    """Elements of all windows together, as torch cuts them: floor(i·n/m) to ceil((i+1)·n/m)."""
    spatial = int(record.op[-2])
    shape, out = record.input_shapes[0], record.output_shape
    windows = prod(out[: len(out) - spatial])
    for size, outputs in zip(shape[-spatial:], out[-spatial:], strict=True):
        windows *= sum(-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs))
    return windows


_TAPS = {
    "nearest": 0,
    "nearest-exact": 0,
    "linear": 2,
    "bilinear": 4,
    "bicubic": 16,
    "trilinear": 8,
    "area": 1,
}


@rule("interpolate")
def interpolate(record: OpRecord) -> Work:
    """Per output: nothing for nearest, else t multiplications and t-1 additions for t taps."""
    taps = _TAPS.get(str(record.attributes.get("mode")), 4)
    return Work(arithmetic=prod(record.output_shape) * max(2 * taps - 1, 0))
