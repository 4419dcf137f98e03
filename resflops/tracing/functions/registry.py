"""The table of torch functions whose output shape follows from the arguments alone.

A description is a pure function with the signature of the torch function that it stands
for. It reads shapes and returns a :class:`Call`: what op this is, on which tensors, and
the shape that comes out. No kernel runs, not even a meta kernel.

A function that is several ops is described by a generator: it yields their calls one by
one, is sent what each gives, and returns what the function returns. The calls are those
that the ops' own descriptions make, so nothing is said twice.
"""

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import torch

from resflops.errors import DuplicateError
from resflops.ops import Call, Formed, Mismatch, NotDescribed, dimension, per_dimension
from resflops.tracing.binding import bind_functions, resolve

__all__ = [
    "DESCRIBED", "OPERATORS", "REPEATED", "Call", "Describe", "Mismatch", "NotDescribed", "Part", "Steps",
    "describes", "describes_operator", "dimension", "getter", "named", "per_dimension",
]  # fmt: skip


SomeResult = TypeVar("SomeResult")

Part = Generator[Call | Formed, Any, SomeResult]
"""Some calls of such a function, and what they come to; each is answered with its result."""

Steps = Part[Any]
"""The calls of a function that is several ops, and what it gives."""

Describe = Callable[..., Call | Formed | Steps]
SomeDescribe = TypeVar("SomeDescribe", bound=Describe)

DESCRIBED: dict[Callable[..., Any], Describe]
"""Torch function to its description."""

REPEATED: set[Callable[..., Any]]
"""Those of them whose calls follow from shapes, types and plain arguments, and from nothing else:
equal arguments make equal calls."""

DESCRIBED, REPEATED = bind_functions()

OPERATORS: dict[str, Describe] = {}
"""Higher-order operators by name: the modules that hold them take longer to import than a count."""


def describes(
    *functions: Callable[..., Any], repeated: bool = False
) -> Callable[[SomeDescribe], SomeDescribe]:
    """Register a description for torch functions of one signature.

    Args:
        functions: the functions.
        repeated: whether equal arguments make equal calls, a tensor being its shape and
            type; a call is then described once for all that look the same.

    Raises:
        DuplicateError: one of them has a description already.
    """

    def register(describe: SomeDescribe) -> SomeDescribe:
        for function in functions:
            if function in DESCRIBED:
                raise DuplicateError(f"torch function {function!r} has a description already")
            DESCRIBED[function] = describe
            if repeated:
                REPEATED.add(function)
        return describe

    return register


def describes_operator(name: str) -> Callable[[SomeDescribe], SomeDescribe]:
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


def named(*names: str) -> Iterator[Callable[..., Any]]:
    """Every function of those names, wherever torch offers one: torch, Tensor, torch.nn.functional."""
    yield from dict.fromkeys(function for name in names for function in resolve(f"*.{name}"))


def getter(name: str) -> Callable[..., Any]:
    """The function that torch calls for a property of a tensor."""
    found: Callable[..., Any] = getattr(torch.Tensor, name).__get__
    return found
