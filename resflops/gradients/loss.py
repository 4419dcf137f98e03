"""Gradients of losses, where a model computes its own."""

from math import prod

from resflops.gradients.registry import gradient_rule
from resflops.records import OpRecord, Work

_PER_ELEMENT = {
    # The difference, times a constant.
    "mse_loss": Work(arithmetic=2),
    "smooth_l1_loss": Work(arithmetic=2, comparisons=2),
    "huber_loss": Work(arithmetic=2, comparisons=2),
    # (p - t) / (p·(1 - p)), times the gradient.
    "binary_cross_entropy": Work(arithmetic=5),
    # A sigmoid, times target and gradient.
    "soft_margin_loss": Work(arithmetic=5, transcendental=1),
}


@gradient_rule(*_PER_ELEMENT)
def elementwise_loss_gradient(record: OpRecord, operand: int) -> Work:
    """Per element 2 to 6 operations, by the loss."""
    return _PER_ELEMENT[record.op].times(prod(record.input_shapes[operand]))


@gradient_rule("nll_loss_forward", "nll_loss2d_forward", takes=(0,))
def negative_log_likelihood_gradient(record: OpRecord, operand: int) -> Work:
    """Per target one division, of the gradient at the class that is right."""
    del operand
    return Work(arithmetic=prod(record.input_shapes[1]))
