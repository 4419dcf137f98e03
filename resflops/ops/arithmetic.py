"""Arithmetic of two or three tensors, or of a tensor and a number.

``y'`` in the comments is the gradient that arrives.
"""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, Promoted, TensorLike, broadcast, is_tensor
from resflops.ops._complex import SUMS
from resflops.ops._declaration import WHOLE_NUMBERS, binding, each_gradient, op, stopped_gradient
from resflops.ops._elementwise import (
    ADD,
    EVALUATE,
    MULTIPLY,
    PASS,
    SELF,
    bind_two,
    count_added_up,
    elementwise,
    infer_two,
)
from resflops.records import OpRecord, Shape, Work

FAMILY = "arithmetic"

_DIVISIONS = ("div", "divide", "true_divide", "__div__", "__truediv__")
_DIVISIONS_IN_PLACE = ("div_", "divide_", "true_divide_", "__idiv__", "__itruediv__")

ADDITION = elementwise(
    "add",
    ADD,
    family=FAMILY,
    on_complex=Work(arithmetic=2),
    gradient=PASS,
    complex_gradient=PASS,
    bindings=bind_two("add", ("add", "__add__", "__radd__"), ("add_", "__iadd__")),
    aten={"add": SELF},
    saves=(),
)


class Reflectable(Attributes, frozen=True):
    """A subtraction or a division."""

    reflected: bool = False
    """Whether it is a number minus or over a tensor: the same work forward; older records do not say."""


def infer_sub(input: Any, other: Any, *, alpha: float = 1) -> Call:
    """Subtract the second from the first."""
    return _mark_reflected(_INFER_SUB(input, other, alpha=alpha), input)


def infer_sub_in_place(input: Any, other: Any, *, alpha: float = 1) -> Call:
    """Subtract the second from the first, in place."""
    return _INFER_SUB_IN_PLACE(input, other, alpha=alpha)


def infer_rsub(input: Any, other: Any, *, alpha: float = 1) -> Call:
    """Subtract the first from the second."""
    return infer_sub(other, input, alpha=alpha)


def _mark_reflected(call: Call, first: Any) -> Call:
    if not is_tensor(first):
        call.attributes = {"reflected": True}
    return call


_INFER_SUB = infer_two("sub")
_INFER_SUB_IN_PLACE = infer_two("sub", in_place=True)


def difference(record: OpRecord, attributes: Reflectable) -> Work:
    """Per element: 1 arithmetic."""
    del attributes
    return Work(arithmetic=prod(record.output_shape))


def difference_gradient(record: OpRecord, attributes: Reflectable, operand: int) -> Work:
    """First operand: nothing; second: a negation per element, also where it is subtracted from a number."""
    negated = operand == 1 or attributes.reflected
    points = prod(record.output_shape) if negated else 0
    return Work(arithmetic=points + count_added_up(record, operand))


SUBTRACTION = op(
    "sub",
    family=FAMILY,
    attributes=Reflectable,
    bindings=(
        binding(infer_sub, "*.sub", "*.subtract", "*.__sub__", repeated=True),
        binding(infer_rsub, "*.rsub", "*.__rsub__", repeated=True),
        binding(infer_sub_in_place, "*.sub_", "*.subtract_", "*.__isub__", repeated=True),
    ),
    aten={
        "sub": SELF,
        # Scripts have no such op: in them a number minus a tensor is a negation and an addition.
        "rsub": lambda given: infer_rsub(given["self"], given["other"], alpha=given["alpha"]),
    },
    work=difference,
    on_complex=SUMS,
    gradient=each_gradient(difference_gradient),
    saves=(),
)
# The name that older records have for a difference whose second operand was given first.
elementwise("rsub", ADD, family=FAMILY, gradient=(MULTIPLY, PASS), saves=())


def infer_outer(input: TensorLike, vec2: TensorLike) -> Call:
    """Multiply every element by every other: single products, with nothing to accumulate."""
    if input.dim() != 1 or vec2.dim() != 1:
        raise NotDescribed
    return Call("mul", (input, vec2), (*input.shape, *vec2.shape), {}, Promoted(input, vec2))


MULTIPLICATION = elementwise(
    "mul",
    ADD,
    family=FAMILY,
    on_complex=Work(arithmetic=6),
    gradient=MULTIPLY,
    complex_gradient=Work(arithmetic=6),
    bindings=(
        *bind_two("mul", ("mul", "multiply", "__mul__", "__rmul__"), ("mul_", "multiply_", "__imul__")),
        binding(infer_outer, "*.outer", "*.ger"),
    ),
    aten={"mul": SELF},
    saves=("input", "other"),
)


def infer_div(input: Any, other: Any) -> Call:
    """Divide the first by the second; a rounding mode makes another op of it."""
    return _mark_reflected(_INFER_DIV(input, other), input)


def infer_div_in_place(input: Any, other: Any) -> Call:
    """Divide the first by the second, in place."""
    return _INFER_DIV_IN_PLACE(input, other)


def infer_rdiv(input: Any, other: Any) -> Call:
    """Divide the second by the first."""
    return infer_div(other, input)


