"""Losses, for models that compute their own."""

from math import prod
from typing import Any

from msgspec import Struct

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call
from resflops.ops._declaration import each_gradient, op
from resflops.records import Attribute, OpRecord, Work

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


class Weighted(Attributes, frozen=True):
    """A loss of logits with weights."""

    weighted: bool
    """Whether each element has a weight."""
    positive_weighted: bool
    """Whether positive targets have a weight."""


def _read_logit_loss(given: dict[str, Any]) -> Call:
    weighted, positive = (given[name] is not None for name in ("weight", "pos_weight"))
    shape = tuple(given["self"].shape) if given["reduction"] == 0 else ()
    attributes: dict[str, Attribute] = {"weighted": weighted, "positive_weighted": positive}
    return Call("binary_cross_entropy_with_logits", (given["self"], given["target"]), shape, attributes)


def logit_loss(record: OpRecord, attributes: Weighted) -> Work:
    """Per element 6 arithmetic and 2 transcendental; 4 and 1 more for weights; then folded into one.

    ``(1 - t)·x - log σ(x)``: a difference, a product, a difference, and the logarithm of a sigmoid (3 and 2).
    Weights of positive targets are ``1 + (w - 1)·t`` and multiply the logarithm, 4 operations. Torch writes
    it so in aten/src/ATen/native/Loss.cpp.
    """
    points = prod(record.input_shapes[0])
    each = 6 + attributes.weighted + 4 * attributes.positive_weighted
    return Work(
        arithmetic=each * points + max(points - prod(record.output_shape), 0), transcendental=2 * points
    )


def logit_loss_gradient(record: OpRecord, attributes: Weighted, operand: int) -> Work:
    """Per element a sigmoid, the difference to the target, and a product; one more for each kind of weight.

    With ``w`` for positive targets it is ``(1 + (w - 1)·t)·σ(x) - w·t``: 5 more.
    """
    del operand
    points = prod(record.input_shapes[0])
    each = 5 + attributes.weighted + 5 * attributes.positive_weighted
    return Work(arithmetic=each * points, transcendental=points)


LOGIT_LOSS = op(
    "binary_cross_entropy_with_logits",
    family=FAMILY,
    attributes=Weighted,
    aten={"binary_cross_entropy_with_logits": _read_logit_loss},
    work=logit_loss,
    gradient=each_gradient(logit_loss_gradient, takes=(0,)),
    saves=("input", "other"),
)


class Margin(Attributes, frozen=True):
    """A loss by the margin to the right class."""

    p: float
    """The power that margins are raised to: 1 or 2."""
    weighted: bool
    """Whether classes have weights."""


def _read_margin_loss(given: dict[str, Any]) -> Call:
    shape = tuple(given["target"].shape) if given["reduction"] == 0 else ()
    attributes: dict[str, Attribute] = {"p": given["p"], "weighted": given["weight"] is not None}
    return Call("multi_margin_loss", (given["self"], given["target"]), shape, attributes)


def margin_loss(record: OpRecord, attributes: Margin) -> Work:
    """Per class 2 arithmetic, a comparison and an addition; 1 more for a square, 1 for weights; a mean.

    ``Σ max(0, margin - x_y + x_i)^p / C`` over the wrong classes, where the right one is counted like the
    others; the division is one per sample.
    """
    points = prod(record.input_shapes[0])
    samples = prod(record.input_shapes[1])
    each = 2 + (attributes.p == 2) + attributes.weighted
    folds = max(points - prod(record.output_shape), 0)
    return Work(arithmetic=each * points + folds + samples, comparisons=points)


MULTI_MARGIN_LOSS = op(
    "multi_margin_loss",
    family=FAMILY,
    attributes=Margin,
    aten={"multi_margin_loss": _read_margin_loss},
    work=margin_loss,
    saves=("input", "other"),
)


def ctc_loss(record: OpRecord) -> Work:
    """Per step and state 7 arithmetic, 2 comparisons, 4 transcendental: the logarithm of a sum of three.

    Graves et al. 2006, equations 6 and 7, with the forward variables as logarithms: the largest of three
    (2 comparisons), three differences and exponentials, two sums, a logarithm, and two sums to join it with
    the largest and the step's own. Every state of the longest target is counted, as torch allocates them.
    """
    states = prod(record.output_shapes[1])
    return Work(arithmetic=7 * states, comparisons=2 * states, transcendental=4 * states)


CTC_LOSS = op("_ctc_loss", family=FAMILY, work=ctc_loss, saves=("input", "other", "output", "statistics"))


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
