"""Assembling a curve from the points that were counted."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from resflops.cost import Cost
from resflops.cost.convention import Convention
from resflops.errors import ModelError, ResflopsError, suggest
from resflops.sweeps.curves.fitting import find_law
from resflops.sweeps.curves.law import Law
from resflops.sweeps.curves.observations import Observation, observe
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.records import Curve, Lawless, Point
from resflops.sweeps.curves.variables import SIZES, Variable

__all__ = ["CountedPoint", "count_point", "make_curve"]

OTHER_NAMES = {
    **dict.fromkeys(("image", "image_size", "img_size", "input_size", "res", "resolution", "size"), "side"),
    **dict.fromkeys(("length", "seq_len", "seq_length", "seqlen", "sequence", "tokens"), "seq"),
    **dict.fromkeys(("batch_size", "bs", "n"), "batch"),
}
"""What the sizes of an input are called elsewhere."""


class CountedPoint(Struct, frozen=True, kw_only=True):
    """A point, and what a law is looked for in."""

    point: Point
    observation: Observation | None = None
    """None where the model could not be counted."""


def count_point(value: Number, spec: str, count: Callable[[], Cost]) -> CountedPoint:
    """Count a model at a value; one that cannot be counted there is a point that says why.

    Args:
        value: that of the variable.
        spec: what the model is called there.
        count: counts it.
    """
    try:
        cost = count()
    except ResflopsError as error:
        return CountedPoint(point=Point(value=value, spec=spec, error=str(error)))
    backward = cost.backward
    point = Point(
        value=value,
        spec=spec,
        input_shapes=tuple(given.shape for given in cost.trace.inputs),
        total=cost.total,
        macs=cost.macs,
        params=cost.params,
        backward=None if backward is None else backward.total,
        uncounted=cost.uncounted,
        complete=cost.complete and (backward is None or backward.complete),
    )
    return CountedPoint(point=point, observation=observe(value, cost))


def make_curve(
    model: str,
    variable: Variable,
    convention: Convention,
    counted: Sequence[CountedPoint],
    *,
    size_option: str = "",
) -> Curve:
    """Make the curve of the points of a model, with the laws of its figures.

    Args:
        model: what it is called.
        variable: what was varied.
        convention: the convention that it was counted under.
        counted: the points, in the order of their values.
        size_option: the option by which the model was built for each side; ``""`` for none.

    Raises:
        ModelError: the model could not be counted at any value; the message has the reason.
    """
    observations = [each.observation for each in counted if each.observation is not None]
    if not observations:
        raise ModelError(_describe_refusals([each.point for each in counted], variable.name))
    found = [
        find_law(observations, figure=figure, variable=variable.name) for figure in observations[0].figures
    ]
    return Curve(
        model=model,
        variable=variable.name,
        convention=convention,
        points=tuple(each.point for each in counted),
        laws=tuple(each for each in found if isinstance(each, Law)),
        lawless=tuple(each for each in found if isinstance(each, Lawless)),
        size_option=size_option,
        left=len(variable.values) - len(counted),
    )


def _describe_refusals(points: Sequence[Point], name: str) -> str:
    """Say why a model could not be counted anywhere, by the first reason of all."""
    reason = points[0].error
    if len(points) > 1:
        reason = f"none of {len(points):,} values of {name} could be counted; the first: {reason}"
    if name in SIZES:
        return reason
    meant = f"; closest: {OTHER_NAMES[name]}" if name in OTHER_NAMES else suggest(name, SIZES)
    if not meant:
        return reason
    return f"{reason}. {name} is taken for an option; the sizes of the input are {', '.join(SIZES)}{meant}"
