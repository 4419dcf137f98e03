"""Convolutions: plain, transposed, deformable and quantised."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, CallSignature, Mismatch, SignedCall, TensorLike, per_dimension
from resflops.ops._complex import SUMS
from resflops.ops._declaration import (
    QUANTISED,
    AtenBinding,
    Factors,
    Needed,
    binding,
    each_gradient,
    joint_gradient,
    op,
    stopped_gradient,
)
from resflops.records import Attribute, OpRecord, Shape, Work, add_works

FAMILY = "convolution"

_IMAGE, _WEIGHT, _OFFSET = 0, 1, 2

# To read a sample between pixels: 4 products with its neighbours, 3 additions.
_BETWEEN_PIXELS = 7
# To give each of the 4 neighbours its share of a sample's gradient: one multiplication and one addition.
_TO_NEIGHBOURS = 8
# The change of a sample along one coordinate: 2 differences, 2 products and a sum of the neighbours; times
# the gradient, and added up.
_ALONG_COORDINATE = 7


class Convolution(Attributes, frozen=True):
    """The attributes that the work of a convolution depends on: the weight's shape says the rest."""

    bias: bool


class Deformable(Convolution, frozen=True):
    """A convolution whose taps are displaced by offsets."""

    mask: bool
    """Whether every tap is multiplied by a mask."""


