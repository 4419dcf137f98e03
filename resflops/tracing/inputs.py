"""What the caller gave, as tensors on the device that the trace runs on."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from resflops.errors import InputError
from resflops.records import Shape

__all__ = ["as_tensors"]


def as_tensors(value: Any, device: torch.device) -> Any:
    """Shapes made tensors, and tensors brought to a device, anywhere in nested containers.

    A tuple of ints is a shape only where it stands as an argument of its own: inside a
    container it may well be what it looks like.

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
    return _zeros(item, device) if _is_shape(item) else _brought(item, device)


def _is_shape(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and bool(item)
        and all(isinstance(size, int) and not isinstance(size, bool) for size in item)
    )


def _zeros(shape: Shape, device: torch.device) -> Tensor:
    text = "×".join(map(str, shape))
    if min(shape) < 1:
        raise InputError(f"input shape {text}: every size must be at least 1")
    try:
        return torch.zeros(shape, dtype=torch.float32, device=device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"input shape {text} is larger than torch can address; give a smaller one"
        ) from error


def _brought(item: Any, device: torch.device) -> Any:
    """The same containers, with every tensor on the device."""
    if isinstance(item, Tensor):
        return _moved(item, device)
    if is_dataclass(item) and not isinstance(item, type):
        named = {
            field.name: _brought(getattr(item, field.name), device) for field in fields(item) if field.init
        }
        return replace(item, **named)
    return tree_map_only(Tensor, lambda tensor: _moved(tensor, device), item)


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    if tensor.device == device:
        return tensor
    if tensor.is_meta:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    if device.type == "meta":
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    return tensor.detach().to(device)
