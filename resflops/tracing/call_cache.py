"""A cache of call signatures: what all calls of a function on the same shapes have in common.

A network repeats its blocks, and a search counts networks that repeat each other's. Where a description
reads nothing but shapes, types and plain arguments, a second call that looks the same needs no description.
"""

from collections.abc import Callable, Iterable
from types import EllipsisType, NoneType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from resflops.ops import Call, CallSignature, Promoted, name_dtype, plain_shapes

__all__ = ["Key", "find_signature", "keep_signature", "make_signature"]

Key = tuple[Any, ...]
"""A function and its arguments, with a shape and a type in place of each tensor."""

_CAPACITY = 1 << 15
"""How many signatures are kept: more than all of torchvision has."""

# All threads share it without a lock: a look-up and a write are atomic each, and two threads that learn the
# signature of one key learn the same.
_SIGNATURES: dict[Key, CallSignature] = {}

# 1, 1.0 and True are equal as keys of a dict, yet may make different calls. So ints stand for themselves,
# and bools and floats are marked, by what nobody else can give.
_PLAIN = frozenset((int, str, tuple, NoneType, EllipsisType, torch.dtype))
_MARKED: dict[type, Callable[[Any], Any]] = {
    bool: (object(), object()).__getitem__,
    float: lambda number: (float, number),
}


def find_signature(
    func: Callable[..., Any], values: tuple[Any, ...], names: Iterable[str]
) -> tuple[Key | None, CallSignature | None]:
    """Look up the key of a call, None if it cannot be cached, and its signature, None if it is not known yet.

    Args:
        func: the function.
        values: its arguments, those by keyword last.
        names: the keywords.
    """
    try:
        key = (
            func,
            *names,
            *[
                (value.shape, value.dtype)
                # No subclass: one may have behaviour of its own that its shape and type do not tell.
                if (kind := type(value)) is Tensor or kind is Parameter
                else value
                if kind in _PLAIN
                else _MARKED[kind](value)
                for value in values
            ],
        )
        return key, _SIGNATURES.get(key)
    except (KeyError, TypeError):
        # An argument of another type, or a tuple that holds something unhashable.
        return None, None


def keep_signature(key: Key, call: Call, values: tuple[Any, ...]) -> CallSignature:
    """Make the signature of a call, and keep it if the places of its tensors can be told."""
    tensors = [(id(value), place) for place, value in enumerate(values) if isinstance(value, Tensor)]
    places = dict(tensors)
    # It is not kept where one tensor is two of the arguments, since its id does not tell which of the two is
    # meant, nor where the call reads a tensor that is no argument itself.
    affine = [tensor for tensor in call.affine if tensor is not None]
    if len(places) < len(tensors) or any(id(tensor) not in places for tensor in (*call.inputs, *affine)):
        return make_signature(call)
    signature = make_signature(
        call,
        tuple([places[id(tensor)] for tensor in call.inputs]),
        tuple([places[id(tensor)] for tensor in affine]),
    )
    # All at once: keeping count of which was used last would cost every hit.
    if len(_SIGNATURES) >= _CAPACITY:
        _SIGNATURES.clear()
    _SIGNATURES[key] = signature
    return signature


_NAMED: dict[Any, torch.dtype] = {
    name: getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64")
}
# Python's own types, as in torch.zeros(3, dtype=int).
_NAMED |= {bool: torch.bool, int: torch.int64, float: torch.float64, complex: torch.complex128}


def _resolve(dtype: Any, first: Any) -> Any:
    """Find torch's element type from what a call says of it and the type of its first input."""
    if dtype is None:
        return first
    if isinstance(dtype, torch.dtype):
        return dtype
    if isinstance(dtype, Promoted):
        return torch.result_type(dtype.left, dtype.right)
    return torch.get_default_dtype() if dtype == "default" else _NAMED[dtype]


_PACKS = {name: getattr(torch.return_types, name) for name in ("max", "min", "sort", "topk")}
"""Torch's named tuples of values and indices."""


def make_signature(call: Call, inputs: tuple[int, ...] = (), affine: tuple[int, ...] = ()) -> CallSignature:
    """Make the signature of a call; with the places of its tensors, it serves for other calls."""
    first = call.inputs[0].dtype if call.inputs else None
    kind = _resolve(call.dtype, first)
    others = [(shape, _resolve(other, first)) for shape, other in call.others]
    pack = call.pack
    if first is not None and first.is_complex and not kind.is_complex:
        # Nothing else in a record tells that a magnitude, say, was taken of complex numbers.
        call.attributes = {**call.attributes, "complex": True}
    return CallSignature(
        op=call.op,
        input_shapes=plain_shapes(tuple([tensor.shape for tensor in call.inputs])),
        output_shapes=plain_shapes((call.shape, *[shape for shape, _ in call.others])),
        dtype=name_dtype(kind),
        attributes=call.attributes,
        blank=None if call.in_place else (call.shape, kind),
        others=tuple(others),
        pack=_PACKS[pack] if isinstance(pack, str) else pack,
        inputs=inputs,
        affine=affine,
    )
