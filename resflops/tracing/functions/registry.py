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
from msgspec import Struct

from resflops.errors import DuplicateError
from resflops.records import Attribute, Shape

__all__ = [
    "DESCRIBED", "OPERATORS", "Call", "Describe", "Mismatch", "NotDescribed", "Steps", "describes",
    "describes_operator", "dimension", "getter", "named", "per_dimension",
]  # fmt: skip


class Mismatch(Exception):  # noqa: N818 - the recorder turns it into a ShapeError with the layer's name
    """These shapes do not go together; the message says why, without naming the layer."""


class NotDescribed(Exception):  # noqa: N818 - a signal to the recorder, never seen by a user
    """This use of the function has no description; torch itself must run it."""


class Call(Struct, gc=False):
    """What a torch function is about to do."""

    op: str
    inputs: tuple[torch.Tensor, ...]
    """The tensors whose shapes decide its cost: data and weights, not biases or statistics."""
    shape: Shape
    """Of the output."""
    attributes: dict[str, Attribute] = {}
    dtype: torch.dtype | None = None
    """Of the output, where it is not the first input's."""
    in_place: bool = False
    """Whether the result is the first input itself."""
    others: tuple[tuple[Shape, torch.dtype | None], ...] = ()
    """Shapes and types of further outputs; None is the type of the first input."""
    pack: Callable[[tuple[torch.Tensor, ...]], Any] | None = None
    """What the outputs are handed back in where they are not one tensor, such as ``tuple``."""
    affine: tuple[torch.Tensor | None, ...] = ()
    """The weight and the bias that ``inputs`` leaves out; None where there is none."""


Steps = Generator[Call, Any, Any]
"""The calls of a function that is several ops; each is answered with its result."""

Describe = Callable[..., Call | Steps]
SomeDescribe = TypeVar("SomeDescribe", bound=Describe)

DESCRIBED: dict[Callable[..., Any], Describe] = {}
"""Torch function to its description."""


OPERATORS: dict[str, Describe] = {}
"""Higher-order operators by name: the modules that hold them take longer to import than a count."""


def describes(*functions: Callable[..., Any]) -> Callable[[SomeDescribe], SomeDescribe]:
    """Register a description for torch functions of one signature.

    Raises:
        DuplicateError: one of them has a description already.
    """

    def register(describe: SomeDescribe) -> SomeDescribe:
        for function in functions:
            if function in DESCRIBED:
                raise DuplicateError(f"torch function {function!r} has a description already")
            DESCRIBED[function] = describe
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
