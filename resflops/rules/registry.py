"""Where rules and free ops are registered, and where they are looked up."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from resflops.errors import DuplicateError, UsageError
from resflops.records import OpRecord, Shape, Work

__all__ = ["CLASSES", "FREE", "RULES", "Factors", "Rule", "free", "op_name", "rule"]

Factors = tuple[Shape, Shape]
"""How multiply-accumulates arise: points of the output, and multiply-accumulates at each point,
both as factors, such as ``((56, 56, 64), (3, 3, 64))`` for 56·56·64·(3·3·64)."""

RuleFunction = Callable[[OpRecord], Work]
SomeRule = TypeVar("SomeRule", bound=RuleFunction)


class Rule(Struct, frozen=True, kw_only=True):
    """How an op's work follows from its record."""

    work: RuleFunction
    factors: Callable[[OpRecord], Factors] | None = None
    """For an op with multiply-accumulates: the factors that the formula column shows."""
    summary: str
    """What it counts, in one line; the per-op table of ``resflops ops`` is made of these."""


RULES: dict[str, Rule] = {}
"""Op name to its rule."""

FREE: dict[str, str] = {}
"""Op name to the reason why it does no arithmetic."""

CLASSES: dict[type, str] = {}
"""Module types and autograd Functions that have a rule, with the name that a call is recorded under."""


def rule(
    *ops: str | type, summary: str = "", factors: Callable[[OpRecord], Factors] | None = None
) -> Callable[[SomeRule], SomeRule]:
    """Register a function as the rule of one or more ops.

    A rule for a class makes each call of its ``forward`` one op, by the qualified name of the
    class: what runs inside is not counted besides. Subclasses that have no ``forward`` of
    their own are such calls too. The record's inputs are the tensors that the call takes,
    then a module's parameters; its attributes are the call's other arguments, a module's
    attributes that are numbers, words or flags, and the shapes of its parameters by name.

    Args:
        ops: op names, such as ``conv2d``; a custom op's is ``namespace.name``. Or classes: of
            a ``torch.nn.Module`` or a ``torch.autograd.Function``. A trace that was stored
            knows a class by its name, ``package.module.Class``, which may be given as well.
        summary: one line for the per-op table; the docstring's first line if not given.
        factors: for ops with multiply-accumulates, their factors, for the formula column.

    Raises:
        DuplicateError: an op has a rule already or is listed as free.
        UsageError: a class that is neither a module type nor an autograd Function.
    """
    names = {op_name(op): op for op in ops}

    def register(function: SomeRule) -> SomeRule:
        line = summary or (function.__doc__ or "").strip().partition("\n")[0]
        for name, op in names.items():
            _claim(name)
            RULES[name] = Rule(work=function, factors=factors, summary=line)
            if isinstance(op, type):
                CLASSES[op] = name
        return function

    return register


_CALLED = (("torch.nn.modules.module", "Module"), ("torch.autograd.function", "Function"))
"""The classes whose calls may have a rule; known by name, since rules never import torch."""


def op_name(op: str | type) -> str:
    """The name that an op, or a call of a class, is recorded under.

    Raises:
        UsageError: a class that is neither a module type nor an autograd Function.
    """
    if isinstance(op, str):
        return op
    bases = op.__mro__[1:] if isinstance(op, type) else ()
    if not any((base.__module__, base.__name__) in _CALLED for base in bases):
        raise UsageError(
            f"a rule was given for {op!r}; it takes an op's name, such as 'conv2d' or 'mylib.op', "
            "or a subclass of torch.nn.Module or torch.autograd.Function"
        )
    return f"{op.__module__}.{op.__qualname__}"


def free(reason: str, *ops: str) -> None:
    """List ops that do no arithmetic, with the reason.

    Raises:
        DuplicateError: an op has a rule already or is listed as free.
    """
    for op in ops:
        _claim(op)
        FREE[op] = reason


def _claim(op: str) -> None:
    if op in RULES or op in FREE:
        raise DuplicateError(f"op {op!r} has a rule already; name each op once")
