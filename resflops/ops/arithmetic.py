"""Arithmetic, comparisons and logic of two or three tensors, or of a tensor and a number.

``y'`` in the comments is the gradient that arrives.
"""

from collections.abc import Callable
from math import prod
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from resflops.errors import MissingAttributeError
from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, Promoted, TensorLike, broadcast, is_tensor, name_dtype
from resflops.ops._declaration import Binding, binding, each_gradient, op, stopped_gradient
from resflops.ops._elementwise import (
    ADD,
    COMPARE,
    EVALUATE,
    MULTIPLY,
    PASS,
    SELECT,
    count_added_up,
    elementwise,
    is_inexact,
)
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "arithmetic"

_ANSWERS = "it answers a question, and its result does not change with small changes of the input"
_WHOLE_NUMBERS = "it is defined for whole numbers or truth values only, or gives such"

_SELF = {"input": "self"}

Result = Literal["promoted", "inexact", "bool"]
"""The element type of a result: what the operands promote to; that, or torch's default type for whole
numbers; or truth values."""


def infer_two(op: str, *, result: Result = "promoted", in_place: bool = False) -> Callable[..., Call]:
    """Make the ``infer`` of a function of two tensors, or of a tensor and a number."""

    def infer(input: Any, other: Any, *, alpha: float = 1) -> Call:
        if alpha != 1:
            raise NotDescribed
        dtype: Any
        if is_tensor(input) and is_tensor(other):
            inputs: tuple[TensorLike, ...] = (input, other)
            shape = broadcast(tuple(input.shape), tuple(other.shape))
            dtype = None if input.dtype is other.dtype else Promoted(input, other)
        else:
            tensor, number = (input, other) if is_tensor(input) else (other, input)
            if not isinstance(number, (int, float)):
                raise NotDescribed
            inputs, shape = (tensor,), tuple(tensor.shape)
            dtype = None if is_inexact(tensor) else Promoted(tensor, number)
        if result == "bool":
            dtype = "bool"
        elif result == "inexact" and not any(map(is_inexact, inputs)):
            dtype = "default"
        # What becomes of whole numbers, torch's default type decides.
        once = not inputs[0].dtype.is_floating_point
        return Call(op, inputs, shape, {}, dtype, in_place, once=once)

    return infer


def _bind_two(
    op: str,
    functions: tuple[str, ...],
    in_place: tuple[str, ...] = (),
    *,
    result: Result = "promoted",
) -> tuple[Binding, ...]:
    """Bind functions of two operands by their names, wherever torch offers them."""
    pure = binding(infer_two(op, result=result), *[f"*.{name}" for name in functions], repeated=True)
    if not in_place:
        return (pure,)
    written = infer_two(op, result=result, in_place=True)
    return pure, binding(written, *[f"*.{name}" for name in in_place], repeated=True)


ADDITION = elementwise(
    "add",
    ADD,
    family=FAMILY,
    gradient=PASS,
    bindings=_bind_two("add", ("add", "__add__", "__radd__"), ("add_", "__iadd__")),
    aten={"add": _SELF},
    saves=(),
)


class Difference(Attributes, frozen=True):
    """A subtraction."""

    reflected: bool = False
    """Whether it is a number minus a tensor. Forward that is the same; older records do not tell."""


def infer_sub(input: Any, other: Any, *, alpha: float = 1) -> Call:
    """The first less the second."""
    return _tell_reflected(_INFER_SUB(input, other, alpha=alpha), input)


def infer_sub_in_place(input: Any, other: Any, *, alpha: float = 1) -> Call:
    """The first less the second, written into the first."""
    return _INFER_SUB_IN_PLACE(input, other, alpha=alpha)


def infer_rsub(input: Any, other: Any, *, alpha: float = 1) -> Call:
    """The second less the first."""
    return infer_sub(other, input, alpha=alpha)


def _tell_reflected(call: Call, first: Any) -> Call:
    if not is_tensor(first):
        call.attributes = {"reflected": True}
    return call


_INFER_SUB = infer_two("sub")
_INFER_SUB_IN_PLACE = infer_two("sub", in_place=True)


def difference(record: OpRecord, attributes: Difference) -> Work:
    """Per element: 1 arithmetic."""
    del attributes
    return Work(arithmetic=prod(record.output_shape))


def difference_gradient(record: OpRecord, attributes: Difference, operand: int) -> Work:
    """Nothing for what is taken from; per element a negation for what is taken away, be it from a number."""
    negated = operand == 1 or attributes.reflected
    points = prod(record.output_shape) if negated else 0
    return Work(arithmetic=points + count_added_up(record, operand))


