"""Copies: tensors joined, padded, converted."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.tracing.functions.registry import Call, Mismatch, NotDescribed, describes, named


@describes(*named("cat", "concat", "concatenate"))
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Call:
    """Tensors joined along a dimension."""
    first = list(tensors[0].shape)
    if any(tensor.dtype is not tensors[0].dtype or len(tensor.shape) != len(first) for tensor in tensors):
        raise NotDescribed
    place = dim % len(first)
    for tensor in tensors[1:]:
        for axis, size in enumerate(tensor.shape):
            if axis != place and size != first[axis]:
                shapes = ", ".join("×".join(map(str, each.shape)) for each in tensors)
                raise Mismatch(f"tensors of shapes {shapes} cannot be joined along dimension {dim}")
    first[place] = sum(tensor.shape[place] for tensor in tensors)
    return Call("cat", tuple(tensors), tuple(first), {"dim": dim})


@describes(*named("stack"))
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Call:
    """Tensors joined along a new dimension."""
    shape = list(tensors[0].shape)
    if any(tensor.dtype is not tensors[0].dtype or list(tensor.shape) != shape for tensor in tensors):
        raise NotDescribed
    shape.insert(dim if dim >= 0 else dim + len(shape) + 1, len(tensors))
    return Call("stack", tuple(tensors), tuple(shape), {"dim": dim})


@describes(F.pad)
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Call:
    """Sizes grown (or cut, where negative) at both ends, the last dimension first."""
    del value
    shape = list(input.shape)
    for index in range(len(pad) // 2):
        shape[-1 - index] += pad[2 * index] + pad[2 * index + 1]
    if min(shape, default=1) < 0:
        raise Mismatch(f"cuts more from {'×'.join(map(str, input.shape))} than there is")
    return Call("pad", (input,), tuple(shape), {"pad": tuple(pad), "mode": mode})


@describes(torch.Tensor.contiguous)
def contiguous(input: Tensor, *, memory_format: Any = None) -> Call:
    """The same elements, in order."""
    del memory_format
    return Call("contiguous", (input,), tuple(input.shape))


@describes(torch.clone, torch.Tensor.clone)
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


@describes(torch.Tensor.to, torch.Tensor.type_as)
def to(input: Tensor, *more: Any, dtype: torch.dtype | None = None, **named_more: Any) -> Call:
    """Another element type; which device does not matter to a meta trace."""
    del named_more
    for each in more:
        dtype = each.dtype if isinstance(each, Tensor) else each if isinstance(each, torch.dtype) else dtype
    # Torch hands back the tensor itself where nothing changes.
    return Call("to", (input,), tuple(input.shape), {}, dtype, dtype in (None, input.dtype))


def _conversion(name: str, dtype: torch.dtype | None) -> None:
    @describes(getattr(torch.Tensor, name))
    def convert(input: Tensor, *more: Any, **named_more: Any) -> Call:
        del more, named_more
        return Call("to", (input,), tuple(input.shape), {}, dtype, dtype in (None, input.dtype))


for _name, _dtype in _CONVERSIONS.items():
    _conversion(_name, _dtype)


@describes(*named("roll"))
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Call:
    """The elements moved round."""
    del shifts, dims
    return Call("roll", (input,), tuple(input.shape))
