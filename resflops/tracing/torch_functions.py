"""What the recorder does with a torch function, looked up by the function itself.

The functions that are ops are declared in ``resflops.ops`` and bound here. What stands here besides are
questions about tensors and ways out of torch, which are no ops.
"""

from collections.abc import Callable, Generator, Iterator
from inspect import isgetsetdescriptor
from typing import Any, TypeVar

import torch

from resflops.errors import DuplicateError
from resflops.ops import Call, SignedCall
from resflops.tracing.binding import bind_functions, bind_unchanged, resolve

__all__ = [
    "DESCRIBED",
    "DEVICE",
    "EXITS",
    "FACTORIES",
    "OPERATORS",
    "QUERIES",
    "REPEATED",
    "WHOLE",
    "Describe",
    "Part",
    "Steps",
    "describe_operator",
]

SomeResult = TypeVar("SomeResult")

Part = Generator[Call | SignedCall, Any, SomeResult]
"""Some calls of a function that is several ops, and what they come to; each is answered with its result."""

Steps = Part[Any]
"""The calls of such a function, and what it gives."""

Describe = Callable[..., Call | SignedCall | Steps]
"""A pure function with the signature of the torch function that it stands for. It reads shapes and says what
op the call is, on which tensors, and the shape that comes out. No kernel runs, not even a meta kernel."""

SomeDescribe = TypeVar("SomeDescribe", bound=Describe)

DESCRIBED: dict[Callable[..., Any], Describe]
"""Torch function to its description."""

REPEATED: set[Callable[..., Any]]
"""Those of them whose calls follow from shapes, types and plain arguments, and from nothing else:
equal arguments make equal calls."""

DESCRIBED, REPEATED = bind_functions()

OPERATORS: dict[str, Describe] = {}
"""Higher-order operators by name: the modules that hold them take longer to import than a count."""


def describe_operator(name: str) -> Callable[[SomeDescribe], SomeDescribe]:
    """Register a description for a higher-order operator.

    Raises:
        DuplicateError: it has a description already.
    """

    def register(describe: SomeDescribe) -> SomeDescribe:
        if name in OPERATORS:
            raise DuplicateError(f"operator {name!r} has a description already")
        OPERATORS[name] = describe
        return describe

    return register


def _find_everywhere(*names: str) -> Iterator[Callable[..., Any]]:
    """Every function of those names, wherever torch offers one: torch, Tensor, torch.nn.functional."""
    yield from dict.fromkeys(function for name in names for function in resolve(f"*.{name}"))


def _find_getter(name: str) -> Callable[..., Any]:
    """The function that torch calls for a property of a tensor."""
    found: Callable[..., Any] = getattr(torch.Tensor, name).__get__
    return found


WHOLE = bind_unchanged("whole")
"""Views and copies that run as they are, with the op that each is recorded as."""

FACTORIES = bind_unchanged("factories")
"""Functions that make a tensor out of nothing; on meta it stays there."""

_TENSOR_PROPERTIES = frozenset(("T", "H", "mT", "mH", "data", "grad", "real", "imag", "_grad", "_base"))

_PROPERTIES = [
    _find_getter(name)
    for name, found in vars(torch._C.TensorBase).items()
    if isgetsetdescriptor(found) and name not in _TENSOR_PROPERTIES
]

DEVICE = _find_getter("device")
"""The one question whose answer the recorder may give itself."""

QUERIES: frozenset[Callable[..., Any]] = frozenset(
    [
        *(query for query in _PROPERTIES if query != DEVICE),
        *_find_everywhere(
            "size", "dim", "numel", "nelement", "ndimension", "stride", "is_contiguous", "is_floating_point",
            "is_complex", "element_size", "storage_offset", "is_tensor", "__len__", "__hash__", "get_device",
        ),
        torch._assert,
        torch.get_default_dtype,
    ]
)  # fmt: skip
"""Questions about a tensor; nothing is recorded for them."""

EXITS: dict[Callable[..., Any], str] = {
    getattr(torch.Tensor, name): name for name in ("numpy", "__array__", "__dlpack__", "data_ptr")
}
"""Ways out of torch, to numpy or to a kernel that torch does not run: what is done there, nothing sees."""
