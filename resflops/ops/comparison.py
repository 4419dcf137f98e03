"""Comparisons of two tensors or of a tensor and a number, maxima and minima, limits; and logic."""

from math import prod
from typing import Any

from msgspec import UNSET, UnsetType

from resflops.errors import MissingAttributeError
from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, TensorLike, is_tensor, name_dtype
from resflops.ops._declaration import ANSWERS, WHOLE_NUMBERS, binding, each_gradient, op, stopped_gradient
from resflops.ops._elementwise import (
    ADD,
    COMPARE,
    PASS,
    SELECT,
    SELF,
    bind_two,
    count_added_up,
    elementwise,
)
from resflops.records import OpRecord, Work

FAMILY = "comparison"

for _name, _other in (("maximum", "fmax"), ("minimum", "fmin")):
    elementwise(
        _name,
        COMPARE,
        family=FAMILY,
        gradient=SELECT,
        bindings=bind_two(_name, (_name, _other)),
        aten={_name: SELF, _other: SELF},
        saves=("input", "other"),
    )
    # The name that older records have for it where torch's dispatcher ran it.
    elementwise(_other, COMPARE, family=FAMILY, gradient=SELECT, saves=("input", "other"))
elementwise(
    "copysign",
    COMPARE,
    family=FAMILY,
    gradient=(Work(comparisons=1, arithmetic=1), PASS),
    saves=("input", "output"),
)
elementwise("heaviside", COMPARE, family=FAMILY, gradient=stopped_gradient(ANSWERS), saves=())
elementwise("nextafter", ADD, family=FAMILY, gradient=stopped_gradient(ANSWERS), saves=())

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
        # Only equality is defined for complex numbers: both parts are compared.
        on_complex=Work(comparisons=2),
        gradient=stopped_gradient(ANSWERS),
        bindings=bind_two(_name, _functions, result="bool"),
        aten={_name: SELF},
        saves=(),
    )
for _name in ("logical_and", "logical_or", "logical_xor"):
    elementwise(
        _name,
        ADD,
        family=FAMILY,
        on_complex=Work(arithmetic=2),
        gradient=stopped_gradient(WHOLE_NUMBERS),
        bindings=bind_two(_name, (_name,), result="bool"),
        aten={_name: SELF},
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
        gradient=stopped_gradient(WHOLE_NUMBERS),
        bindings=bind_two(_name, _functions, _in_place),
        aten={_name: SELF, _aten: SELF},
        saves=(),
    )
for _name, _aten in (("bitwise_left_shift", "__lshift__"), ("bitwise_right_shift", "__rshift__")):
    elementwise(_name, ADD, family=FAMILY, gradient=stopped_gradient(WHOLE_NUMBERS), aten=(_aten,), saves=())
for _name in ("gcd", "lcm"):
    elementwise(_name, ADD, family=FAMILY, gradient=stopped_gradient(WHOLE_NUMBERS), saves=())


def infer_negation(input: TensorLike) -> Call:
    """Negate truth values, or the bits of integers."""
    op = "logical_not" if name_dtype(input.dtype) == "bool" else "bitwise_not"
    return Call(op, (input,), tuple(input.shape))


def infer_logical_not(input: TensorLike) -> Call:
    """Test whether elements are zero."""
    return Call("logical_not", (input,), tuple(input.shape), {}, "bool")


elementwise(
    "logical_not",
    ADD,
    family=FAMILY,
    on_complex=Work(arithmetic=2),
    gradient=stopped_gradient(WHOLE_NUMBERS),
    bindings=(binding(infer_logical_not, "*.logical_not"),),
    aten={"logical_not": SELF},
    saves=(),
)
elementwise(
    "bitwise_not",
    ADD,
    family=FAMILY,
    gradient=stopped_gradient(WHOLE_NUMBERS),
    bindings=(binding(infer_negation, "*.bitwise_not", "*.__invert__"),),
    aten={"bitwise_not": SELF},
    saves=(),
)


Number = bool | int | float


class Limits(Attributes, frozen=True):
    """The limits of a clamp: a number, or None for none. One that is a tensor is an input, and UNSET here."""

    min: Number | UnsetType | None = UNSET
    max: Number | UnsetType | None = UNSET

    def count(self, record: OpRecord) -> int:
        """Count the limits.

        Raises:
            MissingAttributeError: a limit is neither among the attributes nor among the inputs.
        """
        limits, tensors = (self.min, self.max), len(record.input_shapes) - 1
        if limits.count(UNSET) != tensors:
            raise MissingAttributeError(
                f"op {record.op!r} of layer {record.layer!r} was recorded with the attributes "
                f"{record.attributes} and {tensors} tensors as limits, but one of its two limits is missing; "
                "trace the model again with this version of resflops"
            )
        return 2 - limits.count(None)


def infer_clamp(input: TensorLike, min: Any = None, max: Any = None) -> Call:
    """Limit elements from below, above or both."""
    if is_tensor(min) or is_tensor(max):
        raise NotDescribed
    return Call("clamp", (input,), tuple(input.shape), {"min": min, "max": max})


def clamp(record: OpRecord, attributes: Limits) -> Work:
    """Per element: one comparison for each limit that is given."""
    return Work(comparisons=prod(record.output_shape) * attributes.count(record))


def clamp_gradient(record: OpRecord, attributes: Limits, operand: int) -> Work:
    """Per element: one comparison for each limit that is given, for the input and for a limit alike.

    A limit has the gradient of the elements that it replaced: those beyond it, where the two are in order.
    What was broadcast is added up.
    """
    points = prod(record.output_shape)
    return Work(comparisons=points * attributes.count(record), arithmetic=count_added_up(record, operand))


CLAMP = op(
    "clamp",
    family=FAMILY,
    attributes=Limits,
    bindings=binding(infer_clamp, "*.clamp", "*.clip"),
    aten={"clamp": SELF},
    work=clamp,
    gradient=each_gradient(clamp_gradient),
    saves=("input",),
)
for _name in ("clamp_min", "clamp_max"):
    elementwise(_name, COMPARE, family=FAMILY, gradient=SELECT, saves=("input",))
