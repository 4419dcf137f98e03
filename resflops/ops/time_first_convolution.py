"""The convolution of sequences that lie as (time, batch, channels)."""

from math import prod

from resflops.ops._call import Call, Mismatch, TensorLike
from resflops.ops._complex import SUMS
from resflops.ops._declaration import Factors, binding, each_gradient, op
from resflops.ops.convolution import FAMILY, drop_ones, output_sizes, product_gradient
from resflops.records import OpRecord, Work

_WEIGHT = 1


def infer_conv_tbc(input: TensorLike, weight: TensorLike, bias: TensorLike, pad: int = 0) -> Call:
    """Slide a kernel over sequences that lie as (time, batch, channels)."""
    steps, batch, channels = input.shape
    if channels != weight.shape[1]:
        raise Mismatch(f"takes {weight.shape[1]} input channels, but its input has {channels}")
    sizes, _ = output_sizes((steps,), (weight.shape[0],), (1,), (pad,), (1,))
    shape = (*sizes, batch, weight.shape[2])
    return Call("conv_tbc", (input, weight), shape, {"bias": True}, affine=(bias,))


def time_first_convolution(record: OpRecord) -> Work:
    """One MAC per kernel tap, input channel and output point; one bias add per output point.

    The weight's shape is (taps, input channels, output channels).
    """
    points = prod(record.output_shape)
    return Work(macs=points * prod(record.input_shapes[_WEIGHT][:2]), bias_adds=points)


def time_first_factors(record: OpRecord) -> Factors:
    """Every output point, times the input channels and the kernel taps that reach it."""
    return drop_ones(record.output_shape), record.input_shapes[_WEIGHT][:2]


def time_first_gradient(record: OpRecord, operand: int) -> Work:
    """Input: as many MACs as forward; weight: as many again; bias: one addition per output point."""
    return product_gradient(record, operand, time_first_convolution(record))


CONV_TBC = op(
    "conv_tbc",
    family=FAMILY,
    bindings=binding(infer_conv_tbc, "conv_tbc"),
    aten={"conv_tbc": {"input": "self"}},
    work=time_first_convolution,
    on_complex=SUMS,
    factors=time_first_factors,
    gradient=each_gradient(time_first_gradient),
    window="breaks",
    weights=(_WEIGHT,),
    saves=("input", "weight"),
)
