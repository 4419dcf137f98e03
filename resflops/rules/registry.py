"""Where rules and free ops are registered, and where they are looked up."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from resflops.errors import DuplicateError
from resflops.records import OpRecord, Shape, Work

__all__ = ["FREE", "RULES", "Factors", "Rule", "free", "rule"]

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


def rule(
    *ops: str, summary: str = "", factors: Callable[[OpRecord], Factors] | None = None
) -> Callable[[SomeRule], SomeRule]:
    """Register a function as the rule of one or more ops.

    Args:
        ops: op names, such as ``conv2d``; a custom op's is ``namespace.name``.
        summary: one line for the per-op table; the docstring's first line if not given.
        factors: for ops with multiply-accumulates, their factors, for the formula column.

    Raises:
        DuplicateError: an op has a rule already or is listed as free.
    """

    def register(function: SomeRule) -> SomeRule:
        line = summary or (function.__doc__ or "").strip().partition("\n")[0]
        for op in ops:
            _claim(op)
            RULES[op] = Rule(work=function, factors=factors, summary=line)
        return function

    return register


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