SUBTRACTION = op(
    "sub",
    family=FAMILY,
    attributes=Difference,
    bindings=(
        binding(infer_sub, "*.sub", "*.subtract", "*.__sub__", repeated=True),
        binding(infer_rsub, "*.rsub", "*.__rsub__", repeated=True),
        binding(infer_sub_in_place, "*.sub_", "*.subtract_", "*.__isub__", repeated=True),
    ),
    aten={
        "sub": _SELF,
        # A script has no such op: there a number minus a tensor is a negation and an addition.
        "rsub": lambda given: infer_rsub(given["self"], given["other"], alpha=given["alpha"]),
    },
    work=difference,
    gradient=each_gradient(difference_gradient),
    saves=(),
)
# What older records call a difference of which the second operand was given first.
elementwise("rsub", ADD, family=FAMILY, gradient=(MULTIPLY, PASS), saves=())


def infer_outer(input: TensorLike, vec2: TensorLike) -> Call:
    """Every element times every other: single products, with nothing to accumulate."""
    if input.dim() != 1 or vec2.dim() != 1:
        raise NotDescribed
    return Call("mul", (input, vec2), (*input.shape, *vec2.shape), {}, Promoted(input, vec2))


MULTIPLICATION = elementwise(
    "mul",
    ADD,
    family=FAMILY,
    gradient=MULTIPLY,
    bindings=(
        *_bind_two("mul", ("mul", "multiply", "__mul__", "__rmul__"), ("mul_", "multiply_", "__imul__")),
        binding(infer_outer, "*.outer", "*.ger"),
    ),
    aten={"mul": _SELF},
    saves=("input", "other"),
)
# Gradient: y'/b, and -y'·y/b. A number over a tensor, torch runs as a reciprocal and a product: one operation more
# where only those are seen (scripted, exported, by make_fx).
DIVISION = elementwise(
    "div",
    ADD,
    family=FAMILY,
    gradient=(MULTIPLY, Work(arithmetic=3)),
    bindings=_bind_two(
        "div",
        ("div", "divide", "true_divide", "__div__", "__truediv__", "__rdiv__", "__rtruediv__"),
        ("div_", "divide_", "true_divide_", "__idiv__", "__itruediv__"),
        result="inexact",
    ),
    aten={"div": _SELF},
    saves=("input", "other"),
)
elementwise(
    "true_divide", ADD, family=FAMILY, gradient=(MULTIPLY, Work(arithmetic=3)), saves=("input", "other")
)
elementwise(
    "floor_divide",
    ADD,
    family=FAMILY,
    gradient=stopped_gradient(_WHOLE_NUMBERS),
    bindings=_bind_two(
        "floor_divide",
        ("floor_divide", "__floordiv__", "__rfloordiv__"),
        ("floor_divide_", "__ifloordiv__"),
    ),
    aten={"floor_divide": _SELF},
    saves=(),
)
# Gradient: -y'·floor(a/b) for the divisor.
elementwise(
    "remainder",
    ADD,
    family=FAMILY,
    gradient=(PASS, Work(arithmetic=4)),
    bindings=_bind_two("remainder", ("remainder", "__mod__", "__rmod__"), ("remainder_", "__imod__")),
    aten={"remainder": _SELF},
    saves=("input", "other"),
)
elementwise(
    "fmod",
    ADD,
    family=FAMILY,
    gradient=(PASS, Work(arithmetic=4)),
    bindings=_bind_two("fmod", ("fmod",)),
    aten={"fmod": _SELF},
    saves=("input", "other"),
)


class Power(Attributes, frozen=True):
    """A power."""

    exponent: bool | int | float | None = None
    """None where it is a tensor, or where the base is a number: what such a power costs follows from the
    shapes, and it is recorded without one."""

    @property
    def products(self) -> int:
        """How many multiplications it is, for a small whole exponent; else 0."""
        if self.exponent is None or self.exponent not in (2, 3, 4):
            return 0
        return round(self.exponent) - 1


def infer_pow(input: Any, exponent: Any) -> Call:
    """A power of the first."""
    call = _INFER_POW(input, exponent)
    if is_tensor(input) and not is_tensor(exponent):
        call.attributes = {"exponent": exponent}
    return call


def infer_pow_in_place(input: Any, exponent: Any) -> Call:
    """A power of the first, written into it."""
    call = infer_pow(input, exponent)
    call.in_place = True
    return call


def infer_reflected_pow(input: Any, other: Any) -> Call:
    """``2 ** x``, whose number is the base and not the exponent."""
    return infer_pow(other, input)


