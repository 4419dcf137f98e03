"""The largest batch that fits into so many bytes, from the memory at two of them.

Every block either stays as it is or grows with the batch by the same bytes for each sample. So two passes
tell the size of each block at any batch, and with them the peak, which is not a straight line: another op may
be at the peak in a larger batch. Passes at the answer and at the next batch prove it.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import UsageError
from resflops.peak_memory.records import Memory

__all__ = ["LARGEST", "Fit", "fit_batch", "predict"]

LARGEST = 1 << 24
"""The largest batch that is looked for: beyond it, nothing depends on the batch that matters."""

_FIRST, _SECOND = 2, 3
"""The batches that the others are predicted from. At 1 some ops go another way: a copy may not be needed."""

Measure = Callable[[int], Memory]
Weigh = Callable[[Memory], int]


class Fit(Struct, frozen=True, kw_only=True):
    """The largest batch that fits, and what shows it."""

    batch: int
    """0 if not even one sample fits."""
    limit: int
    memory: Memory
    """That of the batch, or of one sample if none fits."""
    needs: int
    """The bytes that the batch needs, or that one sample would."""
    next_needs: int
    """The bytes that one sample more would need."""
    passes: int
    """How many batches were run."""


def fit_batch(measure: Measure, limit: int, *, weigh: Weigh = lambda memory: memory.peak) -> Fit:
    """Find the largest batch whose memory is not above a limit.

    Args:
        measure: gives the memory of a batch, by a pass.
        limit: in bytes.
        weigh: what of a memory is compared with the limit, which must not get smaller with the batch.

    Raises:
        UsageError: the memory does not grow with the batch.
    """
    passes: dict[int, Memory] = {}

    def run(batch: int) -> Memory:
        if batch not in passes:
            passes[batch] = measure(batch)
        return passes[batch]

    def fits(batch: int) -> bool:
        return weigh(run(batch)) <= limit

    low, high = 0, 0
    # The prediction holds with two passes; where there is none, or it fails, passes search further.
    batch = max(_predict_batch(run, limit, weigh), 1)
    while not high:
        if not fits(batch):
            high = batch
        elif batch >= LARGEST:
            raise UsageError(f"the memory does not grow with the batch: a batch of {batch:,} fits")
        else:
            low, batch = batch, batch + 1 if not low else 2 * batch
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return Fit(
        batch=low,
        limit=limit,
        memory=run(max(low, 1)),
        needs=weigh(run(max(low, 1))),
        next_needs=weigh(run(low + 1)),
        passes=len(passes),
    )


def _predict_batch(run: Measure, limit: int, weigh: Weigh) -> int:
    """Predict the largest batch that fits; 0 if it cannot be predicted, or none fits."""
    first, second = run(_FIRST), run(_SECOND)

    def fits(batch: int) -> bool:
        predicted = predict(first, second, batch)
        return predicted is not None and weigh(predicted) <= limit

    low, high = 0, 1
    while high < LARGEST and fits(high):
        low, high = high, 2 * high
    if high >= LARGEST and fits(LARGEST):
        raise UsageError(f"the memory does not grow with the batch: a batch of {LARGEST:,} fits")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def predict(first: Memory, second: Memory, batch: int) -> Memory | None:
    """Predict the memory of another batch from those of batches of 2 and 3; None if they differ in more."""
    if len(first.blocks) != len(second.blocks) or first.steps != second.steps:
        return None
    blocks = []
    for one, other in zip(first.blocks, second.blocks, strict=True):
        if (one.born, one.died, one.kind) != (other.born, other.died, other.kind):
            return None
        grows = other.size - one.size
        size = one.size + (batch - _FIRST) * grows
        if size < 0:
            return None
        blocks.append(one if not grows else replace(one, size=size))
    return replace(first, blocks=tuple(blocks))
