"""Counting the model of a spec at each value of one variable."""

from collections.abc import Callable
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import Convention
from resflops.records import Shape
from resflops.sources.counting import CountRequest, count_spec
from resflops.sources.lookup import find
from resflops.sources.steps import Step
from resflops.sweeps.curves.assembling import CountedPoint, count_point, make_curve
from resflops.sweeps.curves.placing import Placing, find_placing
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.records import Curve
from resflops.sweeps.curves.variables import Variable, write_number

__all__ = ["CurveRequest", "count_curve"]

TRIED_REFUSALS = 64
"""How many of the sides that a model refuses are tried with its option for the size. A patch has fewer
pixels."""

Say = Callable[[str], None]


class CurveRequest(Struct, frozen=True, kw_only=True):
    """A model to count along a variable, and how."""

    spec: str
    variable: Variable
    convention: Convention
    name: str = ""
    """The name that the user has given it; ``""`` if it goes by its spec."""
    input_shape: Shape | None = None
    """Shape of its main input, in which the variable is put; None for its usual one."""
    batch: int | None = None
    """The batch in place of that of the input; None keeps that one."""
    backward: bool = False
    """Whether to count the backward pass as well."""
    fresh: bool = False
    """Whether to trace it even if a trace of it is stored."""


def count_curve(request: CurveRequest, *, say: Say = lambda _: None, keep_interrupted: bool = False) -> Curve:
    """Count a model at each value, and find the laws that its figures follow.

    A value that the model refuses is a point that says why. A model that has to be built for the side of its
    images, such as a vision transformer, is: by the option that its builder has for it, at every value.

    Args:
        request: the model and the variable.
        say: called with a line that says what is being done.
        keep_interrupted: whether Ctrl-C gives the curve of the values that were counted before.

    Raises:
        ModelError: the model could not be counted at any value; the message has the first reason.
        UsageError: the model's input has no such size.
        ResflopsError: there is no such model.
        KeyboardInterrupt: Ctrl-C was pressed and nothing is kept, or there is nothing to keep.
    """
    placing = find_placing(request.variable.name, _make_request(request))
    counted, option = _count_points(placing, request, say, keep_interrupted=keep_interrupted)
    name = request.name or request.spec
    return make_curve(name, request.variable, request.convention, counted, size_option=option)


def _make_request(request: CurveRequest) -> CountRequest:
    return CountRequest(
        spec=request.spec,
        name=request.name,
        convention=request.convention,
        input_shape=request.input_shape,
        batch=request.batch,
        backward=request.backward,
        fresh=request.fresh,
    )


def _count_points(
    placing: Placing, request: CurveRequest, say: Say, *, keep_interrupted: bool
) -> tuple[list[CountedPoint], str]:
    """Count the points; also give the option by which the model was built for each side."""
    counted: list[CountedPoint] = []
    values = request.variable.values
    refusals = count(1)
    try:
        while len(counted) < len(values):
            value = values[len(counted)]
            step = f"counting {request.name or request.spec} at {placing.name} {write_number(value)}"
            each = _count(placing, value, say, Step(step, len(counted) + 1, of=len(values)))
            if each.observation is None and next(refusals) <= TRIED_REFUSALS:
                option = _find_size_option(placing, value)
                if option:
                    # All anew: with and without the option, it might be two networks.
                    placing = replace(placing, size_option=option)
                    counted.clear()
                    continue
            counted.append(each)
    except KeyboardInterrupt:
        if not keep_interrupted or not any(each.observation for each in counted):
            raise
    return counted, placing.size_option


def _count(placing: Placing, value: Number, say: Say = lambda _: None, doing: str = "") -> CountedPoint:
    wanted = placing.place(value)
    return count_point(value, wanted.spec, lambda: count_spec(wanted, say=say, doing=doing).cost)


def _find_size_option(placing: Placing, value: Number) -> str:
    """Find the option by which a model is built for a side that it refuses; ``""`` if there is none."""
    if placing.name != "side" or placing.size_option:
        return ""
    # Here, since it builds the model.
    from resflops.sources.input_hints import list_size_options

    for option in list_size_options(find(placing.request.spec)):
        if _count(replace(placing, size_option=option), value).observation is not None:
            return option
    return ""
