"""Copies: tensors joined, padded, converted."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.ops import broadcast
from resflops.tracing.functions.registry import (
    Call,
    Mismatch,
    NotDescribed,
    describes,
    dimension,
    getter,
    named,
    per_dimension,
)
from resflops.tracing.functions.views import getitem


@describes(*named("cat", "concat", "concatenate"))
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Call:
    """Tensors joined along a dimension."""
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if (0,) in shapes:
        # Torch passes over an empty vector, which is how caches begin.
        shapes = [shape for shape in shapes if shape != (0,)] or shapes
    first, dtype = shapes[0], tensors[0].dtype
    for tensor in tensors:
        if tensor.dtype is not dtype:
            dtype = torch.promote_types(dtype, tensor.dtype)
    place = dimension(dim, len(first))
    before, after = first[:place], first[place + 1 :]
    for shape in shapes:
        # What a growing block joins is many tensors: two comparisons of tuples for each.
        if shape[:place] != before or shape[place + 1 :] != after:
            given = ", ".join("×".join(map(str, each)) for each in shapes)
            raise Mismatch(f"tensors of shapes {given} cannot be joined along dimension {dim}")
    joined = sum([shape[place] for shape in shapes])
    return Call("cat", tuple(tensors), (*before, joined, *after), {"dim": dim}, dtype)


@describes(*named("stack"))
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Call:
    """Tensors joined along a new dimension."""
    shape = list(tensors[0].shape)
    if any(tensor.dtype is not tensors[0].dtype or list(tensor.shape) != shape for tensor in tensors):
        raise NotDescribed
    shape.insert(dim if dim >= 0 else dim + len(shape) + 1, len(tensors))
    return Call("stack", tuple(tensors), tuple(shape), {"dim": dim})


@describes(F.pad, repeated=True)
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Call:
    """Sizes grown (or cut, where negative) at both ends, the last dimension first."""
    del value
    shape = list(input.shape)
    for index in range(len(pad) // 2):
        shape[-1 - index] += pad[2 * index] + pad[2 * index + 1]
    if min(shape, default=1) < 0:
        raise Mismatch(f"cuts more from {'×'.join(map(str, input.shape))} than there is")
    return Call("pad", (input,), tuple(shape), {"pad": tuple(pad), "mode": mode})


@describes(torch.Tensor.contiguous, repeated=True)
def contiguous(input: Tensor, *, memory_format: Any = None) -> Call:
    """The same elements, in order."""
    del memory_format
    return Call("contiguous", (input,), tuple(input.shape))


@describes(torch.clone, torch.Tensor.clone, repeated=True)
def clone(input: Tensor, *, memory_format: Any = None) -> Call:
    """A copy."""
    del memory_format
    return Call("clone", (input,), tuple(input.shape))


_CONVERSIONS = {
    "float": torch.float32,
    "half": torch.float16,
    "double": torch.float64,
    "bfloat16": torch.bfloat16,
    "long": torch.int64,
    "int": torch.int32,
    "bool": torch.bool,
    "cpu": None,
    "cuda": None,
}


@describes(torch.Tensor.to, torch.Tensor.type_as, repeated=True)
def to(input: Tensor, *more: Any, dtype: torch.dtype | None = None, **named_more: Any) -> Call:
    """Another element type; which device does not matter to a meta trace."""
    del named_more
    for each in more:
        dtype = each.dtype if isinstance(each, Tensor) else each if isinstance(each, torch.dtype) else dtype
    # Torch hands back the tensor itself where nothing changes.
    return Call("to", (input,), tuple(input.shape), {}, dtype, dtype in (None, input.dtype))


def _conversion(name: str, dtype: torch.dtype | None) -> None:
    @describes(getattr(torch.Tensor, name), repeated=True)
    def convert(input: Tensor, *more: Any, **named_more: Any) -> Call:
        del more, named_more
        return Call("to", (input,), tuple(input.shape), {}, dtype, dtype in (None, input.dtype))


for _name, _dtype in _CONVERSIONS.items():
    _conversion(_name, _dtype)


@describes(*named("roll"), repeated=True)
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Call:
    """The elements moved round."""
    del shifts, dims
    return Call("roll", (input,), tuple(input.shape))


@describes(getter("data"))
def data(input: Tensor) -> Call:
    """The same tensor, unknown to autograd."""
    return Call("detach", (input,), tuple(input.shape))


@describes(torch.Tensor.__setitem__)
def setitem(input: Tensor, index: Any, value: Any) -> Call:
    """Elements written in place."""
    target = getitem(input, index).shape
    if isinstance(value, Tensor):
        source = tuple(value.shape)
        if broadcast(source, target) != target:
            raise NotDescribed
        return Call("setitem", (input, value), tuple(input.shape), in_place=True)
    return Call("setitem", (input,), tuple(input.shape), in_place=True)


@describes(torch.Tensor.copy_)
def copy(input: Tensor, src: Tensor, non_blocking: bool = False) -> Call:
    """Elements overwritten with another tensor's."""
    if broadcast(tuple(src.shape), tuple(input.shape)) != tuple(input.shape):
        raise NotDescribed
    return Call("copy", (input, src), tuple(input.shape), in_place=True)


