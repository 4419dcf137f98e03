"""Interpolation: images resized, or read between their pixels."""

from collections.abc import Callable
from math import prod
from typing import Any, Literal

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, Mismatch, NotDescribed, TensorLike, per_dimension
from resflops.ops._declaration import binding, each_gradient, op
from resflops.ops.pooling import adaptive_mean_gradient, count_adaptive_elements
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "interpolation"

# The change of a sample along one coordinate: 2 differences, 2 products and a sum of the neighbours; times
# the gradient, and added up.
_ALONG_COORDINATE = 7

_IMAGE, _GRID = 0, 1

_TAPS = {
    "nearest": 0,
    "nearest-exact": 0,
    "linear": 2,
    "bilinear": 4,
    "bicubic": 16,
    "trilinear": 8,
}
"""How many neighbours each output is made from; 0 copies the nearest one."""

_REACHES = {"bilinear": 2, "bicubic": 4, "lanczos": 6}
"""How many neighbours along one dimension, for the modes that torch can protect against aliasing."""

_MODES = frozenset((*_TAPS, *_REACHES, "area"))

_FACTORS = ("scales", "scales_d", "scales_h", "scales_w")
"""The arguments of torch's own ops for the factor of each dimension."""

_GRID_MODES = ("bilinear", "nearest", "bicubic")
"""The modes in the order in which torch's own op numbers them."""


class Interpolation(Attributes, frozen=True):
    """How an image is resized."""

    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "lanczos", "area"]
    antialias: bool = False
    """Whether an image that shrinks is read with more taps; recorded only if it is."""
    size: Shape = ()
    """The sizes asked for, one number if it was one for all dimensions; ``()`` where factors were given.

    No cost of ours depends on it: other counters charge the sizes that they are given, and no channels."""
    scale: float | None = None
    """The product of the factors; recorded only if the output, whose sizes are whole, is of another size."""


class GridSampling(Attributes, frozen=True):
    """How an image is read between its pixels."""

    mode: Literal["bilinear", "nearest", "bicubic"]


class Samples(Attributes, frozen=True):
    """How densely the part of an image inside a box is read."""

    sampling_ratio: int
    """How many samples an output has along each side."""


