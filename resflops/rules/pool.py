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


@rule("fractional_max_pool2d", "fractional_max_pool3d")
def fractional_max_pool(record: OpRecord) -> Work:
    """As max pooling: only where the windows lie is drawn at random."""
    return max_pool(record)


@rule("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(record: OpRecord) -> Work:
    """As max pooling, with torch's windows, which may differ in size and overlap."""
    return Work(comparisons=_adaptive_elements(record) - prod(record.output_shape))


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_avg_pool(record: OpRecord) -> Work:
    """As average pooling, with torch's windows, which may differ in size and overlap."""
    return Work(arithmetic=_adaptive_elements(record))


def _window(record: OpRecord) -> int:
    """Elements of a window; one that is larger than the input, as ceil mode allows, has no more than that."""
    kernel, padding = record.attributes["kernel"], record.attributes.get("padding", ())
    assert isinstance(kernel, tuple)  # noqa: S101 - the tracer writes it so
    assert isinstance(padding, tuple)  # noqa: S101
    sizes = record.input_shapes[0][-len(kernel) :]
    around = padding or (0,) * len(kernel)
    return prod(min(k, n + 2 * p) for k, n, p in zip(kernel, sizes, around, strict=True))


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
    if record.attributes.get("antialias"):
        return _antialiased(record, reach=4 if record.attributes.get("mode") == "bicubic" else 2)
    return Work(arithmetic=prod(record.output_shape) * max(2 * taps - 1, 0))


def _antialiased(record: OpRecord, *, reach: int) -> Work:
    """One pass along the rows, one along the columns; what is shrunk n times takes n times the taps."""
    (*batch, height, width), (*_, rows, columns) = record.input_shapes[0], record.output_shape
    across, down = (-(-reach * max(size, out) // out) for size, out in ((width, columns), (height, rows)))
    return Work(arithmetic=prod(batch) * columns * (height * (2 * across - 1) + rows * (2 * down - 1)))


_GRID_TAPS = {"nearest": 0, "bicubic": 16}


@rule("grid_sample")
def grid_sample(record: OpRecord) -> Work:
    """Per output as interpolation (t multiplications, t-1 additions); per coordinate 3 to find its pixels."""
    grid = record.input_shapes[1]
    taps = _GRID_TAPS.get(str(record.attributes.get("mode")), 2 ** grid[-1])
    return Work(arithmetic=prod(record.output_shape) * max(2 * taps - 1, 0) + 3 * prod(grid))


@rule("affine_grid_generator")
def affine_grid(record: OpRecord) -> Work:
    """One matrix product: d + 1 MACs for each of a point's d coordinates."""
    return Work(macs=prod(record.output_shape) * (record.output_shape[-1] + 1))


@rule("torchvision.roi_align")
def roi_align(record: OpRecord) -> Work:
    """Per output r·r samples of 7 operations each (4 neighbours), r·r - 1 additions and a division.

    He et al. 2017 (arXiv 1703.06870), section 3. With a sampling ratio r of zero the
    number of samples depends on the boxes; that op is left uncounted.
    """
    ratio = record.attributes.get("sampling_ratio")
    assert isinstance(ratio, int)  # noqa: S101 - the tracer writes it so
    return Work(arithmetic=prod(record.output_shape) * 8 * ratio * ratio)


@rule("torchvision.nms")
def non_maximum_suppression(record: OpRecord) -> Work:
    """At most n(n-1)/2 overlaps of two boxes, 9 operations and 5 comparisons each; n for the areas.

    How many pairs are looked at depends on the boxes; this is the most that can be. The
    overlap takes 4 extrema and a threshold; two widths and heights cut at zero are 4
    subtractions; area, union (2), quotient, and the areas' sum make 5.
    """
    boxes = record.input_shapes[0][0] if record.input_shapes else 0
    pairs = boxes * (boxes - 1) // 2
    return Work(arithmetic=9 * pairs + 3 * boxes, comparisons=5 * pairs)


@rule("col2im")
def fold(record: OpRecord) -> Work:
    """Every element of every window is added to its place."""
    return Work(arithmetic=prod(record.input_shapes[0]))
