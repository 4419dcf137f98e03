"""Binds the declarations of ``resflops.ops`` to torch's functions and to its aten ops.

Both levels of tracing read a call by the same function of its arguments, the declaration's ``infer``, so
they cannot disagree about it.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch.nn import functional

from resflops.errors import DuplicateError
from resflops.ops import (
    COMPOSITES,
    OPS,
    AtenBinding,
    Call,
    Mismatch,
    NotDescribed,
    Op,
    SignedCall,
    load_more_ops,
)
from resflops.records import Attribute

__all__ = ["Described", "bind_aten", "bind_functions", "bind_unchanged", "resolve"]

# Here, since everything that binds functions or aten ops imports this module first: an op of another
# distribution must be declared before either is bound.
load_more_ops()

Described = tuple[str, tuple[Any, ...], dict[str, Attribute]]
"""An op's name, the tensors whose shapes decide its cost, and its attributes, as its declaration expects."""

_PLACES = (torch, torch.Tensor, functional, torch.special, torch._C._nn)
"""Where torch offers functions; one function may be in several of these."""


def resolve(name: str) -> Iterator[Callable[..., Any]]:
    """Find the torch functions of a name: ``nn.functional.relu``, ``Tensor.add_``, or ``*.relu`` for all.

    ``Tensor.T.__get__`` finds a property's getter. What the installed torch does not have is left out.
    """
    first, _, rest = name.partition(".")
    if first == "*":
        offered = [getattr(place, rest, None) for place in _PLACES]
        yield from dict.fromkeys(function for function in offered if callable(function))
        return
    found: Any = torch
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not None:
        yield found


def bind_functions() -> tuple[dict[Callable[..., Any], Callable[..., Any]], set[Callable[..., Any]]]:
    """Bind every torch function that a declaration names to its ``infer``, and say which may be repeated.

    Raises:
        DuplicateError: two declarations name one function.
    """
    described: dict[Callable[..., Any], Callable[..., Any]] = {}
    repeated: set[Callable[..., Any]] = set()
    for binding in (*(binding for op in OPS.values() for binding in op.bindings), *COMPOSITES.values()):
        for name in binding.functions:
            for function in resolve(name):
                # Two names may be one function, as nn.functional.gelu and _C._nn.gelu are: no duplicate, as
                # long as both are read in the same way.
                if described.get(function, binding.infer) is not binding.infer:
                    raise DuplicateError(f"torch function {name} is declared twice; declare it once")
                described[function] = binding.infer
                if binding.repeated:
                    repeated.add(function)
    return described, repeated


def bind_unchanged(kind: Literal["whole", "factories"]) -> dict[Callable[..., Any], str]:
    """Bind the torch functions of one kind that run unchanged to the op that each is recorded as."""
    return {
        function: op.name for op in OPS.values() for name in getattr(op, kind) for function in resolve(name)
    }


Read = Callable[[dict[str, Any]], Described | None]
"""Reads an aten op from its arguments, by their names in its schema; gives None for a use that the
declaration does not cover."""


def bind_aten() -> tuple[dict[str, Read], dict[str, str]]:
    """Bind the aten ops of the declarations: those read from their arguments, and those only renamed.

    Raises:
        DuplicateError: two declarations name one aten op.
    """
    read: dict[str, Read] = {}
    renamed: dict[str, str] = {}
    for op in OPS.values():
        for name, how in op.aten.items():
            if name in read or name in renamed:
                raise DuplicateError(f"aten op {name!r} is declared twice; declare it once")
            if how is None:
                renamed[name] = op.name
            else:
                read[name] = _make_reader(op, how)
    return read, renamed


def _make_reader(op: Op, how: AtenBinding) -> Read:
    infer = how if callable(how) else _bind_by_names(op, how or {})

    def read(given: dict[str, Any]) -> Described | None:
        try:
            call = infer(given)
        # Shapes that do not fit are no error here: torch has run the op, so the declaration errs.
        except (Mismatch, NotDescribed):
            return None
        signature = call.signature if isinstance(call, SignedCall) else call
        return signature.op, call.inputs, signature.attributes

    return read


def _bind_by_names(op: Op, names: Mapping[str, str]) -> Callable[[dict[str, Any]], Call | SignedCall]:
    """Make a reader that calls the op's ``infer`` with an aten op's arguments.

    Args:
        op: the op.
        names: a parameter of ``infer`` to its name in the aten op's schema, where the two differ.
    """
    infer = op.bindings[0].infer
    parameters = [(name, names.get(name, name)) for name in inspect.signature(infer).parameters]

    def read(given: dict[str, Any]) -> Call | SignedCall:
        call: Call | SignedCall = infer(
            **{name: given[theirs] for name, theirs in parameters if theirs in given}
        )
        return call

    return read
