"""Losses, for models that compute their own."""

from math import prod

from msgspec import Struct

from resflops.ops._declaration import each_gradient, op
from resflops.records import OpRecord, Work

FAMILY = "loss"


class _PerElement(Struct, frozen=True):
    """The work of a loss for one element, before the elements are folded."""

    forward: Work
    backward: Work


_ELEMENTWISE = {
    # The difference squared. Backward: the difference, times a constant.
    "mse_loss": _PerElement(Work(arithmetic=2), Work(arithmetic=2)),
    # The difference, its size; half its square over beta, or itself less half of beta.
    "smooth_l1_loss": _PerElement(Work(arithmetic=4, comparisons=2), Work(arithmetic=2, comparisons=2)),
    "huber_loss": _PerElement(Work(arithmetic=4, comparisons=2), Work(arithmetic=2, comparisons=2)),
    # t·log p + (1 - t)·log(1 - p), negated. Backward: (p - t) / (p·(1 - p)), times the gradient.
    "binary_cross_entropy": _PerElement(Work(arithmetic=6, transcendental=2), Work(arithmetic=5)),
    # log(1 + e^(-t·x)). Backward: a sigmoid, times target and gradient.
    "soft_margin_loss": _PerElement(
        Work(arithmetic=2, transcendental=2), Work(arithmetic=5, transcendental=1)
    ),
}


def elementwise_loss(record: OpRecord) -> Work:
    """Per element 2 to 8 operations, by the loss; then one addition each to fold them into one."""
    each, points = _ELEMENTWISE[record.op].forward, prod(record.input_shapes[0])
    return Work(
        arithmetic=each.arithmetic * points + max(points - prod(record.output_shape), 0),
        comparisons=each.comparisons * points,
        transcendental=each.transcendental * points,
    )


def elementwise_loss_gradient(record: OpRecord, operand: int) -> Work:
    """Per element 2 to 6 operations, by the loss."""
    return _ELEMENTWISE[record.op].backward.times(prod(record.input_shapes[operand]))


for _name in _ELEMENTWISE:
    op(
        _name,
        family=FAMILY,
        work=elementwise_loss,
        gradient=each_gradient(elementwise_loss_gradient),
        saves=("input", "other"),
    )


def negative_log_likelihood(record: OpRecord) -> Work:
    """Per target one log-probability is picked, negated and added."""
    return Work(arithmetic=2 * prod(record.input_shapes[1]))


def negative_log_likelihood_gradient(record: OpRecord, operand: int) -> Work:
    """Per target one division, of the gradient at the class that is right."""
    del operand
    return Work(arithmetic=prod(record.input_shapes[1]))


for _name in ("nll_loss_forward", "nll_loss2d_forward"):
    op(
        _name,
        family=FAMILY,
        work=negative_log_likelihood,
        gradient=each_gradient(negative_log_likelihood_gradient, takes=(0,)),
        saves=("input", "other"),
    )
