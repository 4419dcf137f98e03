"""Non-zero multiply-accumulates: those of a pruned model whose weight is not zero.

Every element of the weight of a convolution, a linear layer or a recurrent network is applied
equally often, at as many output points or to as many rows as any other. So the number of
multiply-accumulates with a zero follows from how many zeros there are, not from where they
are. Taps that fall on padding count, as in the dense figure. Products of two activations,
such as attention scores, have no weight and count in full.
"""

from collections.abc import Mapping, Sequence

from resflops.ops import ALL_BUT_FIRST, OPS
from resflops.records import OpRecord, Weights, Work

__all__ = ["count_nonzero_macs", "find_weight_inputs"]


def find_weight_inputs(record: OpRecord) -> tuple[int, ...]:
    """Find which inputs of an op may be weights whose elements are all applied equally often."""
    declared = OPS.get(record.op)
    if declared is None:
        return ()
    return (
        tuple(range(1, len(record.input_shapes))) if declared.weights == ALL_BUT_FIRST else declared.weights
    )


def count_nonzero_macs(
    ops: Sequence[OpRecord], works: Sequence[Work | None], weights: Mapping[int, Weights]
) -> tuple[int, ...]:
    """Count, for each op, the multiply-accumulates whose weight is not zero; all where that is not known."""
    return tuple(
        _count_nonzero(record, work.macs, weights.get(place)) if work else 0
        for place, (record, work) in enumerate(zip(ops, works, strict=True))
    )


def _count_nonzero(record: OpRecord, macs: int, weights: Weights | None) -> int:
    if weights is None or weights.nonzero is None or not weights.elements:
        return macs
    declared = OPS.get(record.op)
    weightless = declared.weightless_macs(record) if declared and declared.weightless_macs else 0
    applied, rest = divmod(macs - weightless, weights.elements)
    assert not rest  # noqa: S101 - every element is applied equally often
    return applied * weights.nonzero + weightless
