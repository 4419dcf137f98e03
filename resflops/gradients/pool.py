"""The gradient of unfolding."""

from math import prod

from resflops.gradients.registry import gradient_rule
from resflops.records import OpRecord, Work


@gradient_rule("im2col", takes=(0,))
def unfolding_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element of every window, back to its place."""
    del operand
    return Work(arithmetic=prod(record.output_shape))
