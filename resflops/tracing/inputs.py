"""The caller's inputs, as tensors on the device that the trace runs on."""

import copy
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from resflops.errors import InputError
from resflops.records import Shape
from resflops.tracing.zeros import zeros

__all__ = ["as_tensors", "is_shape"]


def as_tensors(value: Any, device: torch.device) -> Any:
    """Make tensors of shapes, and copy tensors to a device, anywhere in nested containers.

    A tuple of ints is a shape only where it is an argument of its own. Inside a container it may
    well be meant as a tuple of ints.

    Args:
        value: the positional arguments as a tuple, or the keyword ones as a dict.
        device: ``meta`` for a trace on shapes. On a real one, a shape or a meta tensor
            becomes a tensor of zeros.

    Raises:
        InputError: a shape with a size below one, or too large for torch.
    """
    if isinstance(value, tuple):
        return tuple(_as_tensor(item, device) for item in value)
    return {name: _as_tensor(item, device) for name, item in value.items()}


def _as_tensor(item: Any, device: torch.device) -> Any:
    return _make_zeros(item, device) if is_shape(item) else _move_nested(item, device)


def is_shape(item: Any) -> bool:
    """Whether an argument is a shape: a tuple of whole numbers."""
    return (
        isinstance(item, tuple)
        and bool(item)
        and all(isinstance(size, int) and not isinstance(size, bool) for size in item)
    )


def _make_zeros(shape: Shape, device: torch.device) -> Tensor:
    if min(shape) < 1:
        raise InputError(f"input shape {'×'.join(map(str, shape))}: every size must be at least 1")
    return zeros(shape, dtype=torch.float32, device=device)


def _move_nested(item: Any, device: torch.device) -> Any:
    """Rebuild the same containers, with every tensor on the device."""
    if isinstance(item, Tensor):
        return _move(item, device)
    # tree_map takes a dataclass for a leaf, and so would leave the tensors in it where they are.
    if is_dataclass(item) and not isinstance(item, type):
        named = {
            field.name: _move_nested(getattr(item, field.name), device)
            for field in fields(item)
            if field.init
        }
        return replace(item, **named)
    return tree_map(lambda leaf: _move_leaf(leaf, device), item, is_leaf=_is_packed)


def _is_packed(item: Any) -> bool:
    # It is a named tuple, which tree_map would otherwise take apart.
    return isinstance(item, PackedSequence)


def _move_leaf(leaf: Any, device: torch.device) -> Any:
    if isinstance(leaf, Tensor):
        return _move(leaf, device)
    if isinstance(leaf, PackedSequence):
        # Its batch sizes say how it is packed, and torch requires them on the CPU.
        return leaf._replace(data=_move(leaf.data, device))
    # An object of the caller's that holds tensors, such as a cache of keys and values. The forward may
    # write into it, so it gets a copy; deepcopy takes the moved tensors from its memo.
    moved = {id(tensor): _move(tensor, device) for tensor in _find_held(leaf, depth=4)}
    return copy.deepcopy(leaf, moved) if moved else leaf


def _find_held(leaf: Any, *, depth: int) -> Iterator[Tensor]:
    """Find the tensors inside an object, as deep as caches nest them."""
    if isinstance(leaf, Tensor):
        yield leaf
    elif isinstance(leaf, list | tuple | dict):
        for item in leaf.values() if isinstance(leaf, dict) else leaf:
            yield from _find_held(item, depth=depth)
    elif depth and hasattr(leaf, "__dict__") and not isinstance(leaf, type | ModuleType | nn.Module):
        yield from _find_held(vars(leaf), depth=depth - 1)


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    """Give a tensor on the device that is not the caller's own: the forward may write into it."""
    if device.type == "meta":
        # There is nothing to write into on meta, so a view of the caller's is enough.
        if tensor.is_meta:
            return tensor.detach()
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    if tensor.is_meta:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    return tensor.detach().to(device, copy=True)
