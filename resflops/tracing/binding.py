"""The declarations of ``resflops.ops`` bound to torch: its functions, and its aten ops.

Both levels of tracing read a call by the same function of its arguments, ``infer``, so they cannot
come to say different things of it.
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

# Before any function or aten op is bound, whichever of the two comes first.
load_more_ops()

Described = tuple[str, tuple[Any, ...], dict[str, Attribute]]
"""Op name, the tensors whose shapes decide its cost, and attributes, as a declaration's work expects them."""

_PLACES = (torch, torch.Tensor, functional, torch.special, torch._C._nn)
"""Where torch offers functions; one function may stand in several."""


def resolve(name: str) -> Iterator[Callable[..., Any]]:
    """The torch functions of a name: ``nn.functional.relu``, ``Tensor.add_``, or ``*.relu`` for all.

    A property's getter is found by ``Tensor.T.__get__``. What this torch does not have is left out.
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
    """Every torch function that a declaration names, with its ``infer``; and those that may be repeated.

    Raises:
        DuplicateError: two declarations name one function.
    """
    described: dict[Callable[..., Any], Callable[..., Any]] = {}
    repeated: set[Callable[..., Any]] = set()
    for each in (*(binding for op in OPS.values() for binding in op.bindings), *COMPOSITES.values()):
        for name in each.functions:
            for function in resolve(name):
                if described.get(function, each.infer) is not each.infer:
                    raise DuplicateError(f"torch function {name} is declared twice; declare each once")
                described[function] = each.infer
                if each.repeated:
                    repeated.add(function)
    return described, repeated


def bind_unchanged(kind: Literal["whole", "factories"]) -> dict[Callable[..., Any], str]:
    """The torch functions that run as they are, of one kind, and the op that each is recorded as."""
    return {
        function: op.name for op in OPS.values() for name in getattr(op, kind) for function in resolve(name)
    }


Read = Callable[[dict[str, Any]], Described | None]
"""From an aten op's arguments by their names in its schema, what it is; None if that is not described."""


def bind_aten() -> tuple[dict[str, Read], dict[str, str]]:
    """The aten ops of the declarations: how each is read, and what those are called that are only renamed.

    Raises:
        DuplicateError: two declarations name one aten op.
    """
    read: dict[str, Read] = {}
    renamed: dict[str, str] = {}
    for op in OPS.values():
        for name, how in op.aten.items():
            if name in read or name in renamed:
                raise DuplicateError(f"aten op {name!r} is declared twice; declare each once")
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
        except (Mismatch, NotDescribed):
            return None
        signature = call.signature if isinstance(call, SignedCall) else call
        return signature.op, call.inputs, signature.attributes

    return read


def _bind_by_names(op: Op, names: Mapping[str, str]) -> Callable[[dict[str, Any]], Call | SignedCall]:
    """The op's ``infer``, given an aten op's arguments."""
    infer = op.bindings[0].infer
    parameters = [(name, names.get(name, name)) for name in inspect.signature(infer).parameters]

    def read(given: dict[str, Any]) -> Call | SignedCall:
        call: Call | SignedCall = infer(
            **{name: given[theirs] for name, theirs in parameters if theirs in given}
        )
        return call

    return read
