"""What a count lacks: ops that did work and have no rule."""

from collections.abc import Sequence
from math import prod

from msgspec import Struct

from resflops.records import OpRecord, Trace

__all__ = ["UncountedOp", "uncounted_ops"]


class UncountedOp(Struct, frozen=True, kw_only=True):
    """An op that did work and has no rule: what the total lacks."""

    op: str
    calls: int
    layer: str
    """Where it was called first."""
    elements: int
    """Elements of its outputs over all calls, or of its inputs if it gave none: how much data it touched."""


def uncounted_ops(trace: Trace, counts: Sequence[object | None]) -> tuple[UncountedOp, ...]:
    """The ops that a count has None for, the most data touched first.

    Args:
        trace: the ops.
        counts: op for op, what was counted of it.
    """
    found: dict[str, list[OpRecord]] = {}
    for record, counted in zip(trace.ops, counts, strict=True):
        if counted is None:
            found.setdefault(record.op, []).append(record)
    ops = [
        UncountedOp(op=op, calls=len(records), layer=records[0].layer, elements=_elements(records))
        for op, records in found.items()
    ]
    return tuple(sorted(ops, key=lambda uncounted: -uncounted.elements))


def _elements(records: list[OpRecord]) -> int:
    return sum(prod(shape) for record in records for shape in record.output_shapes or record.input_shapes)
