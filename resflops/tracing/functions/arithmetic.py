"""Arithmetic and comparisons of two tensors, or of a tensor and a number."""

from typing import Any

import torch
from torch import Tensor

from resflops.records import Attribute
from resflops.tracing.functions.matmul import broadcast
from resflops.tracing.functions.registry import Call, NotDescribed, describes, named

_ARITHMETIC = {
    "add": ("add", "__add__", "__radd__"),
    "sub": ("sub", "subtract", "__sub__", "__rsub__", "rsub"),
    "mul": ("mul", "multiply", "__mul__", "__rmul__"),
    "div": ("div", "divide", "true_divide", "__div__", "__truediv__", "__rdiv__", "__rtruediv__"),
    "floor_divide": ("floor_divide", "__floordiv__", "__rfloordiv__"),
    "remainder": ("remainder", "__mod__", "__rmod__"),
    "pow": ("pow", "__pow__"),
    "maximum": ("maximum",),
    "minimum": ("minimum",),
}
_IN_PLACE = {
    "add": ("add_", "__iadd__"),
    "sub": ("sub_", "subtract_", "__isub__"),
    "mul": ("mul_", "multiply_", "__imul__"),
    "div": ("div_", "divide_", "true_divide_", "__idiv__", "__itruediv__"),
    "pow": ("pow_", "__ipow__"),
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
}


def _described(op: str, names: tuple[str, ...], *, comparison: bool = False, in_place: bool = False) -> None:
    @describes(*named(*names))
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
        elif op == "div" and not (dtype or inputs[0].dtype).is_floating_point:
            dtype = torch.get_default_dtype()
        return Call(op, inputs, shape, attributes, dtype, in_place)


for _op, _names in _ARITHMETIC.items():
    _described(_op, _names)
_described("pow", (_REFLECTED_POWER,))
for _op, _names in _IN_PLACE.items():
    _described(_op, _names, in_place=True)
for _op, _names in _COMPARISONS.items():
    _described(_op, _names, comparison=True)