def infer_interpolate(
    input: TensorLike,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Call:
    """Resize the spatial dimensions."""
    del align_corners, recompute_scale_factor
    shape = input.shape
    spatial = len(shape) - 2
    if spatial < 1 or mode not in _MODES:
        raise NotDescribed
    if size is not None:
        sizes = per_dimension(size, spatial)
    elif isinstance(scale_factor, (int, float)):
        sizes = tuple(int(n * scale_factor) for n in shape[2:])
    else:
        sizes = tuple(int(n * factor) for n, factor in zip(shape[2:], scale_factor, strict=True))
    attributes: dict[str, Attribute] = {"mode": mode}
    if antialias:
        attributes["antialias"] = True
    if size is not None:
        # In a real run sizes may be tensors of one number.
        attributes["size"] = (size,) if isinstance(size, int) else tuple([int(each) for each in size])
    else:
        # Multiplied as the counters do that charge by it: in another order it may round to another number.
        single = isinstance(scale_factor, (int, float))
        scale = scale_factor**spatial if single else prod(scale_factor)
        if scale * prod(shape[2:]) != prod(sizes):
            attributes["scale"] = float(scale)
    return Call("interpolate", (input,), (*shape[:2], *sizes), attributes)


def _infer_upsample(mode: str, *, antialias: bool = False) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of the aten ops of one mode."""

    def infer_upsample(given: dict[str, Any]) -> Call:
        # The overload with a list of factors has another name for its input.
        listed = "input" in given
        call = infer_interpolate(
            given["input" if listed else "self"],
            given["output_size"],
            given["scale_factors"] if listed else None,
            mode,
            antialias=antialias,
        )
        # Without a list the op has the sizes anyway, and the factors too where these were given.
        if any(given.get(name) is not None for name in _FACTORS):
            del call.attributes["size"]
        return call

    return infer_upsample


def interpolate(record: OpRecord, attributes: Interpolation) -> Work:
    """Per output: nothing for nearest, otherwise t multiplications and t-1 additions for t taps.

    The mode ``area`` is adaptive average pooling, one operation per element of each window; where
    no Python function is called, torch itself runs it under that name.
    """
    if attributes.antialias:
        return _count_antialiased(record, reach=_REACHES[attributes.mode])
    if attributes.mode == "area":
        return Work(arithmetic=count_adaptive_elements(*_read_shapes(record)))
    return Work(arithmetic=prod(record.output_shape) * max(2 * _TAPS[attributes.mode] - 1, 0))


def _read_shapes(record: OpRecord) -> tuple[Shape, Shape, int]:
    """Read the shapes before and after, and how many dimensions are resized: all after the channels."""
    shape = record.input_shapes[0]
    return shape, record.output_shape, len(shape) - 2


def _count_antialiased(record: OpRecord, *, reach: int) -> Work:
    """Count one pass along the rows and one along the columns; shrinking n times takes n times the taps."""
    (*batch, height, width), (*_, rows, columns) = record.input_shapes[0], record.output_shape
    across, down = (-(-reach * max(size, out) // out) for size, out in ((width, columns), (height, rows)))
    return Work(arithmetic=prod(batch) * columns * (height * (2 * across - 1) + rows * (2 * down - 1)))


def interpolation_gradient(record: OpRecord, attributes: Interpolation, operand: int) -> Work:
    """Per output: one addition for nearest, otherwise a multiplication and an addition for each tap.

    For the mode ``area`` it is that of adaptive average pooling.
    """
    del operand
    if attributes.mode == "area" and not attributes.antialias:
        return adaptive_mean_gradient(*_read_shapes(record))
    points = prod(record.output_shape)
    # The forward pass takes t multiplications and t-1 additions, the backward pass one addition more; nearest
    # takes none forward.
    return Work(arithmetic=interpolate(record, attributes).arithmetic + points)


UPSAMPLING = {
    **{f"upsample_nearest{n}d": "nearest" for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": "nearest-exact" for n in (1, 2, 3)},
    "upsample_linear1d": "linear",
    "upsample_bilinear2d": "bilinear",
    "upsample_bicubic2d": "bicubic",
    "upsample_trilinear3d": "trilinear",
}
"""Aten ops, with the mode of each."""
ANTIALIASED = {f"_upsample_{mode}2d_aa": mode for mode in _REACHES}
"""Those that read an image that shrinks with more taps."""

INTERPOLATE = op(
    "interpolate",
    family=FAMILY,
    attributes=Interpolation,
    bindings=binding(infer_interpolate, "nn.functional.interpolate"),
    aten={
        **{name: _infer_upsample(mode) for name, mode in UPSAMPLING.items()},
        **{name: _infer_upsample(mode, antialias=True) for name, mode in ANTIALIASED.items()},
    },
    work=interpolate,
    gradient=each_gradient(interpolation_gradient, takes=(_IMAGE,)),
    window="breaks",
    saves=(),
)


def infer_grid_sample(
    input: TensorLike,
    grid: TensorLike,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Call:
    """Read an image between its pixels, at the points of a grid."""
    del padding_mode, align_corners
    if mode not in _GRID_MODES:
        raise NotDescribed
    if input.dim() != grid.dim() or grid.shape[-1] != input.dim() - 2:
        raise Mismatch(f"reads {input.dim() - 2} dimensions, but its grid has {grid.shape[-1]} coordinates")
    return Call("grid_sample", (input, grid), (*input.shape[:2], *grid.shape[1:-1]), {"mode": mode})


def read_grid_sampler(given: dict[str, Any]) -> Call:
    """Read torch's own op, which has a number for the mode."""
    return infer_grid_sample(given["input"], given["grid"], _GRID_MODES[given["interpolation_mode"]])


def _infer_cudnn_grid_sampler(given: dict[str, Any]) -> Call:
    """Read the op that a GPU runs for bilinear sampling of images, and for nothing else."""
    return infer_grid_sample(given["self"], given["grid"])


def grid_sample(record: OpRecord, attributes: GridSampling) -> Work:
    """Per output as interpolation (t multiplications, t-1 additions); per coordinate 3 to find its pixels."""
    grid = record.input_shapes[_GRID]
    taps = _count_grid_taps(record, attributes)
    return Work(arithmetic=prod(record.output_shape) * max(2 * taps - 1, 0) + 3 * prod(grid))


def _count_grid_taps(record: OpRecord, attributes: GridSampling) -> int:
    """Count the neighbours that a sample is made from; 0 if it is its nearest pixel."""
    dimensions = record.input_shapes[_GRID][-1]
    taps: dict[str, int] = {"nearest": 0, "bilinear": 2**dimensions, "bicubic": 16}
    return taps[attributes.mode]


def grid_sample_gradient(record: OpRecord, attributes: GridSampling, operand: int) -> Work:
    """Input: per output a multiplication and an addition per tap; grid: 7 per output and coordinate."""
    points, dimensions = prod(record.output_shape), record.input_shapes[_GRID][-1]
    nearest = attributes.mode == "nearest"
    if operand == _GRID:
        return Work() if nearest else Work(arithmetic=_ALONG_COORDINATE * dimensions * points)
    return Work(arithmetic=points if nearest else 2 * _count_grid_taps(record, attributes) * points)


GRID_SAMPLE = op(
    "grid_sample",
    family=FAMILY,
    attributes=GridSampling,
    bindings=binding(infer_grid_sample, "nn.functional.grid_sample"),
    aten={
        **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), read_grid_sampler),
        "cudnn_grid_sampler": _infer_cudnn_grid_sampler,
    },
    work=grid_sample,
    gradient=each_gradient(grid_sample_gradient, takes=(_IMAGE, _GRID)),
    saves=("input", "grid"),
)