def _infer_convolution(spatial: int) -> Callable[..., SignedCall]:
    op = f"conv{spatial}d"

    def infer_convolution(
        input: TensorLike,
        weight: TensorLike,
        bias: TensorLike | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> SignedCall:
        """Slide a kernel over an image."""
        signature = _sign_convolution(
            op,
            input.dtype,
            input.shape,
            weight.shape,
            bias is not None,
            # Modules pass tuples, which need no spreading, and this runs for every call of a convolution.
            stride if type(stride) is tuple else per_dimension(stride, spatial),
            padding if type(padding) in (tuple, str) else per_dimension(padding, spatial),
            dilation if type(dilation) is tuple else per_dimension(dilation, spatial),
            groups,
        )
        return SignedCall(signature, (input, weight), () if bias is None else (bias,))

    return infer_convolution


# Cached because a network repeats its blocks, and a search counts networks that repeat each other's.
@lru_cache(maxsize=1 << 14)
def _sign_convolution(
    op: str,
    dtype: Any,
    shape: Shape,
    kernel: Shape,
    bias: bool,
    stride: Shape,
    padding: Shape | str,
    dilation: Shape,
    groups: int,
) -> CallSignature:
    spatial = len(kernel) - 2
    if len(shape) - spatial not in (1, 2):
        raise Mismatch(f"takes an input of {spatial + 2} dimensions, but its input has {len(shape)}")
    channels = shape[-spatial - 1]
    if channels != kernel[1] * groups:
        raise Mismatch(f"takes {kernel[1] * groups} input channels, but its input has {channels}")
    taps = tuple(kernel[2:])
    strides, dilations = per_dimension(stride, spatial), per_dimension(dilation, spatial)
    sizes, paddings = output_sizes(tuple(shape[-spatial:]), taps, strides, padding, dilations)
    attributes: dict[str, Attribute] = {
        "kernel": taps,
        "stride": strides,
        "padding": paddings,
        "dilation": dilations,
        "groups": groups,
        "bias": bias,
    }
    return CallSignature.single(
        op, (shape, kernel), (*shape[: -spatial - 1], kernel[0], *sizes), dtype, attributes
    )


def output_sizes(
    sizes: Shape,
    taps: Shape,
    strides: Shape,
    padding: Shape | str,
    dilations: Shape,
) -> tuple[Shape, Shape]:
    """Compute the output size, floor((n + 2p - d(k-1) - 1) / s) + 1, and the padding of each dimension."""
    if padding == "same":
        # Torch pads unevenly for an even kernel; half of the total is what each side gets at least.
        return sizes, tuple(d * (k - 1) // 2 for d, k in zip(dilations, taps, strict=True))
    paddings = (0,) * len(taps) if padding == "valid" else per_dimension(padding, len(taps))
    out = []
    for n, k, s, p, d in zip(sizes, taps, strides, paddings, dilations, strict=True):
        reach = d * (k - 1) + 1
        if n + 2 * p < reach:
            raise Mismatch(f"the kernel of size {reach} does not fit its input of {n} (padding {p})")
        out.append((n + 2 * p - reach) // s + 1)
    return tuple(out), paddings


def _infer_transposed(spatial: int) -> Callable[..., Call]:
    op = f"conv_transpose{spatial}d"

    def infer_transposed_convolution(
        input: TensorLike,
        weight: TensorLike,
        bias: TensorLike | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Call:
        """Scatter every point of an image through a kernel."""
        shape, kernel = input.shape, weight.shape
        if len(shape) - spatial not in (1, 2):
            raise Mismatch(f"takes an input of {spatial + 2} dimensions, but its input has {len(shape)}")
        if shape[-spatial - 1] != kernel[0]:
            raise Mismatch(f"takes {kernel[0]} input channels, but its input has {shape[-spatial - 1]}")
        taps = tuple(kernel[2:])
        strides, paddings = per_dimension(stride, spatial), per_dimension(padding, spatial)
        dilations, extra = per_dimension(dilation, spatial), per_dimension(output_padding, spatial)
        sizes = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, k, s, p, d, e in zip(
                shape[-spatial:], taps, strides, paddings, dilations, extra, strict=True
            )
        )
        if min(sizes) < 1:
            raise Mismatch(f"its output would be empty for an input of {'×'.join(map(str, shape))}")
        return Call(
            op,
            (input, weight),
            (*shape[: -spatial - 1], kernel[1] * groups, *sizes),
            {
                "kernel": taps,
                "stride": strides,
                "padding": paddings,
                "dilation": dilations,
                "groups": groups,
                "bias": bias is not None,
            },
            affine=(bias,),
        )

    return infer_transposed_convolution


_CONVOLVE = {spatial: _infer_convolution(spatial) for spatial in (1, 2, 3)}
_SCATTER = {spatial: _infer_transposed(spatial) for spatial in (1, 2, 3)}


def read_convolution(given: dict[str, Any]) -> Call | SignedCall:
    """Read the aten op that all convolutions turn into; the weight gives the number of dimensions."""
    spatial = given["weight"].dim() - 2
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    plain = {name: given[name] for name in names}
    if given["transposed"]:
        return _SCATTER[spatial](**plain, output_padding=given["output_padding"])
    return _CONVOLVE[spatial](**plain)


def _infer_packed(op: str) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of a quantised layer, whose weight, bias, stride and padding are in one object."""

    def infer_packed(given: dict[str, Any]) -> Call:
        image, packed = given["qx"], given["packed_weight" if "packed_weight" in given else "weight"]
        weight, bias = packed.unpack()
        taps = tuple(weight.shape[2:])
        # The packed sizes have at least two dimensions: torch packs a ``conv1d`` with a height of one.
        spatial = image.dim() - 2
        strides, paddings, dilations = (
            tuple(sizes)[-spatial:] for sizes in (packed.stride(), packed.padding(), packed.dilation())
        )
        sizes, _ = output_sizes(tuple(image.shape[-spatial:]), taps[-spatial:], strides, paddings, dilations)
        attributes: dict[str, Attribute] = {
            "bias": bias is not None,
            "quantised": True,
            "kernel": taps,
            "groups": image.shape[1] // weight.shape[1],
        }
        return Call(op, (image, weight), (image.shape[0], weight.shape[0], *sizes), attributes)

    return infer_packed


def _infer_packed_transposed(spatial: int) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of a quantised transposed layer; what is packed has a height of one for ``1d``."""

    def infer_packed_transposed(given: dict[str, Any]) -> Call:
        image, packed = given["qx"], given["packed_weight"]
        weight, bias = packed.unpack()
        call = _SCATTER[spatial](
            image,
            weight.reshape(*weight.shape[:2], *weight.shape[-spatial:]),
            bias,
            tuple(packed.stride())[-spatial:],
            tuple(packed.padding())[-spatial:],
            tuple(packed.output_padding())[-spatial:],
            packed.groups(),
            tuple(packed.dilation())[-spatial:],
        )
        return Call(call.op, call.inputs, call.shape, {**call.attributes, "quantised": True})

    return infer_packed_transposed


def convolution_factors(record: OpRecord, attributes: Convolution) -> Factors:
    """Every output point, times the kernel taps that reach it.

    A grouped convolution's weight holds only its group's input channels, so groups
    need no term of their own.
    """
    del attributes
    weight = record.input_shapes[_WEIGHT]
    # The papers write H·W·D: spatial sizes first, then channels, and no batch of one.
    shape, spatial = record.output_shape, len(weight) - 2
    points = (*drop_ones(shape[: len(shape) - spatial - 1]), *shape[-spatial:], shape[-spatial - 1])
    return points, (*weight[2:], weight[1])


def drop_ones(sizes: Shape) -> Shape:
    """Drop sizes of one, which a formula need not show."""
    return tuple(size for size in sizes if size != 1)


def convolution(record: OpRecord, attributes: Convolution) -> Work:
    """One MAC per kernel tap and output point; one bias add per output point.

    Taps that fall on padding count: so every paper counts, and so direct kernels run.

    >>> from resflops.records import OpRecord
    >>> convolution(OpRecord(op="conv2d", layer="conv1", input_shapes=((1, 3, 224, 224), (64, 3, 7, 7)),
    ...     output_shapes=((1, 64, 112, 112),)), Convolution(bias=False))
    Work(macs=118013952, bias_adds=0, arithmetic=0, comparisons=0, transcendental=0)
    """
    points = prod(record.output_shape)
    return Work(
        macs=points * prod(record.input_shapes[_WEIGHT][1:]), bias_adds=points if attributes.bias else 0
    )


def transposed_factors(record: OpRecord, attributes: Convolution) -> Factors:
    """Every input point, times the output channels of its group and the kernel's taps."""
    del attributes
    image, weight = record.input_shapes[:2]
    spatial = len(weight) - 2
    batch = image[: len(image) - spatial - 1]
    return (*drop_ones(batch), *image[-spatial:], image[-spatial - 1]), (*weight[2:], weight[1])


def transposed_convolution(record: OpRecord, attributes: Convolution) -> Work:
    """One MAC per kernel tap and input point; one bias add per output point.

    A transposed convolution scatters: each input point is multiplied into every tap of
    the kernel, once for each output channel of its group. The weight's shape is
    (input channels, output channels per group, taps ...).
    """
    image, weight = record.input_shapes[:2]
    return Work(
        macs=prod(image) * prod(weight[1:]), bias_adds=prod(record.output_shape) if attributes.bias else 0
    )


def convolution_gradient(record: OpRecord, attributes: Convolution, operand: int) -> Work:
    """Input: as many MACs as forward; weight: as many again; bias: one addition per output point.

    Every multiply-accumulate of the forward pass joins one input point, one tap and one
    output point, ``y += w·x``. Its input's gradient is ``x' += w·y'`` and its weight's
    ``w' += x·y'``: one multiply-accumulate for each, whatever stride, dilation and groups.
    The gradient of a convolution's input is thus a transposed convolution and the other
    way round. The same holds with groups and for a depthwise convolution: the backward pass is
    twice the forward pass.
    """
    return product_gradient(record, operand, convolution(record, attributes))


def transposed_convolution_gradient(record: OpRecord, attributes: Convolution, operand: int) -> Work:
    """Input: as many MACs as forward; weight: as many again; bias: one addition per output point.

    They are counted as those of a convolution, because the gradient of the input is one here.
    """
    return product_gradient(record, operand, transposed_convolution(record, attributes))


def product_gradient(record: OpRecord, operand: int, forward: Work) -> Work:
    """Count the gradient of one operand: image and weight take the forward pass's products once more."""
    if operand in (_IMAGE, _WEIGHT):
        return Work(macs=forward.macs)
    return Work(arithmetic=prod(record.output_shape))


def _bind_aten(spatial: int) -> dict[str, AtenBinding]:
    """Bind the aten ops that are read as a convolution; those that serve all three belong to ``conv2d``."""
    packed = _infer_packed(f"conv{spatial}d")
    return {
        f"conv{spatial}d": {},
        **(
            dict.fromkeys(("convolution", "_convolution", "convolution_overrideable"), read_convolution)
            if spatial == 2
            else {}
        ),
        f"quantized.conv{spatial}d": packed,
        f"quantized.conv{spatial}d_dynamic": packed,
    }


CONVOLUTIONS = tuple(
    op(
        f"conv{spatial}d",
        family=FAMILY,
        attributes=Convolution,
        bindings=binding(infer, f"conv{spatial}d"),
        aten=_bind_aten(spatial),
        work=convolution,
        on_complex=SUMS,
        factors=convolution_factors,
        gradient=each_gradient(convolution_gradient),
        window="slides",
        weights=(_WEIGHT,),
        saves=("input", "weight"),
    )
    for spatial, infer in _CONVOLVE.items()
)

TRANSPOSED_CONVOLUTIONS = tuple(
    op(
        f"conv_transpose{spatial}d",
        family=FAMILY,
        attributes=Convolution,
        bindings=binding(infer, f"conv_transpose{spatial}d"),
        aten={
            f"conv_transpose{spatial}d": {},
            f"quantized.conv_transpose{spatial}d": _infer_packed_transposed(spatial),
            f"quantized.conv_transpose{spatial}d_dynamic": _infer_packed_transposed(spatial),
        },
        work=transposed_convolution,
        on_complex=SUMS,
        factors=transposed_factors,
        gradient=each_gradient(transposed_convolution_gradient),
        window="breaks",
        weights=(_WEIGHT,),
        saves=("input", "weight"),
    )
    for spatial, infer in _SCATTER.items()
)


def _infer_deformable(given: dict[str, Any]) -> Call:
    """Read torchvision's own op, which always takes a bias, and an empty mask if there is none."""
    image, weight = given["input"], given["weight"]
    strides, paddings, dilations = (
        (given[f"{name}_h"], given[f"{name}_w"]) for name in ("stride", "pad", "dilation")
    )
    sizes, _ = output_sizes(tuple(image.shape[-2:]), tuple(weight.shape[2:]), strides, paddings, dilations)
    attributes: dict[str, Attribute] = {"mask": given["use_mask"], "bias": True, "groups": given["groups"]}
    inputs = (image, weight, given["offset"])
    return Call("deform_conv2d", inputs, (image.shape[0], weight.shape[0], *sizes), attributes)


def deformable_convolution(record: OpRecord, attributes: Deformable) -> Work:
    """A convolution's MACs; each tap's input is read between pixels, 7 operations, 8 with a mask.

    Dai et al. 2017 (arXiv 1703.06211), equation 2: the kernel is as in any convolution,
    and its inputs are interpolated from 4 neighbours (4 multiplications, 3 additions).
    The mask of Zhu et al. 2018 (arXiv 1811.11168) is one multiplication more.
    """
    work = convolution(record, attributes)
    per_sample = _BETWEEN_PIXELS + attributes.mask
    return Work(macs=work.macs, bias_adds=work.bias_adds, arithmetic=per_sample * _count_samples(record))


def _count_samples(record: OpRecord) -> int:
    """Count how many times an image is read between its pixels."""
    image, weight = record.input_shapes[:2]
    groups, out = image[1] // weight[1], record.output_shape
    return out[0] * prod(out[2:]) * groups * prod(weight[1:])


def deformable_gradient(record: OpRecord, attributes: Deformable, needed: Needed) -> tuple[Work, ...]:
    """As a convolution, plus 8 per sample for the input, 14 for the offsets; bias: one addition per output.

    The gradient of the samples themselves takes as many MACs as forward, and with a mask one
    multiplication a sample. It belongs to the first of input and offsets that needs a gradient.
    """
    samples, macs = _count_samples(record), convolution(record, attributes).macs
    own = {
        _IMAGE: Work(arithmetic=_TO_NEIGHBOURS * samples),
        _WEIGHT: Work(macs=macs),
        _OFFSET: Work(arithmetic=2 * _ALONG_COORDINATE * samples),
        3: Work(arithmetic=prod(record.output_shape)),
    }
    first = next((operand for operand in needed if operand in (_IMAGE, _OFFSET)), None)
    shared = Work(macs=macs, arithmetic=samples if attributes.mask else 0)
    return tuple(
        add_works([own[operand], shared]) if operand == first else own[operand] for operand in needed
    )


DEFORM_CONV2D = op(
    "deform_conv2d",
    family=FAMILY,
    attributes=Deformable,
    aten={"torchvision.deform_conv2d": _infer_deformable},
    work=deformable_convolution,
    factors=convolution_factors,
    gradient=joint_gradient(deformable_gradient),
    weights=(_WEIGHT,),
    saves=("input", "weight", "offset", "mask"),
)


def convolution_with_relu(record: OpRecord, attributes: Convolution) -> Work:
    """A quantised convolution fused with its activation: one more comparison per output."""
    work = convolution(record, attributes)
    return Work(macs=work.macs, bias_adds=work.bias_adds, comparisons=prod(record.output_shape))


CONVOLUTIONS_WITH_RELU = tuple(
    op(
        f"conv{spatial}d_relu",
        family=FAMILY,
        attributes=Convolution,
        aten={f"quantized.conv{spatial}d_relu": _infer_packed(f"conv{spatial}d_relu")},
        work=convolution_with_relu,
        factors=convolution_factors,
        gradient=stopped_gradient(QUANTISED),
        weights=(_WEIGHT,),
        saves=(),
    )
    for spatial in _CONVOLVE
)


def _infer_packed_sum(op: str) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of a quantised layer to whose result another tensor is added."""
    infer = _infer_packed(op)

    def infer_packed_sum(given: dict[str, Any]) -> Call:
        call = infer(given)
        call.inputs = (*call.inputs, given["qaccum"])
        return call

    return infer_packed_sum


def convolution_with_sum(record: OpRecord, attributes: Convolution) -> Work:
    """A quantised convolution fused with a sum: one more addition per output, and a comparison for a ReLU."""
    work, points = convolution(record, attributes), prod(record.output_shape)
    comparisons = points if record.op.endswith("relu") else 0
    return Work(macs=work.macs, bias_adds=work.bias_adds, arithmetic=points, comparisons=comparisons)


for _name in ("conv2d_add", "conv2d_add_relu"):
    op(
        _name,
        family=FAMILY,
        attributes=Convolution,
        aten={f"quantized.{_name}": _infer_packed_sum(_name)},
        work=convolution_with_sum,
        factors=convolution_factors,
        gradient=stopped_gradient(QUANTISED),
        weights=(_WEIGHT,),
        saves=(),
    )
