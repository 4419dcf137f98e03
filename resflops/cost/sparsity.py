"""Non-zero multiply-accumulates: those of a pruned model that meet a weight which is not zero.

Every element of a convolution's, a linear layer's or a recurrent network's weight is applied
equally often, be it at so many output points or to so many rows. So the multiply-accumulates
that a zero takes part in follow from how many zeros there are, and not from where they lie.
Taps that fall on padding count, as in the dense figure. Products of two activations, such
as attention scores, have no weight and count whole.
"""

from collections.abc import Mapping, Sequence
from math import prod

from resflops.ops import ALL_BUT_FIRST, OPS
from resflops.records import OpRecord, Weights, Work

__all__ = ["nonzero_macs_of", "weight_places"]


def weight_places(record: OpRecord) -> tuple[int, ...]:
    """Which of an op's inputs may be weights that are applied alike; ``()`` for an op that has none such."""
    known = OPS.get(record.op)
    if known is None:
        return ()
    return tuple(range(1, len(record.input_shapes))) if known.weights == ALL_BUT_FIRST else known.weights


def nonzero_macs_of(
    ops: Sequence[OpRecord], works: Sequence[Work | None], weights: Mapping[int, Weights]
) -> tuple[int, ...]:
    """Op for op, the multiply-accumulates whose weight is not zero; all of them where it is not known."""
    return tuple(
        _nonzero(record, work.macs, weights.get(place)) if work else 0
        for place, (record, work) in enumerate(zip(ops, works, strict=True))
    )


def _nonzero(record: OpRecord, macs: int, weights: Weights | None) -> int:
    if weights is None or weights.nonzero is None or not weights.elements:
        return macs
    # A bilinear layer's second product is of two activations.
    without = prod(record.output_shape) * record.input_shapes[1][-1] if record.op == "bilinear" else 0
    applied, rest = divmod(macs - without, weights.elements)
    assert not rest  # noqa: S101 - every element is applied equally often
    return applied * weights.nonzero + without
