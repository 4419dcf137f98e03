"""What each layer holds in memory at the peak of a pass, as much of it as the gate keeps and compares.

The figures of configured models follow from their traces by rules, so they are the same on every machine.
"""

from collections.abc import Callable, Iterable, Mapping

from resflops.gate.snapshot import MEMORY_METRICS, HeldLine, Metric
from resflops.peak_memory.options import Options
from resflops.peak_memory.records import Memory
from resflops.records import Trace

__all__ = ["estimate_held", "hold_lines"]


def estimate_held(trace: Trace, metrics: Iterable[Metric]) -> tuple[HeldLine, ...]:
    """Estimate what each layer holds at the peaks that are asked for, from the trace of a model."""
    # Here, because a gate without a budget of memory does not need it.
    from resflops.peak_memory.from_traces import estimate_memory

    return hold_lines(metrics, lambda options: estimate_memory(trace, options))


def hold_lines(metrics: Iterable[Metric], measure: Callable[[Options], Memory]) -> tuple[HeldLine, ...]:
    """Make the lines of what layers hold at the peaks that are asked for.

    Args:
        metrics: the peaks, among all the metrics that are asked for.
        measure: gives the memory of a pass that is run in a way.
    """
    asked = set(metrics)
    memories = {
        metric: measure(Options(training=metric == "training_memory"))
        for metric in MEMORY_METRICS
        if metric in asked
    }
    held = {
        metric: {holder.layer: holder.size for holder in memory.holders() if holder.size}
        for metric, memory in memories.items()
    }
    # In the order of the model, and not by size: a layer that grows must not move in the lock file.
    layers = dict.fromkeys(block.layer for memory in memories.values() for block in memory.blocks)
    return tuple(
        _make_line(layer, held) for layer in layers if any(layer in sizes for sizes in held.values())
    )


def _make_line(layer: str, held: Mapping[Metric, Mapping[str, int]]) -> HeldLine:
    sizes = {metric: by_layer.get(layer, 0) for metric, by_layer in held.items()}
    return HeldLine(
        layer=layer,
        peak_memory=sizes.get("peak_memory", 0),
        training_memory=sizes.get("training_memory", 0),
    )
