"""Find the ops that did work and have no rule, which a count therefore lacks."""

from collections.abc import Sequence
from math import prod

from msgspec import Struct

from resflops.records import OpRecord, Trace

__all__ = ["UncountedOp", "find_uncounted_ops"]


class UncountedOp(Struct, frozen=True, kw_only=True):
    """An op that did work and has no rule, so that the total lacks it."""

    op: str
    calls: int
    layer: str
    """The layer that called it first."""
    elements: int
    """How much data it touched: elements of its outputs over all calls, or of its inputs if it has none."""


def find_uncounted_ops(trace: Trace, counts: Sequence[object | None]) -> tuple[UncountedOp, ...]:
    """Find the ops whose count is None, those that touch the most data first.

    Args:
        trace: the ops.
        counts: what was counted of each op, None where it has no rule.
    """
    uncounted: dict[str, list[OpRecord]] = {}
    for record, counted in zip(trace.ops, counts, strict=True):
        if counted is None:
            uncounted.setdefault(record.op, []).append(record)
    ops = [
        UncountedOp(op=op, calls=len(records), layer=records[0].layer, elements=_count_elements(records))
        for op, records in uncounted.items()
    ]
    return tuple(sorted(ops, key=lambda op: -op.elements))


def _count_elements(records: list[OpRecord]) -> int:
    return sum(prod(shape) for record in records for shape in record.output_shapes or record.input_shapes)
