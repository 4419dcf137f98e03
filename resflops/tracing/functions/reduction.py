"""Sums, means, extrema, sorting: functions that fold or order a dimension."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.ops import broadcast
from resflops.records import Attribute, Shape
from resflops.tracing.functions.registry import (
    Call,
    Mismatch,
    NotDescribed,
    Steps,
    describes,
    dimension,
    named,
)


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
        if dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
            if op in ("mean", "nanmean"):
                raise Mismatch("the mean of integers is not defined; convert them to floating point first")
            dtype = torch.int64
        shape = reduced(tuple(input.shape), axis if dim is None else dim, keepdim=keepdim)
        return Call(op, (input,), shape, {}, dtype)


for _op in ("sum", "mean", "nansum", "nanmean"):
    _reduction(_op)


def _pair(op: str) -> Callable[[tuple[Tensor, ...]], Any]:
    """The named pair of values and places that torch hands back."""
    kind = getattr(torch.return_types, op)

    def pack(outs: tuple[Tensor, ...]) -> Any:
        return kind(outs)

    return pack


def _dims(dim: Any) -> tuple[int, ...] | int | None:
    """Which dimensions an op folds, as an attribute."""
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def _extremum(op: str) -> None:
    pack = _pair(op)

    @describes(getattr(torch, op), getattr(torch.Tensor, op))
    def extremum(input: Tensor, dim: Any = None, keepdim: bool = False) -> Call:
        shape = tuple(input.shape)
        if isinstance(dim, Tensor):
            both = broadcast(shape, tuple(dim.shape))
            return Call(op, (input, dim), both, {}, torch.result_type(input, dim))
        if dim is None:
            return Call(op, (input,), ())
        if not isinstance(dim, int):
            raise NotDescribed
        dimension(dim, max(len(shape), 1))
        out = reduced(shape, dim, keepdim=keepdim)
        return Call(op, (input,), out, {"dim": dim}, others=((out, torch.int64),), pack=pack)


def _place(op: str) -> None:
    @describes(getattr(torch, op), getattr(torch.Tensor, op))
    def place(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Call:
        shape = reduced(tuple(input.shape), dim, keepdim=keepdim)
        return Call(op, (input,), shape, {"dim": dim}, torch.int64)


def _folding(op: str, *, dtype: torch.dtype | None = None) -> None:
    @describes(getattr(torch, op), getattr(torch.Tensor, op))
    def fold(input: Tensor, dim: Any = None, keepdim: bool = False) -> Call:
        shape = reduced(tuple(input.shape), dim, keepdim=keepdim)
        return Call(op, (input,), shape, {"dim": _dims(dim)}, dtype)


def _spread(op: str) -> None:
    pair = op.endswith("_mean")

    @describes(getattr(torch, op), *((getattr(torch.Tensor, op),) if not pair else ()))
    def spread(
        input: Tensor,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Call:
        if isinstance(dim, bool):
            raise NotDescribed
        shape = reduced(tuple(input.shape), dim, keepdim=keepdim)
        attributes: dict[str, Attribute] = {"dim": _dims(dim)}
        if pair:
            return Call(op, (input,), shape, attributes, others=((shape, None),), pack=tuple)
        return Call(op, (input,), shape, attributes)


def _cumulative(op: str) -> None:
    @describes(getattr(torch, op), getattr(torch.Tensor, op))
    def cumulative(input: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Call:
        if dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
            dtype = torch.int64
        return Call(op, (input,), tuple(input.shape), {"dim": dim}, dtype)


for _op in ("max", "min"):
    _extremum(_op)
    _place(f"arg{_op}")
    _folding(f"a{_op}")
for _op in ("all", "any"):
    _folding(_op, dtype=torch.bool)
_folding("logsumexp")
for _op in ("var", "std", "var_mean", "std_mean"):
    _spread(_op)
for _op in ("cumsum", "cumprod"):
    _cumulative(_op)


@describes(*named("topk"))
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Call:
    """The largest elements along a dimension, and where they stand."""
    shape = list(input.shape)
    place = dimension(dim, len(shape))
    if not isinstance(k, int):
        raise NotDescribed
    if not 0 <= k <= shape[place]:
        raise Mismatch(f"takes the first {k} of {shape[place]} elements")
    shape[place] = k
    out = tuple(shape)
    return Call("topk", (input,), out, {"dim": dim, "k": k}, others=((out, torch.int64),), pack=_pair("topk"))


@describes(*named("sort"))
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Call:
    """The elements in order along a dimension, and where they stood."""
    shape = tuple(input.shape)
    dimension(dim, max(len(shape), 1))
    return Call("sort", (input,), shape, {"dim": dim}, others=((shape, torch.int64),), pack=_pair("sort"))


@describes(*named("argsort"))
def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Call:
    """Where the elements in order stood."""
    return Call("sort", (input,), tuple(input.shape), {"dim": dim}, torch.int64)


@describes(torch.norm, torch.Tensor.norm, torch.linalg.vector_norm)
def norm(
    input: Tensor,
    p: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    out: Any = None,
    dtype: torch.dtype | None = None,
    *,
    ord: float = 2,
) -> Call:
    """The length of vectors."""
    if out is not None or p not in (None, "fro", 2, 1) or ord not in (1, 2):
        raise NotDescribed
    order = ord if p in (None, "fro") else p
    return _length(input, order, reduced(tuple(input.shape), dim, keepdim=keepdim), dtype)


def _length(tensor: Tensor, order: float, shape: Shape, dtype: torch.dtype | None = None) -> Call:
    return Call("norm", (tensor,), shape, {"ord": order}, dtype)


@describes(F.normalize)
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Steps:
    """Vectors divided by their lengths, which a limit keeps from zero."""
    if out is not None or not isinstance(dim, int):
        raise NotDescribed
    lengths = yield _length(input, p, reduced(tuple(input.shape), dim, keepdim=True))
    limited = yield Call("clamp", (lengths,), tuple(lengths.shape), {"min": eps, "max": None})
    spread = yield Call("expand", (limited,), tuple(input.shape))
    return (yield Call("div", (input, spread), tuple(input.shape)))


@describes(torch.cosine_similarity)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Steps:
    """Both vectors divided by their lengths, which a limit keeps from zero; then their product, summed."""
    shape = broadcast(tuple(x1.shape), tuple(x2.shape))
    x1 = yield Call("expand", (x1,), shape)
    x2 = yield Call("expand", (x2,), shape)
    folded = reduced(shape, dim, keepdim=True)
    units = []
    for vectors in (x1, x2):
        lengths = yield _length(vectors, 2, folded)
        limited = yield Call("clamp", (lengths,), folded, {"min": eps, "max": None})
        units.append((yield Call("div", (vectors, limited), shape)))
    product = yield Call("mul", tuple(units), shape)
    return (yield Call("sum", (product,), reduced(shape, dim, keepdim=False)))
