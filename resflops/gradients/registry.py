"""Where gradient rules are registered, beside the ops whose gradient is moved or stopped."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from resflops.errors import DuplicateError
from resflops.records import OpRecord, Work
from resflops.rules import op_name

__all__ = [
    "GRADIENTS",
    "MOVED",
    "STOPS",
    "GradientRule",
    "Needed",
    "gradient_rule",
    "joint_gradient_rule",
    "moves_gradient",
    "stops_gradient",
]

Needed = tuple[int, ...]
"""The operands of an op that need a gradient, in order: the places of its inputs, and after
the last input those of the weight and the bias that are not among them."""

OperandFunction = Callable[[OpRecord, int], Work]
JointFunction = Callable[[OpRecord, Needed], tuple[Work, ...] | None]
SomeOperandFunction = TypeVar("SomeOperandFunction", bound=OperandFunction)
SomeJointFunction = TypeVar("SomeJointFunction", bound=JointFunction)


class GradientRule(Struct, frozen=True, kw_only=True):
    """What the gradients for an op's operands take."""

    work: JointFunction
    """From the record and the operands that need one, the work for each of them; None if it has no
    rule for this use of the op."""
    takes: frozenset[int] | None = None
    """The operands that can have a gradient at all; None is every one."""
    summary: str


GRADIENTS: dict[str, GradientRule] = {}
"""Op name to its gradient rule."""

MOVED: dict[str, frozenset[int] | None] = {}
"""Ops whose gradient is put back in its place without arithmetic, with the operands that have one."""

STOPS: dict[str, str] = {}
"""Op name to the reason why no gradient passes it."""


def gradient_rule(
    *ops: str | type, takes: tuple[int, ...] | None = None, summary: str = ""
) -> Callable[[SomeOperandFunction], SomeOperandFunction]:
    """Register a function of a record and an operand as the gradient rule of ops.

    The function is asked for the work of each gradient by itself: for input 0 and, if
    that needs one, for input 1.

    Args:
        ops: op names, such as ``conv2d``, or classes, as in :func:`resflops.rule`.
        takes: the operands that can have a gradient; all if not given.
        summary: one line on what it counts; the docstring's first line if not given.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """

    def register(function: SomeOperandFunction) -> SomeOperandFunction:
        def each(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
            return tuple([function(record, operand) for operand in needed])

        line = summary or _first_line(function)
        _claim(ops, GradientRule(work=each, takes=_set(takes), summary=line))
        return function

    return register


def joint_gradient_rule(
    *ops: str | type, takes: tuple[int, ...] | None = None, summary: str = ""
) -> Callable[[SomeJointFunction], SomeJointFunction]:
    """Register a rule for ops whose gradients share work: it is given all operands that need one.

    Shared work is to stand with the first gradient that it is for.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """

    def register(function: SomeJointFunction) -> SomeJointFunction:
        line = summary or _first_line(function)
        _claim(ops, GradientRule(work=function, takes=_set(takes), summary=line))
        return function

    return register


def moves_gradient(*ops: str, takes: tuple[int, ...] | None = None) -> None:
    """List ops whose gradient takes no arithmetic.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """
    for op in ops:
        _check(op)
        MOVED[op] = _set(takes)


def stops_gradient(reason: str, *ops: str) -> None:
    """List ops that no gradient passes, with the reason.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """
    for op in ops:
        _check(op)
        STOPS[op] = reason


def _claim(ops: tuple[str | type, ...], rule: GradientRule) -> None:
    for op in map(op_name, ops):
        _check(op)
        GRADIENTS[op] = rule


def _check(op: str) -> None:
    if op in GRADIENTS or op in MOVED or op in STOPS:
        raise DuplicateError(f"op {op!r} has a gradient rule already; name each op once")


def _set(takes: tuple[int, ...] | None) -> frozenset[int] | None:
    return None if takes is None else frozenset(takes)


def _first_line(function: Callable[..., object]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]
