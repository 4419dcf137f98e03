"""What TorchScript has and Python has not: sizes as tensors, and element types as numbers."""

from collections.abc import Callable
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

__all__ = [
    "DTYPES",
    "LAYOUTS",
    "MEMORY_FORMATS",
    "Operate",
    "ScriptInstance",
    "SizeTensor",
    "Unsupported",
    "find_dtype",
    "find_dtype_code",
    "unwrap",
]


Operate = Callable[[list[Any]], Any]
"""Computes what a node gives from its inputs."""


class Unsupported(Exception):  # noqa: N818 - a signal to who calls the method, never seen by a user
    """A graph has something that Python cannot go through; the message names it."""


class SizeTensor(Struct, frozen=True):
    """A number that follows from shapes and that ``torch.jit.trace`` has written down as a tensor.

    In the module that was traced it is a number of Python's, and what is done to it is no op.
    """

    tensor: Tensor
    constant: bool = False
    """Whether it is a constant of the graph, which may stand beside sizes or not."""


class ScriptInstance(Struct, eq=False):
    """An object of a class that the code itself has, which is no module."""

    type: Any
    """Its class, a ``torch._C.ClassType``."""
    attributes: dict[str, Any]


def unwrap(value: Any) -> Any:
    """Give the tensor of a size, in lists and tuples too, and anything else as it is."""
    kind = type(value)
    if kind is SizeTensor:
        return value.tensor
    if (kind is list or kind is tuple) and any(type(each) in _WRAPPING for each in value):
        return kind([unwrap(each) for each in value])
    return value


_WRAPPING = frozenset((SizeTensor, list, tuple))

DTYPES: dict[int, torch.dtype] = dict(
    enumerate(
        (
            torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32,
            torch.float64, torch.complex32, torch.complex64, torch.complex128, torch.bool, torch.qint8,
            torch.quint8, torch.qint32, torch.bfloat16,
        )
    )
)  # fmt: skip
"""Element types by the numbers that TorchScript has for them (``c10::ScalarType``)."""

MEMORY_FORMATS = {
    0: torch.contiguous_format,
    1: torch.preserve_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
}
LAYOUTS = {0: torch.strided}

_CODES = {dtype: code for code, dtype in DTYPES.items()}


def find_dtype(code: int | None) -> torch.dtype | None:
    """Give the element type that a number of TorchScript stands for."""
    return None if code is None else DTYPES[code]


def find_dtype_code(dtype: torch.dtype) -> int:
    """Give TorchScript's number for an element type."""
    code = _CODES.get(dtype)
    return int(torch.ops.prim.dtype(torch.empty(0, dtype=dtype))) if code is None else code