def affine_grid(record: OpRecord) -> Work:
    """One matrix product: d + 1 MACs for each of a point's d coordinates."""
    return Work(macs=prod(record.output_shape) * (record.output_shape[-1] + 1))


def affine_grid_gradient(record: OpRecord, operand: int) -> Work:
    """As many MACs as forward: the matrix's gradient is a product over all points."""
    del operand
    return Work(macs=affine_grid(record).macs)


AFFINE_GRID = op(
    "affine_grid_generator",
    family=FAMILY,
    work=affine_grid,
    gradient=each_gradient(affine_grid_gradient),
    saves=(),
)


def _infer_roi_align(given: dict[str, Any]) -> Call:
    image, boxes, ratio = given["input"], given["rois"], given["sampling_ratio"]
    # With a ratio of zero, torchvision takes the number of samples from the sizes of the boxes.
    name = "torchvision.roi_align" if ratio > 0 else "torchvision.roi_align by size"
    shape = (boxes.shape[0], image.shape[1], given["pooled_height"], given["pooled_width"])
    return Call(name, (image, boxes), shape, {"sampling_ratio": ratio})


def roi_align(record: OpRecord, attributes: Samples) -> Work:
    """Per output r·r samples of 7 operations each (4 neighbours), r·r - 1 additions and a division.

    He et al. 2017 (arXiv 1703.06870), section 3. With a sampling ratio r of zero the
    number of samples depends on the boxes; that op is left uncounted.
    """
    return Work(arithmetic=prod(record.output_shape) * 8 * attributes.sampling_ratio**2)


def roi_align_gradient(record: OpRecord, attributes: Samples, operand: int) -> Work:
    """Per output r·r samples, each 8 operations to hand its gradient to 4 neighbours."""
    del operand
    # The forward pass counts 8 a sample too: 7 to read it, and 1 for the mean.
    return Work(arithmetic=roi_align(record, attributes).arithmetic)


ROI_ALIGN = op(
    "torchvision.roi_align",
    family=FAMILY,
    attributes=Samples,
    aten={"torchvision.roi_align": _infer_roi_align},
    work=roi_align,
    gradient=each_gradient(roi_align_gradient, takes=(_IMAGE,)),
    saves=("boxes",),
)
