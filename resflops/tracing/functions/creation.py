"""Tensors made out of nothing: only sizes and element types matter."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from resflops.records import Shape
from resflops.tracing.functions.registry import Call, NotDescribed, describes


def _sizes(given: Sequence[Any], named: Any) -> Shape:
    """Sizes one by one, as one sequence, or by the keyword ``size``."""
    if named is not None:
        given = (*given, named)
    if len(given) == 1 and not isinstance(given[0], int):
        given = given[0]
    if any(not isinstance(size, int) for size in given):
        raise NotDescribed
    return tuple(given)


def _created(op: str, shape: Shape, dtype: torch.dtype | None, out: Any = None) -> Call:
    if out is not None:
        raise NotDescribed
    return Call(op, (), shape, {}, dtype or torch.get_default_dtype())


# Keywords such as `device` and `requires_grad` decide neither shape nor type.
def _sized(op: str) -> None:
    @describes(getattr(torch, op))
    def sized(*sizes: Any, dtype: torch.dtype | None = None, out: Any = None, **more: Any) -> Call:
        return _created(op, _sizes(sizes, more.get("size")), dtype, out)


def _sized_like(op: str) -> None:
    @describes(getattr(torch, op))
    def like(input: Tensor, *value: Any, dtype: torch.dtype | None = None, **more: Any) -> Call:
        return _created(op, tuple(input.shape), dtype or input.dtype)


def _sized_new(op: str) -> None:
    @describes(getattr(Tensor, op))
    def new(input: Tensor, *sizes: Any, dtype: torch.dtype | None = None, **more: Any) -> Call:
        return _created(op, _sizes(sizes, more.get("size")), dtype or input.dtype)


for _op in ("zeros", "ones", "empty", "rand", "randn"):
    _sized(_op)
for _op in ("zeros", "ones", "empty", "rand", "randn", "full"):
    _sized_like(f"{_op}_like")
for _op in ("zeros", "ones", "empty"):
    _sized_new(f"new_{_op}")


@describes(torch.full)
def full(
    size: Any, fill_value: Any, *, dtype: torch.dtype | None = None, out: Any = None, **more: Any
) -> Call:
    """One value everywhere, which decides the type where none is given."""
    if isinstance(fill_value, Tensor):
        raise NotDescribed
    kind = {bool: torch.bool, int: torch.int64}.get(type(fill_value))
    return _created("full", _sizes((size,), None), dtype or kind, out)


@describes(torch.Tensor.new_full)
def new_full(
    input: Tensor, size: Any, fill_value: Any, *, dtype: torch.dtype | None = None, **more: Any
) -> Call:
    """As ``full``, in the tensor's own type."""
    return _created("new_full", _sizes((size,), None), dtype or input.dtype)


@describes(torch.arange)
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: torch.dtype | None = None,
    out: Any = None,
    **more: Any,
) -> Call:
    """Numbers in even steps."""
    if end is None:
        start, end = 0, start
    if any(type(each) is not int for each in (start, end, step)):
        raise NotDescribed
    return _created("arange", (len(range(start, end, step)),), dtype or torch.int64, out)


@describes(torch.linspace)
def linspace(
    start: Any, end: Any, steps: int, *, dtype: torch.dtype | None = None, out: Any = None, **more: Any
) -> Call:
    """So many numbers in even steps."""
    if isinstance(start, Tensor) or isinstance(end, Tensor):
        raise NotDescribed
    return _created("linspace", (steps,), dtype, out)
