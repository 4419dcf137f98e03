"""The bytes that each layer writes, and those that the backward pass finds of it."""

from msgspec import Struct

from resflops.peak_memory.from_traces.estimate import LOSS, estimate_memory
from resflops.peak_memory.options import Options
from resflops.records import Trace

__all__ = ["LayerBytes", "count_layer_bytes"]


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
    memory = estimate_memory(trace, Options(training=True, loss="sum"), batch)
    forward = {number for number, step in enumerate(memory.steps) if step.phase == "forward"}
    sums: dict[str, list[int]] = {}
    for block in memory.blocks:
        if block.born in forward and block.name != LOSS:
            written = sums.setdefault(block.layer, [0, 0])
            written[0] += block.size
            written[1] += block.size * (block.kind == "activations")
    return tuple(
        [LayerBytes(layer=layer, written=written, kept=kept) for layer, (written, kept) in sums.items()]
    )
