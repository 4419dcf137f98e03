"""The bytes that each layer writes, and those that the backward pass finds of it."""

from msgspec import Struct

from resflops.peak_memory.from_traces.estimate import LOSS, estimate_memory
from resflops.peak_memory.options import Options
from resflops.records import Trace

__all__ = ["LayerBytes", "count_layer_bytes", "count_op_bytes"]


class LayerBytes(Struct, frozen=True, kw_only=True):
    """What one layer takes in a forward pass."""

    layer: str
    """Dotted path of the module; ``""`` is the model itself."""
    written: int
    """Bytes of the memory that its ops take for what they make; a view and a write in place take none."""
    kept: int
    """Those of them that are there when the backward pass begins, in training."""


def count_layer_bytes(trace: Trace, *, batch: int | None = None) -> tuple[LayerBytes, ...]:
    """Count the bytes of each layer that takes memory, in the order of the first ops.

    Args:
        trace: a trace of the model.
        batch: the batch in place of that of the trace.
    """
    sums: dict[str, list[int]] = {}
    for (layer, _), (written, kept) in count_op_bytes(trace, batch=batch).items():
        both = sums.setdefault(layer, [0, 0])
        both[0] += written
        both[1] += kept
    return tuple(
        [LayerBytes(layer=layer, written=written, kept=kept) for layer, (written, kept) in sums.items()]
    )


def count_op_bytes(trace: Trace, *, batch: int | None = None) -> dict[tuple[str, str], tuple[int, int]]:
    """Count the bytes by layer and op: those written, and those kept for the backward pass."""
    memory = estimate_memory(trace, Options(training=True, loss="sum"), batch)
    forward = {number for number, step in enumerate(memory.steps) if step.phase == "forward"}
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for block in memory.blocks:
        if block.born in forward and block.name != LOSS:
            written, kept = sums.get((block.layer, block.name), (0, 0))
            sums[block.layer, block.name] = (
                written + block.size,
                kept + block.size * (block.kind == "activations"),
            )
    return sums