_INFER_DIV = infer_two("div", result="inexact")
_INFER_DIV_IN_PLACE = infer_two("div", result="inexact", in_place=True)


def quotient(record: OpRecord, attributes: Reflectable) -> Work:
    """Per element: 1 arithmetic."""
    del attributes
    return Work(arithmetic=prod(record.output_shape))


def complex_quotient(record: OpRecord, attributes: Reflectable) -> Work:
    """Per element: 11 arithmetic."""
    del attributes
    return Work(arithmetic=11 * prod(record.output_shape))


def quotient_gradient(record: OpRecord, attributes: Reflectable, operand: int) -> Work:
    """Per element ``y'/b`` for what is divided, and ``-y'·y/b``, 3 arithmetic, for the divisor.

    The divisor of a number is the only operand.
    """
    divisor = operand == 1 or attributes.reflected
    return Work(
        arithmetic=(3 if divisor else 1) * prod(record.output_shape) + count_added_up(record, operand)
    )


def complex_quotient_gradient(record: OpRecord, attributes: Reflectable, operand: int) -> Work:
    """Per element a quotient of 11; for the divisor a negation of 2 and a product of 6 besides."""
    divisor = operand == 1 or attributes.reflected
    each = 2 + 6 + 11 if divisor else 11
    return Work(arithmetic=each * prod(record.output_shape) + 2 * count_added_up(record, operand))


# Torch runs a number over a tensor as a reciprocal and a product, which is one operation more where only
# these are seen (scripted, exported, by make_fx).
DIVISION = op(
    "div",
    family=FAMILY,
    attributes=Reflectable,
    bindings=(
        binding(infer_div, *[f"*.{name}" for name in _DIVISIONS], repeated=True),
        binding(infer_rdiv, "*.__rdiv__", "*.__rtruediv__", repeated=True),
        binding(infer_div_in_place, *[f"*.{name}" for name in _DIVISIONS_IN_PLACE], repeated=True),
    ),
    aten={"div": SELF},
    work=quotient,
    on_complex=complex_quotient,
    gradient=each_gradient(quotient_gradient, on_complex=complex_quotient_gradient),
    saves=("input", "other"),
)
elementwise(
    "true_divide", ADD, family=FAMILY, gradient=(MULTIPLY, Work(arithmetic=3)), saves=("input", "other")
)
elementwise(
    "floor_divide",
    ADD,
    family=FAMILY,
    gradient=stopped_gradient(WHOLE_NUMBERS),
    bindings=bind_two(
        "floor_divide",
        ("floor_divide", "__floordiv__", "__rfloordiv__"),
        ("floor_divide_", "__ifloordiv__"),
    ),
    aten={"floor_divide": SELF},
    saves=(),
)
# Gradient: -y'·floor(a/b) for the divisor.
elementwise(
    "remainder",
    ADD,
    family=FAMILY,
    gradient=(PASS, Work(arithmetic=4)),
    bindings=bind_two("remainder", ("remainder", "__mod__", "__rmod__"), ("remainder_", "__imod__")),
    aten={"remainder": SELF},
    saves=("input", "other"),
)
elementwise(
    "fmod",
    ADD,
    family=FAMILY,
    gradient=(PASS, Work(arithmetic=4)),
    bindings=bind_two("fmod", ("fmod",)),
    aten={"fmod": SELF},
    saves=("input", "other"),
)


class Power(Attributes, frozen=True):
    """A power."""

    exponent: bool | int | float | None = None
    """The exponent, if it is a number. It is None, and not recorded, where it is a tensor or the base is a
    number: the cost of such a power follows from the shapes."""

    @property
    def products(self) -> int:
        """How many multiplications compute it, for an exponent of 2, 3 or 4; else 0."""
        if self.exponent is None or self.exponent not in (2, 3, 4):
            return 0
        return round(self.exponent) - 1


def infer_pow(input: Any, exponent: Any) -> Call:
    """Raise the first to a power."""
    call = _INFER_POW(input, exponent)
    if is_tensor(input) and not is_tensor(exponent):
        call.attributes = {"exponent": exponent}
    return call


def infer_pow_in_place(input: Any, exponent: Any) -> Call:
    """Raise the first to a power, in place."""
    call = infer_pow(input, exponent)
    call.in_place = True
    return call


def infer_reflected_pow(input: Any, other: Any) -> Call:
    """Raise a number to the power of a tensor, as in ``2 ** x``."""
    return infer_pow(other, input)


_INFER_POW = infer_two("pow")


def power(record: OpRecord, attributes: Power) -> Work:
    """Per element: n-1 multiplications for an integer exponent n of 2, 3 or 4, otherwise one power."""
    points = prod(record.output_shape)
    if attributes.products:
        return Work(arithmetic=points * attributes.products)
    return Work(transcendental=points)


def complex_power(record: OpRecord, attributes: Power) -> Work:
    """Per element n-1 multiplications of 6 for a whole exponent n of 2, 3 or 4, else 12 and 5 transcendental.

    A power is the exponential (2 and 3) of a product (6) with a logarithm (4 and 2).
    """
    points = prod(record.output_shape)
    if attributes.products:
        return Work(arithmetic=6 * points * attributes.products)
    return Work(arithmetic=12 * points, transcendental=5 * points)


