"""Losses, where a model computes its own."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule

_PER_ELEMENT = {
    # The difference squared.
    "mse_loss": Work(arithmetic=2),
    # The difference, its size; half its square over beta, or itself less half of beta.
    "smooth_l1_loss": Work(arithmetic=4, comparisons=2),
    "huber_loss": Work(arithmetic=4, comparisons=2),
    # t·log p + (1 - t)·log(1 - p), negated.
    "binary_cross_entropy": Work(arithmetic=6, transcendental=2),
    # log(1 + e^(-t·x)).
    "soft_margin_loss": Work(arithmetic=2, transcendental=2),
}


@rule(*_PER_ELEMENT)
def elementwise_loss(record: OpRecord) -> Work:
    """Per element 2 to 8 operations, by the loss; then one addition each to fold them into one."""
    each, points = _PER_ELEMENT[record.op], prod(record.input_shapes[0])
    return Work(
        arithmetic=each.arithmetic * points + max(points - prod(record.output_shape), 0),
        comparisons=each.comparisons * points,
        transcendental=each.transcendental * points,
    )


@rule("nll_loss_forward", "nll_loss2d_forward")
def negative_log_likelihood(record: OpRecord) -> Work:
    """Per target one log-probability is picked, negated and added."""
    return Work(arithmetic=2 * prod(record.input_shapes[1]))
