"""Counting a model at each value of one variable."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost import Cost
from resflops.cost.convention import Convention
from resflops.errors import ModelError, ResflopsError
from resflops.records import Shape
from resflops.sources.counting import CountRequest, count_spec
from resflops.sources.lookup import find
from resflops.sources.steps import Step
from resflops.sweeps.curves.laws import find_law
from resflops.sweeps.curves.observations import Observation, observe
from resflops.sweeps.curves.placing import Placing, find_placing
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.records import Curve, Law, Lawless, Point
from resflops.sweeps.curves.variables import Variable, write_number

__all__ = ["CurveRequest", "count_curve"]

TRIED_REFUSALS = 64
"""How many of the sides that a model refuses an option for the size is tried at. A patch has fewer pixels."""


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
    backward: bool = False
    fresh: bool = False


class _Counted(Struct, frozen=True, kw_only=True):
    point: Point
    observation: Observation | None = None
    """None where the model could not be counted."""
    size_option: str
    """The option by which the model was built for the side; ``""`` for none."""


def count_curve(
    request: CurveRequest, *, say: Callable[[str], None] = lambda _: None, keep_interrupted: bool = False
) -> Curve:
    """Count a model at each value, and find the laws that its figures follow.

    A value that the model refuses is a point that says why.

    Args:
        request: the model and the variable.
        say: called with a line that says what is being done.
        keep_interrupted: whether Ctrl-C gives the curve of the values that were counted before.

    Raises:
        ModelError: the model could not be counted at any value; the message has the reasons.
        UsageError: the model has no such size.
        ResflopsError: there is no such model.
        KeyboardInterrupt: Ctrl-C was pressed and nothing is kept, or there is nothing to keep.
    """
    placing = find_placing(request.variable.name, _make_request(request))
    counted: dict[Number, _Counted] = {}
    try:
        for each in _count_points(placing, request.variable.values, request, say):
            counted[each.point.value] = each
    except KeyboardInterrupt:
        if not keep_interrupted or not any(each.observation for each in counted.values()):
            raise
    _check_some(counted.values())
    # After an interrupt, some may still be those of the model as it is.
    option = next(reversed(counted.values())).size_option
    return _make_curve(request, [each for each in counted.values() if each.size_option == option])


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
    placing: Placing, values: Sequence[Number], request: CurveRequest, say: Callable[[str], None]
) -> Iterator[_Counted]:
    """Count a model at each value; all anew once a side shows that it has to be built for each.

    A model of one network with different options would be several, whose figures follow no common law.
    """
    tried = 0
    for number, value in enumerate(values, start=1):
        named = request.name or request.spec
        doing = Step(f"counting {named} at {placing.name} {write_number(value)}", number, of=len(values))
        each = _count_point(placing, value, say, doing)
        may_need_option = each.observation is None and placing.name == "side" and not placing.size_option
        if may_need_option and tried < TRIED_REFUSALS:
            tried += 1
            if option := _find_size_option(placing, value):
                yield from _count_points(replace(placing, size_option=option), values, request, say)
                return
        yield each


def _count_point(
    placing: Placing, value: Number, say: Callable[[str], None] = lambda _: None, doing: str = ""
) -> _Counted:
    wanted = placing.place(value)
    try:
        cost = count_spec(wanted, say=say, doing=doing).cost
    except ResflopsError as error:
        point = Point(value=value, spec=wanted.spec, error=str(error))
        return _Counted(point=point, size_option=placing.size_option)
    return _Counted(
        point=_make_point(value, wanted.spec, cost),
        observation=observe(value, cost),
        size_option=placing.size_option,
    )


def _make_point(value: Number, spec: str, cost: Cost) -> Point:
    backward = cost.backward
    return Point(
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


def _find_size_option(placing: Placing, value: Number) -> str:
    """Find the option of a model that has to be built for the side of its images; ``""`` if it has none."""
    from resflops.sources.input_hints import list_size_options

    for option in list_size_options(find(placing.request.spec)):
        if _count_point(replace(placing, size_option=option), value).observation is not None:
            return option
    return ""


def _check_some(counted: Iterable[_Counted]) -> None:
    """Raise an error if the model could not be counted at any value.

    Raises:
        ModelError: the reasons.
    """
    points = [each.point for each in counted]
    reasons = list(dict.fromkeys(point.error for point in points))
    if all(reasons):
        first = points[0]
        several = f"{first.spec} and {len(points) - 1} more could not be counted: " if len(points) > 1 else ""
        raise ModelError(f"{several}{reasons[0]}")


def _make_curve(request: CurveRequest, counted: Sequence[_Counted]) -> Curve:
    observations = [each.observation for each in counted if each.observation is not None]
    figures = observations[0].figures
    name = request.variable.name
    found = [find_law(observations, figure=figure, variable=name) for figure in figures]
    return Curve(
        model=request.name or request.spec,
        variable=name,
        convention=request.convention,
        points=tuple(each.point for each in counted),
        laws=tuple(each for each in found if isinstance(each, Law)),
        lawless=tuple(each for each in found if isinstance(each, Lawless)),
        size_option=counted[-1].size_option,
        left=len(request.variable.values) - len(counted),
    )
