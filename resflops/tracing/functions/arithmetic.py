"""Arithmetic and comparisons of two tensors, or of a tensor and a number."""

from typing import Any

import torch
from torch import Tensor

from resflops.ops import broadcast
from resflops.records import Attribute
from resflops.tracing.functions.registry import Call, NotDescribed, describes, named

_ARITHMETIC = {
    "add": ("add", "__add__", "__radd__"),
    "sub": ("sub", "subtract", "__sub__", "__rsub__", "rsub"),
    "mul": ("mul", "multiply", "__mul__", "__rmul__"),
    "div": ("div", "divide", "true_divide", "__div__", "__truediv__", "__rdiv__", "__rtruediv__"),
    "floor_divide": ("floor_divide", "__floordiv__", "__rfloordiv__"),
    "remainder": ("remainder", "__mod__", "__rmod__"),
    "pow": ("pow", "__pow__"),
    "fmod": ("fmod",),
    "atan2": ("atan2", "arctan2"),
    "maximum": ("maximum", "fmax"),
    "minimum": ("minimum", "fmin"),
    "bitwise_and": ("bitwise_and", "__and__", "__rand__"),
    "bitwise_or": ("bitwise_or", "__or__", "__ror__"),
    "bitwise_xor": ("bitwise_xor", "__xor__", "__rxor__"),
}
_IN_PLACE = {
    "add": ("add_", "__iadd__"),
    "sub": ("sub_", "subtract_", "__isub__"),
    "mul": ("mul_", "multiply_", "__imul__"),
    "div": ("div_", "divide_", "true_divide_", "__idiv__", "__itruediv__"),
    "pow": ("pow_", "__ipow__"),
    "floor_divide": ("floor_divide_", "__ifloordiv__"),
    "remainder": ("remainder_", "__imod__"),
    "bitwise_and": ("bitwise_and_", "__iand__"),
    "bitwise_or": ("bitwise_or_", "__ior__"),
}
_REFLECTED_POWER = "__rpow__"
"""``2 ** x``, whose number is the base and not the exponent."""
_COMPARISONS = {
    "eq": ("eq", "__eq__"),
    "ne": ("ne", "not_equal", "__ne__"),
    "lt": ("lt", "less", "__lt__"),
    "le": ("le", "less_equal", "__le__"),
    "gt": ("gt", "greater", "__gt__"),
    "ge": ("ge", "greater_equal", "__ge__"),
    "logical_and": ("logical_and",),
    "logical_or": ("logical_or",),
    "logical_xor": ("logical_xor",),
}


def _described(op: str, names: tuple[str, ...], *, comparison: bool = False, in_place: bool = False) -> None:
    @describes(*named(*names), repeated=True)
    def arithmetic(input: Any, other: Any, *, alpha: float = 1) -> Call:
        if alpha != 1:
            raise NotDescribed
        attributes: dict[str, Attribute] = {}
        if isinstance(input, Tensor) and isinstance(other, Tensor):
            inputs: tuple[Tensor, ...] = (input, other)
            shape = broadcast(tuple(input.shape), tuple(other.shape))
            dtype = None if input.dtype is other.dtype else torch.result_type(input, other)
        else:
            tensor, number = (input, other) if isinstance(input, Tensor) else (other, input)
            if not isinstance(number, (int, float)):
                raise NotDescribed
            inputs, shape = (tensor,), tuple(tensor.shape)
            dtype = None if tensor.dtype.is_floating_point else torch.result_type(tensor, number)
            if op == "pow" and names != (_REFLECTED_POWER,):
                if tensor is other:
                    raise NotDescribed
                attributes = {"exponent": number}
        if comparison:
            dtype = torch.bool
        elif op in ("div", "atan2") and not (dtype or inputs[0].dtype).is_floating_point:
            dtype = torch.get_default_dtype()
        # What becomes of whole numbers, torch's default type decides.
        once = not inputs[0].dtype.is_floating_point
        return Call(op, inputs, shape, attributes, dtype, in_place, once=once)


for _op, _names in _ARITHMETIC.items():
    _described(_op, _names)
_described("pow", (_REFLECTED_POWER,))
for _op, _names in _IN_PLACE.items():
    _described(_op, _names, in_place=True)
for _op, _names in _COMPARISONS.items():
    _described(_op, _names, comparison=True)


def _three(op: str, *names: str, in_place: bool = False) -> None:
    @describes(*named(*names))
    def three(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Call:
        shape = broadcast(tuple(input.shape), broadcast(tuple(tensor1.shape), tuple(tensor2.shape)))
        return Call(op, (input, tensor1, tensor2), shape, in_place=in_place)


for _op in ("addcmul", "addcdiv"):
    _three(_op, _op)
    _three(_op, f"{_op}_", in_place=True)


@describes(*named("lerp"))
def lerp(input: Tensor, end: Tensor, weight: Any) -> Call:
    """Some of one tensor and the rest of the other."""
    shape = broadcast(tuple(input.shape), tuple(end.shape))
    if isinstance(weight, Tensor):
        shape = broadcast(shape, tuple(weight.shape))
    return Call("lerp", (input, end), shape)


@describes(*named("outer", "ger"))
def outer(input: Tensor, vec2: Tensor) -> Call:
    """Every element times every other: single products, with nothing to accumulate."""
    if input.dim() != 1 or vec2.dim() != 1:
        raise NotDescribed
    return Call("mul", (input, vec2), (*input.shape, *vec2.shape), {}, torch.result_type(input, vec2))


@describes(*named("logical_not", "bitwise_not", "__invert__"))
def negation(input: Tensor) -> Call:
    """The other truth value, or the other bits."""
    return Call("logical_not" if input.dtype is torch.bool else "bitwise_not", (input,), tuple(input.shape))


def _test(op: str) -> None:
    @describes(*named(op))
    def test(input: Tensor) -> Call:
        return Call(op, (input,), tuple(input.shape), {}, torch.bool)


for _op in ("isnan", "isinf", "isfinite", "signbit"):
    _test(_op)
