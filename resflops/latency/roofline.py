"""The roofline model (Williams et al. 2009): how fast a step could be on this device at best.

An op that does f floating-point operations and moves b bytes takes at least f / peak and at
least b / bandwidth, whichever is longer. Only ops with multiply-accumulates are looked at, each
moving its inputs, its weight and its outputs once; all others are taken to be fused into them.
The bytes are moved between the ops at least, be it through a cache or not. Autocast keeps the weights in
float32 and casts them at each step, so they are read as such and written once more.
"""

from typing import Any, Literal

from msgspec import Struct

from resflops.latency.configuration import Configuration, activation_itemsize, itemsize
from resflops.latency.measurements import Measurements, Part, Row

__all__ = ["Performance", "Roof", "analyze_roofline"]

Roof = Literal["compute", "memory"]


class Performance(Struct, frozen=True, kw_only=True):
    """What a time means beside its work and the device's peaks; what cannot be told is None."""

    seconds: float
    """The median time of a step, on the device."""
    items_per_second: float | None = None
    """Inputs per second by the clock, such as images, where each step waits for the one before it."""
    throughput: float | None = None
    """Inputs per second where steps follow each other without waiting; None on the CPU."""
    busy: float | None = None
    """The share of a step in which a GPU is at work, where steps follow each other."""
    flops_per_second: float | None = None
    """Floating-point operations per second, two per multiply-accumulate; None if an op was not counted."""
    of_peak: float | None = None
    """The share of the operations per second that the fastest probe of the same precision and run reaches."""
    least_bytes: int | None = None
    intensity: float | None = None
    """Floating-point operations per byte moved at least."""
    ridge: float | None = None
    """The intensity at which the device's two roofs meet."""
    roof: Roof | None = None
    """The roof that bounds the ops with the larger part of ``roof_seconds``."""
    roof_seconds: float | None = None
    """The least time by the roofline model, op by op."""
    memory_part: float | None = None
    """The share of ``roof_seconds`` in ops that memory bounds."""
    joules_per_item: float | None = None


def analyze_roofline(row: Row, measurements: Measurements) -> Performance | None:
    """Analyze a time by the peaks measured in the same run; None if there is no time."""
    time, wall, workload = row.series.time, row.series.wall, row.workload
    if time is None:
        return None
    configuration = row.configuration
    fields: dict[str, Any] = {
        "seconds": time.median,
        "items_per_second": configuration.batch / wall.median if wall else None,
        "throughput": configuration.batch / queued.median if (queued := row.series.queued) else None,
        "busy": row.series.busy,
        "joules_per_item": (
            row.energy.joules / (row.energy.steps * configuration.batch) if row.energy else None
        ),
    }
    if workload is None or not workload.complete:
        return Performance(**fields)
    least = _find_least_seconds(row, measurements)
    fields |= {
        "flops_per_second": 2 * workload.step_macs / time.median,
        "of_peak": least / time.median if least else None,
    }
    if configuration.training or not workload.parts:
        # What a backward pass moves is not counted.
        return Performance(**fields)
    return Performance(**fields, **_bound_time(row, measurements))


def _find_least_seconds(row: Row, measurements: Measurements) -> float | None:
    """Find how long the multiply-accumulates of a step take at the peaks of what they are computed in."""
    workload = row.workload
    if workload is None:
        return None
    # A backward pass computes like its forward pass, of whose ops alone it is known what they are.
    whole = sum(part.macs for part in workload.parts)
    if not whole:
        peak = _find_rate(row, measurements, convolution=False)
        return 2 * workload.step_macs / peak if peak else None
    seconds = 0.0
    for convolution in (False, True):
        macs = sum(part.macs for part in workload.parts if part.convolution == convolution)
        peak = _find_rate(row, measurements, convolution=convolution)
        if macs and not peak:
            return None
        seconds += 2 * macs / peak if macs and peak else 0.0
    return seconds * (workload.step_macs / whole)


def _find_rate(row: Row, measurements: Measurements, *, convolution: bool) -> float | None:
    """Find the operations per second at the peak of what a row's ops are computed in."""
    computes_in = measurements.environment.find_precision(row.configuration.dtype, convolution=convolution)
    peak = measurements.find_peak(computes_in)
    return peak.per_second if peak else None


def _bound_time(row: Row, measurements: Measurements) -> dict[str, Any]:
    parts = row.workload.parts if row.workload else ()
    bandwidth = measurements.bandwidth
    moved = sum(_count_bytes(part, row.configuration) for part in parts)
    fields: dict[str, Any] = {
        "least_bytes": moved,
        "intensity": 2 * sum(part.macs for part in parts) / moved,
    }
    rates = {
        convolution: _find_rate(row, measurements, convolution=convolution)
        for convolution in {part.convolution for part in parts}
    }
    if not bandwidth or not all(rates.values()):
        return fields
    pairs = [
        (
            2 * part.macs / (rates[part.convolution] or 1.0),
            _count_bytes(part, row.configuration) / bandwidth,
        )
        for part in parts
    ]
    # Op by op and then added up: where unlike roofs bound the ops, a step takes longer than either roof
    # would say of the step as a whole.
    whole = sum(map(max, pairs))
    memory = sum(moving for computing, moving in pairs if moving > computing)
    computing_time = sum(computing for computing, _ in pairs)
    return fields | {
        # Of all ops together, where they are computed in unlike precisions.
        "ridge": 2 * sum(part.macs for part in parts) / computing_time / bandwidth,
        "roof": "memory" if memory > whole / 2 else "compute",
        "roof_seconds": whole,
        "memory_part": memory / whole,
    }


def _count_bytes(part: Part, configuration: Configuration) -> int:
    """Count the bytes that an op moves at least."""
    weight, others = itemsize(configuration.dtype), part.elements - part.weights
    weight += itemsize("float32") + weight if configuration.autocast else 0
    return weight * part.weights + activation_itemsize(configuration.dtype) * others
