"""Sums and means."""

from typing import Any

import torch
from torch import Tensor

from resflops.records import Shape
from resflops.tracing.functions.registry import Call, Mismatch, describes


def reduced(shape: Shape, dim: Any, *, keepdim: bool) -> Shape:
    """The shape that is left after folding dimensions.

    >>> reduced((2, 8, 7, 7), (2, 3), keepdim=False), reduced((2, 8), -1, keepdim=True)
    ((2, 8), (2, 1))
    """
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return (1,) * len(shape) if keepdim else ()
    folded = {place % len(shape) for place in ((dim,) if isinstance(dim, int) else dim)}
    if keepdim:
        return tuple(1 if place in folded else size for place, size in enumerate(shape))
    return tuple(size for place, size in enumerate(shape) if place not in folded)


def _reduction(op: str) -> None:
    @describes(getattr(torch, op), getattr(torch.Tensor, op))
    def reduction(
        input: Tensor,
        dim: Any = None,
        keepdim: bool = False,
        *,
        dtype: torch.dtype | None = None,
        axis: Any = None,
    ) -> Call:
        if op == "mean" and dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
            raise Mismatch("the mean of integers is not defined; convert them to floating point first")
        if op == "sum" and dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
            dtype = torch.int64
        shape = reduced(tuple(input.shape), axis if dim is None else dim, keepdim=keepdim)
        return Call(op, (input,), shape, {}, dtype)


for _op in ("sum", "mean"):
    _reduction(_op)