def _masked_fill(function: str, *, in_place: bool) -> None:
    @describes(*named(function))
    def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Call:
        shape = broadcast(tuple(input.shape), tuple(mask.shape))
        return Call("masked_fill", (input, mask), shape, in_place=in_place)


_masked_fill("masked_fill", in_place=False)
_masked_fill("masked_fill_", in_place=True)


def _filled(op: str) -> None:
    @describes(getattr(torch.Tensor, f"{op}_"))
    def fill(input: Tensor, *value: Any, **named_value: Any) -> Call:
        return Call(op, (input,), tuple(input.shape), in_place=True)


for _name in ("zero", "fill", "normal", "uniform", "bernoulli"):
    _filled(_name)


@describes(torch.where)
def where(condition: Tensor, input: Any, other: Any) -> Call:
    """Elements of one tensor or the other."""
    tensors = [each for each in (input, other) if isinstance(each, Tensor)]
    if not tensors:
        raise NotDescribed
    shape = tuple(condition.shape)
    for each in tensors:
        shape = broadcast(shape, tuple(each.shape))
    if condition.dtype is not torch.bool:
        raise NotDescribed
    return Call("where", (condition, *tensors), shape, {}, torch.result_type(input, other))


@describes(torch.Tensor.where)
def where_method(input: Tensor, condition: Tensor, other: Any) -> Call:
    """As the function, the tensor first."""
    return where(condition, input, other)


def _by_index(op: str) -> None:
    @describes(*named(op))
    def by_index(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Call:
        shape = tuple(input.shape)
        place = dimension(dim, len(shape))
        if op == "gather":
            return Call(op, (input, index), tuple(index.shape))
        return Call(op, (input, index), (*shape[:place], index.numel(), *shape[place + 1 :]))


for _name in ("gather", "index_select"):
    _by_index(_name)


@describes(*named("repeat"))
def repeat(input: Tensor, *repeats: Any) -> Call:
    """The tensor laid out several times along each dimension."""
    times = repeats[0] if len(repeats) == 1 and not isinstance(repeats[0], int) else repeats
    if any(not isinstance(each, int) or each < 0 for each in times) or len(times) < input.dim():
        raise NotDescribed
    shape = (1,) * (len(times) - input.dim()) + tuple(input.shape)
    return Call("repeat", (input,), tuple([n * size for n, size in zip(times, shape, strict=True)]))


@describes(*named("repeat_interleave"))
def repeat_interleave(input: Tensor, repeats: int, dim: int | None = None) -> Call:
    """Every slice several times in a row."""
    if not isinstance(repeats, int):
        raise NotDescribed
    if dim is None:
        return Call("repeat_interleave", (input,), (input.numel() * repeats,))
    shape = list(input.shape)
    shape[dimension(dim, len(shape))] *= repeats
    return Call("repeat_interleave", (input,), tuple(shape))


def _same_shape(op: str) -> None:
    @describes(*named(op))
    def rearranged(input: Tensor, *more: Any, **named_more: Any) -> Call:
        return Call(op, (input,), tuple(input.shape))


for _name in ("flip", "tril", "triu", "channel_shuffle"):
    _same_shape(_name)


@describes(*named("pixel_shuffle"))
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Call:
    """Channels spread over a finer grid."""
    shape, n = tuple(input.shape), upscale_factor
    if len(shape) < 3 or shape[-3] % (n * n):
        raise NotDescribed
    return Call("pixel_shuffle", (input,), (*shape[:-3], shape[-3] // (n * n), shape[-2] * n, shape[-1] * n))


@describes(*named("pixel_unshuffle"))
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Call:
    """A grid's neighbours put into channels."""
    shape, n = tuple(input.shape), downscale_factor
    if len(shape) < 3 or shape[-2] % n or shape[-1] % n:
        raise NotDescribed
    return Call("pixel_unshuffle", (input,), (*shape[:-3], shape[-3] * n * n, shape[-2] // n, shape[-1] // n))


@describes(F.unfold)
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Call:
    """Every window of an image copied into a column."""
    shape = tuple(input.shape)
    kernel = per_dimension(kernel_size, 2)
    windows = zip(
        shape[-2:],
        kernel,
        *(per_dimension(each, 2) for each in (dilation, padding, stride)),
        strict=True,
    )
    blocks = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in windows]
    if len(shape) not in (3, 4) or min(blocks) < 1:
        raise NotDescribed
    return Call("im2col", (input,), (*shape[:-3], shape[-3] * kernel[0] * kernel[1], blocks[0] * blocks[1]))


@describes(torch.meshgrid)
def meshgrid(*tensors: Any, indexing: str | None = None) -> Call:
    """Coordinates laid out over a grid."""
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        tensors = tuple(tensors[0])
    sizes = [tensor.numel() for tensor in tensors]
    if indexing == "xy" and len(sizes) > 1:
        sizes[:2] = sizes[1], sizes[0]
    shape = tuple(sizes)
    others = tuple([(shape, tensor.dtype) for tensor in tensors[1:]])
    return Call("meshgrid", tensors, shape, {}, others=others, pack=tuple)


@describes(*named("tile"))
def tile(input: Tensor, *dims: Any) -> Call:
    """As ``repeat``, where the number of dimensions need not be given in full."""
    times = tuple(dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)
    return repeat(input, (1,) * (input.dim() - len(times)) + times)
