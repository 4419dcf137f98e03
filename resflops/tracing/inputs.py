"""The caller's inputs, as tensors on the device that the trace runs on."""

import copy
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import chain
from types import ModuleType
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves, tree_map

from resflops.errors import InputError
from resflops.ops import name_dtype
from resflops.records import Shape, TensorSpec, is_shape
from resflops.tracing.call_forms import list_calls
from resflops.tracing.distributed.tensors import find_distributed_type, find_local, replace_local
from resflops.tracing.formats import check_format, is_wrapper
from resflops.tracing.parameters import find_parameters
from resflops.tracing.zeros import zeros

__all__ = ["Reading", "as_tensors", "find_float_dtype", "find_held", "list_readings"]


class Reading(Struct, frozen=True):
    """What a call means: the arguments, with a TensorSpec for each shape; every other tuple is a tuple."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    translated: bool = False
    """Whether the call was given in the form of another counter, which is tried after our own."""


def list_readings(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, foreign: bool = True
) -> list[Reading]:
    """List what a call can mean, the likeliest first.

    A tuple of ints that is an argument of its own is a shape, but for these: one for a parameter that its
    annotation, default or name calls a size, and one with a size below one beside another tensor. Beside a
    tensor that the caller gives as one, it is first tried as a tuple. If ``foreign``, the forms of other
    counters are read as well.

    Raises:
        InputError: a shape with a size below one; or the model takes something, and was given nothing.
        UsageError: the model takes no argument of a keyword's name.
    """
    if len(args) == 1 and not kwargs and isinstance(args[0], Tensor):
        # The usual call: what follows takes a noticeable part of counting a small network.
        return [Reading(args, {})]
    if len(args) == 1 and not kwargs and is_shape(args[0]) and min(args[0]) > 0:
        # A shape alone, likewise.
        parameter = find_parameters(model).get(0)
        if parameter is None or parameter.kind in {"", "tensor"}:
            dtype = (parameter.dtype if parameter else "") or find_float_dtype(model)
            return [Reading((TensorSpec(check_shape(args[0]), dtype),), {})]
    calls = list_calls(model, args, kwargs) if foreign else [(args, kwargs)]
    return [
        Reading(reading.args, reading.kwargs, translated=place > 0)
        for place, call in enumerate(calls)
        for reading in _list_shape_readings(model, *call)
    ]


def _list_shape_readings(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Reading]:
    """List which of the tuples of ints in a call can be shapes."""
    given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    unclear = [place for place, item in given if is_shape(item)]
    has_tensors = len(unclear) < len(given) and any(map(_holds_tensor, (item for _, item in given)))
    if not unclear:
        return [_read(model, given, frozenset())]
    known = find_parameters(model) if len(given) > 1 or kwargs or min(given[0][1]) > 0 else {}
    kinds = {place: known[place].kind if place in known else "" for place in unclear}
    shapes = frozenset(place for place, kind in kinds.items() if kind == "tensor")
    open_ones = [place for place, kind in kinds.items() if not kind]
    has_tensors = has_tensors or bool(shapes)
    if len(unclear) > 1 or has_tensors:
        open_ones = [place for place in open_ones if min(dict(given)[place]) > 0]
    if has_tensors:
        choices = [shapes, shapes | frozenset(open_ones)]
    else:
        choices = [frozenset(open_ones), frozenset(open_ones[:1])]
    return [_read(model, given, choice) for choice in dict.fromkeys(choices)]


def _holds_tensor(item: Any) -> bool:
    if is_shape(item):
        return False
    return any(isinstance(leaf, Tensor | TensorSpec) for leaf in tree_leaves(item))


def _read(model: nn.Module, given: list[tuple[int | str, Any]], shapes: frozenset[int | str]) -> Reading:
    """Make a TensorSpec of each argument that is a shape, and give each the element type that it lacks."""
    known = find_parameters(model) if shapes else {}

    def complete(spec: TensorSpec, place: int | str) -> TensorSpec:
        dtype = spec.dtype or (known[place].dtype if place in known else "")
        return TensorSpec(spec.shape, dtype or find_float_dtype(model))

    def read(place: int | str, item: Any) -> Any:
        if place in shapes:
            return complete(TensorSpec(check_shape(item)), place)
        if isinstance(item, TensorSpec):
            return complete(item, place)
        return item

    read_items = {place: read(place, item) for place, item in given}
    return Reading(
        tuple(item for place, item in read_items.items() if isinstance(place, int)),
        {place: item for place, item in read_items.items() if isinstance(place, str)},
    )


def find_float_dtype(model: nn.Module) -> str:
    """Find the element type of a model's first floating-point parameter or, if it has none, buffer.

    Of types that torch can do arithmetic in: a weight of eight bits says nothing of the inputs.
    """
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.dtype in _FLOATING:
            return name_dtype(tensor.dtype)
    return name_dtype(torch.get_default_dtype())


_FLOATING = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def as_tensors(value: Any, device: torch.device) -> Any:
    """Make tensors of tensor specs, and copy tensors to a device, anywhere in nested containers.

    Args:
        value: the positional arguments as a tuple, or the keyword ones as a dict, as a reading has them.
        device: ``meta`` for a trace on shapes. On a real one, a shape or a meta tensor
            becomes a tensor of zeros.

    Raises:
        InputError: a shape with a size below one, or too large for torch.
    """
    if isinstance(value, tuple):
        return tuple(_move_nested(item, device) for item in value)
    return {name: _move_nested(item, device) for name, item in value.items()}


def check_shape(shape: Shape) -> Shape:
    """Give a shape back if a tensor can have it.

    Raises:
        InputError: a size is below one.
    """
    if min(shape, default=1) < 1:
        raise InputError(
            f"input shape {'×'.join(map(str, shape))}: every size must be at least 1; a tuple of ints beside "
            "a tensor, or beside resflops.shape(...), is given to the model as it is"
        )
    return shape


def _make_zeros(spec: TensorSpec, device: torch.device) -> Tensor:
    dtype = getattr(torch, spec.dtype) if spec.dtype else torch.get_default_dtype()
    return zeros(check_shape(spec.shape), dtype=dtype, device=device)


def _move_nested(item: Any, device: torch.device) -> Any:
    """Rebuild the same containers, with every tensor on the device."""
    if isinstance(item, Tensor):
        return _move(item, device)
    if isinstance(item, TensorSpec):
        return _make_zeros(item, device)
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
    if isinstance(leaf, TensorSpec):
        return _make_zeros(leaf, device)
    if isinstance(leaf, PackedSequence):
        # Its batch sizes say how it is packed, and torch requires them on the CPU.
        return leaf._replace(data=_move(leaf.data, device))
    # An object of the caller's that holds tensors, such as a cache of keys and values. The forward may
    # write into it, so it gets a copy; deepcopy takes the moved tensors from its memo.
    moved = {id(tensor): _move(tensor, device) for tensor in find_held(leaf, depth=4)}
    return copy.deepcopy(leaf, moved) if moved else leaf


def find_held(leaf: Any, *, depth: int) -> Iterator[Tensor]:
    """Find the tensors inside a value, objects that hold some included, as deep as caches nest them."""
    if isinstance(leaf, Tensor):
        yield leaf
    elif isinstance(leaf, list | tuple | dict):
        for item in leaf.values() if isinstance(leaf, dict) else leaf:
            yield from find_held(item, depth=depth)
    elif depth and hasattr(leaf, "__dict__") and not isinstance(leaf, type | ModuleType | nn.Module):
        yield from find_held(vars(leaf), depth=depth - 1)


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    """Give a tensor on the device that is not the caller's own: the forward may write into it."""
    if (distributed := find_distributed_type()) is not None and isinstance(tensor, distributed):
        return replace_local(tensor, _move(find_local(tensor), device))
    if device.type == "meta":
        # There is nothing to write into on meta, so a view of the caller's is enough.
        check_format(tensor)
        if tensor.is_meta or is_wrapper(tensor):
            return tensor.detach()
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    if tensor.is_meta:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    return tensor.detach().to(device, copy=True)