def power_gradient(record: OpRecord, attributes: Power, operand: int) -> Work:
    """Per element n multiplications for an integer exponent n of 2 to 4, otherwise 3 arithmetic and a power.

    The gradient of an exponent that is a tensor is ``y'·y·ln x``: 2 arithmetic and a logarithm.
    Where the base is a number, so is its logarithm, which then takes nothing.
    """
    points = prod(record.output_shape)
    if attributes.products:
        return Work(arithmetic=points * (attributes.products + 1))
    if operand == 1:
        return Work(arithmetic=2 * points + count_added_up(record, operand), transcendental=points)
    if len(record.input_shapes) == 1 and attributes.exponent is None:
        return Work(arithmetic=2 * points)
    return Work(arithmetic=3 * points + count_added_up(record, operand), transcendental=points)


POWER = op(
    "pow",
    family=FAMILY,
    attributes=Power,
    bindings=(
        binding(infer_pow, "*.pow", "*.__pow__", repeated=True),
        binding(infer_reflected_pow, "*.__rpow__", repeated=True),
        binding(infer_pow_in_place, "*.pow_", "*.__ipow__", repeated=True),
    ),
    aten={"pow": SELF},
    work=power,
    on_complex=complex_power,
    gradient=each_gradient(power_gradient),
)

# Gradient: y'·b/(a² + b²).
elementwise(
    "atan2",
    EVALUATE,
    family=FAMILY,
    gradient=Work(arithmetic=5),
    bindings=bind_two("atan2", ("atan2", "arctan2"), result="inexact"),
    aten={"atan2": SELF},
    saves=("input", "other"),
)
# The root of a² + b². Gradient: y'·a/y.
elementwise(
    "hypot",
    Work(arithmetic=3, transcendental=1),
    family=FAMILY,
    gradient=Work(arithmetic=2),
    saves=("input", "other", "output"),
)
# The larger of the two, plus the logarithm of 1 + e^-|difference|. Gradient: y'·e^(a-y) for either.
for _name in ("logaddexp", "logaddexp2"):
    elementwise(
        _name,
        Work(comparisons=1, arithmetic=3, transcendental=2),
        family=FAMILY,
        gradient=Work(arithmetic=2, transcendental=1),
        saves=("input", "other"),
    )
# The first number times the sine and the cosine of the second.
elementwise(
    "polar",
    Work(arithmetic=2, transcendental=2),
    family=FAMILY,
    on_complex=Work(arithmetic=2, transcendental=2),
    gradient=Work(arithmetic=4),
    saves=("input", "other", "output"),
)
for _name in ("xlogy", "special_xlog1py", "ldexp"):
    elementwise(_name, Work(arithmetic=1, transcendental=1), family=FAMILY, saves=("input", "other"))
for _name in ("igamma", "igammac"):
    elementwise(_name, EVALUATE, family=FAMILY, saves=("input", "other"))


def _infer_three(op: str, *, in_place: bool = False) -> Callable[..., Call]:
    def infer(input: TensorLike, tensor1: TensorLike, tensor2: TensorLike, *, value: float = 1) -> Call:
        shape = broadcast(tuple(input.shape), broadcast(tuple(tensor1.shape), tuple(tensor2.shape)))
        return Call(op, (input, tensor1, tensor2), shape, in_place=in_place)

    return infer


for _name, _divisor in (("addcmul", 2), ("addcdiv", 4)):
    elementwise(
        _name,
        Work(arithmetic=3),
        family=FAMILY,
        # The product or the quotient, that with the factor, and the sum.
        on_complex=Work(arithmetic=(6 if _name == "addcmul" else 11) + 6 + 2),
        gradient=(PASS, Work(arithmetic=2), Work(arithmetic=_divisor)),
        bindings=(
            binding(_infer_three(_name), f"*.{_name}"),
            binding(_infer_three(_name, in_place=True), f"*.{_name}_"),
        ),
        aten={_name: SELF},
        saves=("tensor1", "tensor2"),
    )


def infer_lerp(input: TensorLike, end: TensorLike, weight: Any) -> Call:
    """Interpolate between two tensors; the weight is an input if it is a tensor."""
    inputs: tuple[TensorLike, ...] = (input, end)
    shape: Shape = broadcast(tuple(input.shape), tuple(end.shape))
    if is_tensor(weight):
        inputs, shape = (*inputs, weight), broadcast(shape, tuple(weight.shape))
    return Call("lerp", inputs, shape)


# a + w·(b - a). Gradient: (1-w)·y', w·y' and, for a tensor of weights, (b-a)·y'.
LERP = elementwise(
    "lerp",
    Work(arithmetic=3),
    family=FAMILY,
    on_complex=Work(arithmetic=2 + 6 + 2),
    gradient=(Work(arithmetic=2), MULTIPLY, Work(arithmetic=2)),
    bindings=(binding(infer_lerp, "*.lerp"),),
    aten={"lerp": SELF},
)
