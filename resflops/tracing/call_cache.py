"""A cache of call signatures: what all calls of a function on the same shapes have in common.

A network repeats its blocks, and a search counts networks that repeat each other's. Where a description
reads nothing but shapes, types and plain arguments, a second call that looks the same needs no description.
"""

from collections.abc import Callable, Iterable, Mapping
from types import EllipsisType, NoneType
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor
from torch.nn import Parameter

from resflops.ops import OPS, Blank, Call, CallSignature, Promoted, name_dtype, plain_shapes

__all__ = ["Key", "find_signature", "keep_signature", "make_signature", "sign_step"]

Key = tuple[Any, ...]
"""A function and its arguments, with a shape and a type in place of each tensor."""

_CAPACITY = 1 << 15
"""How many signatures are kept: more than all of torchvision has."""

# All threads share it without a lock: a look-up and a write are atomic each, and two threads that learn the
# signature of one key learn the same.
_SIGNATURES: dict[Key, CallSignature] = {}


def _mark_sizes(items: list[Any]) -> Any:
    """Mark a list of sizes or dimensions, which unlike a tuple cannot be looked up."""
    for item in items:
        if type(item) is not int:
            raise TypeError
    return (list, *items)


# 1, 1.0 and True are equal as keys of a dict, yet may make different calls. So ints stand for themselves,
# and bools and floats are marked, by what nobody else can give.
_PLAIN = frozenset((int, str, tuple, NoneType, EllipsisType, torch.dtype))
_MARKED: dict[type, Callable[[Any], Any]] = {
    bool: (object(), object()).__getitem__,
    float: lambda number: (float, number),
    list: _mark_sizes,
}


def find_signature(
    func: Callable[..., Any],
    values: tuple[Any, ...],
    names: Iterable[str],
    kinds: Mapping[int, Blank],
) -> tuple[Key | None, CallSignature | None]:
    """Look up the key of a call, None if it cannot be cached, and its signature, None if it is not known yet.

    Args:
        func: the function.
        values: its arguments, those by keyword last.
        names: the keywords.
        kinds: shape, type and strides of some tensors, by their ids.
    """
    try:
        if func in _INDEXED:
            values = (values[0], _mark_index(values[1]), *values[2:])
        key = (
            func,
            *names,
            *[
                kinds.get(id(value))
                or ((value.shape, value.dtype) if value.is_contiguous() else _describe_layout(value))
                # No subclass: one may have behaviour of its own that its shape and type do not tell.
                if (kind := type(value)) is Tensor or kind is Parameter
                else value
                if kind in _PLAIN
                else _MARKED[kind](value)
                for value in values
            ],
        )
        return key, _SIGNATURES.get(key)
    except (KeyError, TypeError, RuntimeError):
        # An argument of another type, a tuple that holds something unhashable, or a tensor without strides.
        return None, None


_INDEXED = frozenset((Tensor.__getitem__, Tensor.__setitem__))


def _mark_index(index: Any) -> Any:
    """Mark an index as arguments are marked, and slices as well, which could not be looked up before 3.12."""
    kind = type(index)
    if kind is tuple:
        return tuple([each if type(each) is int else _mark_index(each) for each in index])
    if kind is slice:
        bounds = index.start, index.stop, index.step
        if not _BOUNDS.issuperset(map(type, bounds)):
            raise TypeError
        return (slice, *bounds)
    if kind is int or index is None or index is Ellipsis:
        return index
    raise TypeError


_BOUNDS = frozenset((int, NoneType))


def _describe_layout(tensor: Tensor) -> Key:
    # Whether the call copies depends on the strides, and so may those of its result.
    return tensor.shape, tensor.dtype, tensor.stride()


def keep_signature(key: Key, signature: CallSignature, call: Call, values: tuple[Any, ...]) -> None:
    """Keep the signature of a call, if the places of its tensors can be told."""
    tensors = [(id(value), place) for place, value in enumerate(values) if type(value) in _TENSORS]
    places = dict(tensors)
    # It is not kept where one tensor is two of the arguments, since its id does not tell which of the two is
    # meant, nor where the call reads a tensor that is no argument itself.
    if len(places) < len(tensors):
        return
    try:
        inputs = tuple([places[id(tensor)] for tensor in call.inputs])
        affine = tuple([places[id(tensor)] for tensor in call.affine if tensor is not None])
    except KeyError:
        return
    # All at once: keeping count of which was used last would cost every hit.
    if len(_SIGNATURES) >= _CAPACITY:
        _SIGNATURES.clear()
    _SIGNATURES[key] = replace(signature, inputs=inputs, affine=affine)


_TENSORS = frozenset((Tensor, Parameter))
"""The types of the tensors that a key may stand for."""

_STEPS: dict[Key, CallSignature] = {}
"""The signatures of the single calls of functions that are several."""


def sign_step(call: Call) -> CallSignature:
    """Make the signature of one of the calls of a function that is several, or find it."""
    if call.once or call.dtype is not None:
        # It may depend on torch's default type.
        return make_signature(call)
    key = (
        call.op,
        *[(tensor.shape, tensor.dtype) for tensor in call.inputs],
        call.shape,
        call.others,
        call.in_place,
        call.pack,
        *call.attributes.items(),
        # As 1, 1.0 and True are equal.
        *map(type, call.attributes.values()),
    )
    signature = _STEPS.get(key)
    if signature is None:
        if len(_STEPS) >= _CAPACITY:
            _STEPS.clear()
        signature = _STEPS[key] = make_signature(call)
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


def make_signature(call: Call) -> CallSignature:
    """Make the signature of a call."""
    inputs, others, pack = call.inputs, call.others, call.pack
    first = inputs[0].dtype if inputs else None
    kind: Any = first if call.dtype is None else _resolve(call.dtype, first)
    if first is not None and first.is_complex and not kind.is_complex:
        # Nothing else in a record tells that a magnitude, say, was taken of complex numbers.
        call.attributes = {**call.attributes, "complex": True}
    declared = OPS.get(call.op)
    is_view = declared is not None and declared.shares == "always"
    # Most calls have no further outputs, and an empty list takes as long to make as a short one.
    further = [shape for shape, _ in others] if others else ()
    return CallSignature(
        op=call.op,
        input_shapes=plain_shapes(tuple([tensor.shape for tensor in inputs])),
        output_shapes=plain_shapes((call.shape, *further)),
        dtype=name_dtype(kind),
        attributes=call.attributes,
        blank=None if call.in_place else (call.shape, kind),
        others=tuple([(shape, _resolve(other, first)) for shape, other in others]) if others else (),
        pack=_PACKS[pack] if isinstance(pack, str) else pack,
        shares="first" if is_view or call.in_place else "",
    )
