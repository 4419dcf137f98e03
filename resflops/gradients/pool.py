"""The gradient of unfolding."""

from math import prod

from resflops.gradients.registry import gradient_rule
from resflops.records import OpRecord, Work


@gradient_rule(
    "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "fractional_max_pool2d", "fractional_max_pool3d", takes=(0,),
)  # fmt: skip
def max_pool_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per output, to the element that won its window."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


@gradient_rule(
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", takes=(0,),
)  # fmt: skip
def avg_pool_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output, one addition per element of its window."""
    del operand
    # The forward pass takes one operation per element of each window: k-1 additions and a division.
    return Work(arithmetic=prod(record.output_shape) + OPS[record.op].work(record).arithmetic)


@gradient_rule("interpolate", takes=(0,))
def interpolation_gradient(record: OpRecord, operand: int) -> Work:
    """Per output: one addition for nearest, else a multiplication and an addition for each tap."""
    del operand
    points = prod(record.output_shape)
    # t multiplications and t-1 additions in the forward pass, and none at all for nearest.
    return Work(arithmetic=OPS[record.op].work(record).arithmetic + points)