_INFER_POW = infer_two("pow")


def power(record: OpRecord, attributes: Power) -> Work:
    """Per element: n-1 multiplications for a whole exponent n of 2, 3 or 4, else one power."""
    points = prod(record.output_shape)
    if attributes.products:
        return Work(arithmetic=points * attributes.products)
    return Work(transcendental=points)


def power_gradient(record: OpRecord, attributes: Power, operand: int) -> Work:
    """Per element n multiplications for a whole exponent n of 2, 3 or 4, else 3 arithmetic and a power.

    The exponent, where it is a tensor: ``y'·y·ln x``, 2 arithmetic and a logarithm; where
    the base is a number, its logarithm is one too.
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
    aten={"pow": _SELF},
    work=power,
    gradient=each_gradient(power_gradient),
)

# Gradient: y'·b/(a² + b²).
elementwise(
    "atan2",
    EVALUATE,
    family=FAMILY,
    gradient=Work(arithmetic=5),
    bindings=_bind_two("atan2", ("atan2", "arctan2"), result="inexact"),
    aten={"atan2": _SELF},
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
# The larger of the two, and the logarithm of 1 + e^-|difference|. Gradient: y'·e^(a-y) for either.
for _name in ("logaddexp", "logaddexp2"):
    elementwise(
        _name,
        Work(comparisons=1, arithmetic=3, transcendental=2),
        family=FAMILY,
        gradient=Work(arithmetic=2, transcendental=1),
        saves=("input", "other"),
    )
for _name in ("xlogy", "special_xlog1py", "ldexp"):
    elementwise(_name, Work(arithmetic=1, transcendental=1), family=FAMILY)
for _name in ("igamma", "igammac"):
    elementwise(_name, EVALUATE, family=FAMILY)

for _name, _functions, _aten in (
    ("maximum", ("maximum", "fmax"), ("maximum", "fmax")),
    ("minimum", ("minimum", "fmin"), ("minimum", "fmin")),
):
    elementwise(
        _name,
        COMPARE,
        family=FAMILY,
        gradient=SELECT,
        bindings=_bind_two(_name, _functions),
        aten=dict.fromkeys(_aten, _SELF),
        saves=("input", "other"),
    )
# What older records call those two where torch ran them at its dispatcher.
for _name in ("fmax", "fmin"):
    elementwise(_name, COMPARE, family=FAMILY, gradient=SELECT, saves=("input", "other"))
elementwise(
    "copysign",
    COMPARE,
    family=FAMILY,
    gradient=(Work(comparisons=1, arithmetic=1), PASS),
    saves=("input", "output"),
)
elementwise("heaviside", COMPARE, family=FAMILY, gradient=stopped_gradient(_ANSWERS), saves=())
elementwise("nextafter", ADD, family=FAMILY, gradient=stopped_gradient(_ANSWERS), saves=())

for _name, _functions in (
    ("eq", ("eq", "__eq__")),
    ("ne", ("ne", "not_equal", "__ne__")),
    ("lt", ("lt", "less", "__lt__")),
    ("le", ("le", "less_equal", "__le__")),
    ("gt", ("gt", "greater", "__gt__")),
    ("ge", ("ge", "greater_equal", "__ge__")),
):
    elementwise(
        _name,
        COMPARE,
        family=FAMILY,
        gradient=stopped_gradient(_ANSWERS),
        bindings=_bind_two(_name, _functions, result="bool"),
        aten={_name: _SELF},
        saves=(),
    )
for _name in ("logical_and", "logical_or", "logical_xor"):
    elementwise(
        _name,
        ADD,
        family=FAMILY,
        gradient=stopped_gradient(_WHOLE_NUMBERS),
        bindings=_bind_two(_name, (_name,), result="bool"),
        aten={_name: _SELF},
        saves=(),
    )
for _name, _functions, _in_place, _aten in (
    ("bitwise_and", ("bitwise_and", "__and__", "__rand__"), ("bitwise_and_", "__iand__"), "__and__"),
    ("bitwise_or", ("bitwise_or", "__or__", "__ror__"), ("bitwise_or_", "__ior__"), "__or__"),
    ("bitwise_xor", ("bitwise_xor", "__xor__", "__rxor__"), (), "__xor__"),
):
    elementwise(
        _name,
        ADD,
        family=FAMILY,
        gradient=stopped_gradient(_WHOLE_NUMBERS),
        bindings=_bind_two(_name, _functions, _in_place),
        aten={_name: _SELF, _aten: _SELF},
        saves=(),
    )
for _name, _aten in (("bitwise_left_shift", "__lshift__"), ("bitwise_right_shift", "__rshift__")):
    elementwise(_name, ADD, family=FAMILY, gradient=stopped_gradient(_WHOLE_NUMBERS), aten=(_aten,), saves=())
for _name in ("gcd", "lcm"):
    elementwise(_name, ADD, family=FAMILY, gradient=stopped_gradient(_WHOLE_NUMBERS), saves=())


def infer_negation(input: TensorLike) -> Call:
    """The other truth value, or the other bits."""
    op = "logical_not" if name_dtype(input.dtype) == "bool" else "bitwise_not"
    return Call(op, (input,), tuple(input.shape))


def infer_logical_not(input: TensorLike) -> Call:
    """Whether it is zero."""
    return Call("logical_not", (input,), tuple(input.shape), {}, "bool")


elementwise(
    "logical_not",
    ADD,
    family=FAMILY,
    gradient=stopped_gradient(_WHOLE_NUMBERS),
    bindings=(binding(infer_logical_not, "*.logical_not"),),
    aten={"logical_not": _SELF},
    saves=(),
)
elementwise(
    "bitwise_not",
    ADD,
    family=FAMILY,
    gradient=stopped_gradient(_WHOLE_NUMBERS),
    bindings=(binding(infer_negation, "*.bitwise_not", "*.__invert__"),),
    aten={"bitwise_not": _SELF},
    saves=(),
)


Number = bool | int | float


class Limits(Attributes, frozen=True):
    """Limits below, above or both: a number, or None for none. One that is a tensor is an input instead."""

    min: Number | None | UnsetType = UNSET
    max: Number | None | UnsetType = UNSET

    def count(self, record: OpRecord) -> int:
        """How many limits there are.

        Raises:
            MissingAttributeError: one is neither among the attributes nor among the inputs.
        """
        limits, tensors = (self.min, self.max), len(record.input_shapes) - 1
        if limits.count(UNSET) != tensors:
            raise MissingAttributeError(
                f"op {record.op!r} of layer {record.layer!r} was recorded with the attributes "
                f"{record.attributes} and {tensors} tensors as limits, which lack one of its two limits; "
                "trace the model again with this version of resflops"
            )
        return 2 - limits.count(None)


def infer_clamp(input: TensorLike, min: Any = None, max: Any = None) -> Call:
    """Limits below, above or both."""
    if is_tensor(min) or is_tensor(max):
        raise NotDescribed
    return Call("clamp", (input,), tuple(input.shape), {"min": min, "max": max})


def clamp(record: OpRecord, attributes: Limits) -> Work:
    """Per element: one comparison for each limit that is given."""
    return Work(comparisons=prod(record.output_shape) * attributes.count(record))


def clamp_gradient(record: OpRecord, attributes: Limits, operand: int) -> Work:
    """Per element: one comparison for each limit that is given."""
    del operand
    return Work(comparisons=prod(record.output_shape) * attributes.count(record))


CLAMP = op(
    "clamp",
    family=FAMILY,
    attributes=Limits,
    bindings=binding(infer_clamp, "*.clamp", "*.clip"),
    aten={"clamp": _SELF},
    work=clamp,
    gradient=each_gradient(clamp_gradient, takes=(0,)),
    saves=("input",),
)
for _name in ("clamp_min", "clamp_max"):
    elementwise(_name, COMPARE, family=FAMILY, gradient=SELECT, saves=("input",))


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
        gradient=(PASS, Work(arithmetic=2), Work(arithmetic=_divisor)),
        bindings=(
            binding(_infer_three(_name), f"*.{_name}"),
            binding(_infer_three(_name, in_place=True), f"*.{_name}_"),
        ),
        aten={_name: _SELF},
        saves=("tensor1", "tensor2"),
    )


def infer_lerp(input: TensorLike, end: TensorLike, weight: Any) -> Call:
    """Some of one tensor and the rest of the other; the weight is an input where it is a tensor."""
    inputs: tuple[TensorLike, ...] = (input, end)
    shape: Shape = broadcast(tuple(input.shape), tuple(end.shape))
    if is_tensor(weight):
        inputs, shape = (*inputs, weight), broadcast(shape, tuple(weight.shape))
    return Call("lerp", inputs, shape)


# Gradient: (1-w)·y', w·y' and, for a tensor of weights, (b-a)·y'.
LERP = elementwise(
    "lerp",
    ADD,
    family=FAMILY,
    gradient=(Work(arithmetic=2), MULTIPLY, Work(arithmetic=2)),
    bindings=(binding(infer_lerp, "*.lerp"),),
    aten={"lerp": _SELF},
)
