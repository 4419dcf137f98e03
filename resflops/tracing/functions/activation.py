"""Activations and other functions of one tensor, element by element."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.tracing.functions.registry import Call, NotDescribed, describes, named

_ACTIVATIONS = (
    "relu", "relu6", "hardtanh", "leaky_relu", "elu", "celu", "selu", "sigmoid", "logsigmoid", "silu",
    "hardsigmoid", "hardswish", "softplus", "softsign", "mish", "threshold", "hardshrink", "tanh",
)  # fmt: skip
_FUNCTIONS = (
    "neg", "abs", "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal",
    "square", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "erf", "erfc", "floor", "ceil",
    "round", "trunc", "sign",
)  # fmt: skip
_ALWAYS_FLOATING = frozenset(
    ("sigmoid", "tanh", "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal",
     "sin", "cos",
     "tan", "asin", "acos", "atan", "sinh", "cosh", "erf", "erfc")
)  # fmt: skip


def _elementwise(op: str) -> None:
    floating = op in _ALWAYS_FLOATING

    # Slopes, thresholds and limits change no shape; among the positional arguments that
    # follow, a bool can only be `inplace`.
    def elementwise(
        input: Tensor, *more: Any, inplace: bool = False, out: Any = None, **named_more: Any
    ) -> Call:
        if out is not None:
            raise NotDescribed
        in_place = inplace or (bool(more) and more[-1] is True)
        if floating and not input.dtype.is_floating_point and not input.dtype.is_complex:
            dtype = torch.get_default_dtype()
            return Call(op, (input,), tuple(input.shape), {}, dtype, in_place, once=True)
        return Call(op, (input,), tuple(input.shape), in_place=in_place)

    def in_place(input: Tensor, *more: Any, **named_more: Any) -> Call:
        return Call(op, (input,), tuple(input.shape), in_place=True)

    plain = tuple(named(op, *(("__neg__",) if op == "neg" else ("__abs__",) if op == "abs" else ())))
    describes(*plain, repeated=True)(elementwise)
    describes(*(function for function in named(f"{op}_") if function not in plain), repeated=True)(in_place)


for _op in (*_ACTIVATIONS, *_FUNCTIONS):
    _elementwise(_op)


@describes(F.gelu, repeated=True)
def gelu(input: Tensor, *, approximate: str = "none") -> Call:
    """GELU, by the error function or by its tanh approximation: two different amounts of work."""
    return Call("gelu_tanh" if approximate == "tanh" else "gelu", (input,), tuple(input.shape))


@describes(*named("prelu"))
def prelu(input: Tensor, weight: Tensor) -> Call:
    """A leaky ReLU with a learned slope."""
    return Call("prelu", (input, weight), tuple(input.shape))


@describes(F.glu)
def glu(input: Tensor, dim: int = -1) -> Call:
    """Half of the tensor, gated by the sigmoid of the other half."""
    shape = list(input.shape)
    shape[dim] //= 2
    return Call("glu", (input,), tuple(shape))


@describes(*named("clamp", "clip"))
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Call:
    """Limits below, above or both."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        raise NotDescribed
    return Call("clamp", (input,), tuple(input.shape), {"min": min, "max": max})
