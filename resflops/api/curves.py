"""The public function that says what a model costs along a variable."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from resflops.api.calls import count
from resflops.api.given_models import Model, name_model, name_spec
from resflops.cost import Cost, check_prices_gradients
from resflops.cost.convention import DEFAULT_CONVENTION, Convention, find_convention
from resflops.errors import UsageError
from resflops.records import TensorSpec, is_shape
from resflops.sweeps.curves.assembling import count_point, make_curve
from resflops.sweeps.curves.counting import CurveRequest, count_curve
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.records import Curve
from resflops.sweeps.curves.variables import SIZES, Variable, make_variable

if TYPE_CHECKING:
    from torch import nn

__all__ = ["curve"]


def curve(
    model: "Model | Callable[..., nn.Module]",
    *inputs: Any,  # noqa: ANN401 - shapes, or what resflops.shape makes
    over: str,
    values: Iterable[Any],
    convention: str = DEFAULT_CONVENTION,
    backward: bool = False,
) -> Curve:
    """Say what a model costs along a variable, and the exact law that the figures follow, if there is one.

    The model is counted at each value. A law is found from some of these counts and held against all others;
    it is given up if it is off by one at any.

    >>> import resflops
    >>> curve = resflops.curve("resnet20", over="side", values=range(16, 65))
    >>> print(curve.law)
    14,256·side² + 50,688·⌈side/2⌉² + 202,752·⌈side/4⌉² + 640
    >>> curve.law.evaluate(32), resflops.count("resnet20").macs
    (40551040, 40551040)

    The width of a network of one's own is an argument of its class, or of a function that makes it:

    >>> from torch import nn
    >>> def make(width):
    ...     return nn.Sequential(nn.Linear(8, width), nn.Linear(width, width // 2))
    >>> print(resflops.curve(make, (1, 8), over="width", values=range(16, 64, 2)).law)
    1/2·width² + 8·width

    Args:
        model: the spec of a model, a module, or a class or function that makes a module of a value that is
            given by the name of the variable.
        inputs: shapes of the inputs, with the batch; a spec needs none, or that of its main input. The
            variable is put in its place in them.
        over: ``side``, the height and width of an image; ``batch``; ``seq``, the length of a sequence; or an
            option of the spec, or an argument of the class or function.
        values: numbers, such as ``range(32, 513)``.
        convention: the convention to count under.
        backward: whether to count the backward pass as well.

    Returns:
        The curve: its points, laws and steps; a value that the model refuses is a point that says why.

    Raises:
        UsageError: the model has no such size, or there are no values.
        ModelError: the model could not be counted at any value.
        ResflopsError: there is no such model or convention.
    """
    variable = make_variable(over, values)
    chosen = find_convention(convention)
    if backward:
        check_prices_gradients(chosen)
    model = name_spec(model)
    if isinstance(model, str):
        if len(inputs) > 1 or not all(map(is_shape, inputs)):
            raise UsageError(
                f"the curve of a spec takes the shape of its main input at most, got {len(inputs)} inputs; "
                f"build the model with resflops.load({model!r}) to give it others"
            )
        return count_curve(
            CurveRequest(
                spec=model,
                variable=variable,
                convention=chosen,
                input_shape=inputs[0] if inputs else None,
                backward=backward,
            )
        )
    return _count_given(model, inputs, variable, chosen, backward=backward)


def _count_given(
    model: Any,  # noqa: ANN401 - a module, or what makes one
    inputs: tuple[Any, ...],
    variable: Variable,
    convention: Convention,
    *,
    backward: bool,
) -> Curve:
    """Count a module, or the modules that a class or function makes, along a variable."""
    is_made = variable.name not in SIZES
    if is_made and ((hasattr(model, "forward") and not isinstance(model, type)) or not callable(model)):
        raise UsageError(
            f"a module has no option {variable.name!r}, and the sizes of an input are {', '.join(SIZES)}; "
            f"give the class or a function that makes the module, as in "
            f"resflops.curve(lambda {variable.name}: Net({variable.name}), …)"
        )

    def count_at(value: Number) -> Cost:
        if is_made:
            return count(
                _build(model, variable.name, value), *inputs, convention=convention.name, backward=backward
            )
        given = _place(variable.name, int(value), inputs)
        return count(model, *given, convention=convention.name, backward=backward)

    name = getattr(model, "__name__", "") or name_model(model) or type(model).__name__
    if not is_made:
        # What is wrong with the inputs is wrong at every value.
        _place(variable.name, 1, inputs)
    counted = [count_point(value, name, partial(count_at, value)) for value in variable.values]
    return make_curve(name, variable, convention, counted)


def _build(make: "Callable[..., nn.Module]", name: str, value: Number) -> "nn.Module":
    from resflops.sources.building import build_model
    from resflops.sources.found_model import FoundModel

    given = value if isinstance(value, int) else float(value)
    spec = f"{getattr(make, '__name__', 'the model')} with {name}={given}"
    return build_model(FoundModel(spec=spec, make=partial(make, **{name: given})))


def _place(name: str, value: int, inputs: tuple[Any, ...]) -> list[Any]:
    """Put a value in its place in the shapes of the inputs.

    The main input is the first. The others have its batch or its length where they have the same number in
    that place.
    """
    shapes = [each.shape if isinstance(each, TensorSpec) else each for each in inputs]
    if not shapes or not all(map(is_shape, shapes)):
        raise UsageError(
            f"to vary the {name}, give the shapes of the inputs, with the batch, as in (1, 3, 224, 224) or "
            "resflops.shape(1, 128, dtype='int64')"
        )
    main = shapes[0]
    places = {"side": (len(main) - 2, len(main) - 1), "batch": (0,), "seq": (1,)}[name]
    if len(main) < {"side": 4, "batch": 1, "seq": 2}[name]:
        raise UsageError(f"an input of the shape {main} has no {name}; give its shape with the batch")
    placed = []
    for number, (given, shape) in enumerate(zip(inputs, shapes, strict=True)):
        new = tuple(
            value if place in places and (number == 0 or size == _look_up(main, place)) else size
            for place, size in enumerate(shape)
        )
        placed.append(replace(given, shape=new) if isinstance(given, TensorSpec) else new)
    return placed


def _look_up(shape: tuple[int, ...], place: int) -> int:
    return shape[place] if place < len(shape) else 0
