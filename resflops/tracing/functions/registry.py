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
import torch.nn.functional as F

from resflops.errors import DuplicateError
from resflops.records import Shape
from resflops.tracing.functions.call import Call, Formed

__all__ = [
    "DESCRIBED", "OPERATORS", "REPEATED", "Call", "Describe", "Mismatch", "NotDescribed", "Part", "Steps",
    "describes", "describes_operator", "dimension", "getter", "named", "per_dimension",
]  # fmt: skip


class Mismatch(Exception):  # noqa: N818 - the recorder turns it into a ShapeError with the layer's name
    """These shapes do not go together; the message says why, without naming the layer."""


class NotDescribed(Exception):  # noqa: N818 - a signal to the recorder, never seen by a user
    """This use of the function has no description; torch itself must run it."""


SomeResult = TypeVar("SomeResult")

Part = Generator[Call | Formed, Any, SomeResult]
"""Some calls of such a function, and what they come to; each is answered with its result."""

Steps = Part[Any]
"""The calls of a function that is several ops, and what it gives."""

Describe = Callable[..., Call | Formed | Steps]
SomeDescribe = TypeVar("SomeDescribe", bound=Describe)

DESCRIBED: dict[Callable[..., Any], Describe] = {}
"""Torch function to its description."""


REPEATED: set[Callable[..., Any]] = set()
"""Those of them whose calls follow from shapes, types and plain arguments, and from nothing else:
equal arguments make equal calls."""

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
    seen: set[Callable[..., Any]] = set()
    for name in names:
        for place in (torch, torch.Tensor, F, torch.special, torch._C._nn):
            function = getattr(place, name, None)
            if callable(function) and function not in seen:
                seen.add(function)
                yield function


def getter(name: str) -> Callable[..., Any]:
    """The function that torch calls for a property of a tensor."""
    found: Callable[..., Any] = getattr(torch.Tensor, name).__get__
    return found


def dimension(place: int, dimensions: int) -> int:
    """A place counted from the front, from one that may count from the back.

    >>> dimension(-1, 4), dimension(2, 4)
    (3, 2)

    Raises:
        NotDescribed: there is no such dimension; torch says so best.
    """
    if not -dimensions <= place < dimensions:
        raise NotDescribed
    return place % dimensions


def per_dimension(value: Any, dimensions: int) -> Shape:
    """One number a dimension, from one number or a sequence, as torch's arguments allow.

    >>> per_dimension(3, 2), per_dimension([1], 2), per_dimension((1, 2), 2)
    ((3, 3), (1, 1), (1, 2))
    """
    if isinstance(value, int):
        return (value,) * dimensions
    return tuple(value) * dimensions if len(value) == 1 else tuple(value)
