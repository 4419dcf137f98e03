"""Convolutions."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import Factors, rule


def convolution_factors(record: OpRecord) -> Factors:
    """Every output point, times the kernel taps that reach it.

    A grouped convolution's weight holds only its group's input channels, so groups
    need no term of their own.
    """
    weight = record.input_shapes[1]
    return _channels_last(record), (*weight[2:], weight[1])


@rule("conv1d", "conv2d", "conv3d", factors=convolution_factors)
def convolution(record: OpRecord) -> Work:
    """One MAC per kernel tap and output point; one bias add per output point.

    Taps that fall on padding count: that is how every paper counts, and how direct
    kernels run.

    >>> from resflops.records import OpRecord
    >>> convolution(OpRecord(op="conv2d", layer="conv1", attributes={"bias": False},
    ...     input_shapes=((1, 3, 224, 224), (64, 3, 7, 7)), output_shapes=((1, 64, 112, 112),)))
    Work(macs=118013952, bias_adds=0, arithmetic=0, comparisons=0, transcendental=0)
    """
    points = prod(record.output_shape)
    return Work(
        macs=points * prod(record.input_shapes[1][1:]),
        bias_adds=points if record.attributes.get("bias") else 0,
    )


def transposed_factors(record: OpRecord) -> Factors:
    """Every input point, times the output channels of its group and the kernel's taps."""
    image, weight = record.input_shapes[:2]
    spatial = len(weight) - 2
    batch = image[: len(image) - spatial - 1]
    return (*_batch(batch), *image[-spatial:], image[-spatial - 1]), (*weight[2:], weight[1])


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", factors=transposed_factors)
def transposed_convolution(record: OpRecord) -> Work:
    """One MAC per kernel tap and input point; one bias add per output point.

    A transposed convolution scatters: each input point is multiplied into every tap of
    the kernel, once for each output channel of its group. The weight's shape is
    (input channels, output channels per group, taps ...).
    """
    image, weight = record.input_shapes[:2]
    return Work(
        macs=prod(image) * prod(weight[1:]),
        bias_adds=prod(record.output_shape) if record.attributes.get("bias") else 0,
    )


def _channels_last(record: OpRecord) -> tuple[int, ...]:
    # The papers write H·W·D: spatial sizes first, then channels, and no batch of one.
    shape, spatial = record.output_shape, len(record.input_shapes[1]) - 2
    return (*_batch(shape[: len(shape) - spatial - 1]), *shape[-spatial:], shape[-spatial - 1])


def _batch(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in sizes if size != 1)


@rule("deform_conv2d", factors=convolution_factors)
def deformable_convolution(record: OpRecord) -> Work:
    """A convolution's MACs; each tap's input is read between pixels, 7 operations, 8 with a mask.

    Dai et al. 2017 (arXiv 1703.06211), equation 2: the kernel is as in any convolution,
    and its inputs are interpolated from 4 neighbours (4 multiplications, 3 additions).
    The mask of Zhu et al. 2018 (arXiv 1811.11168) is one multiplication more.
    """
    work = convolution(record)
    weight, out = record.input_shapes[1], record.output_shape
    groups = record.input_shapes[0][1] // weight[1]
    samples = out[0] * prod(out[2:]) * groups * prod(weight[1:])
    each = 8 if record.attributes.get("mask") else 7
    return Work(macs=work.macs, bias_adds=work.bias_adds, arithmetic=each * samples)


@rule("conv1d_relu", "conv2d_relu", "conv3d_relu", factors=convolution_factors)
def convolution_with_relu(record: OpRecord) -> Work:
    """A quantised convolution fused with its activation: one comparison per output more."""
    work = convolution(record)
    return Work(macs=work.macs, bias_adds=work.bias_adds, comparisons=prod(record.output_shape))
