"""The roofline model (Williams et al. 2009): how fast a step could be on this device at best.

An op that does f floating-point operations and moves b bytes takes at least f / peak and at
least b / bandwidth, whichever is longer. Only ops with multiply-accumulates are looked at, each
moving its inputs, its weight and its outputs once; all others are taken to be fused into them.
The bytes are moved between the ops at least, be it through a cache or not.
"""

from typing import Any, Literal

from msgspec import Struct

from resflops.latency.configuration import itemsize
from resflops.latency.measurements import Measurements, Row

__all__ = ["Performance", "Roof", "analyze_roofline"]

Roof = Literal["compute", "memory"]


class Performance(Struct, frozen=True, kw_only=True):
    """What a time means beside its work and the device's peaks; what cannot be told is None."""

    seconds: float
    """The median time of a step, on the device."""
    items_per_second: float | None = None
    """Inputs per second by the clock, such as images."""
    flops_per_second: float | None = None
    """Floating-point operations per second, two per multiply-accumulate; None if an op was not counted."""
    of_peak: float | None = None
    """The share of the operations per second that a large matrix product reaches in the same run."""
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
        "joules_per_item": (
            row.energy.joules / (row.energy.steps * configuration.batch) if row.energy else None
        ),
    }
    if workload is None or not workload.complete:
        return Performance(**fields)
    peak = measurements.find_peak("matmul", configuration.dtype)
    achieved = 2 * workload.step_macs / time.median
    fields |= {"flops_per_second": achieved, "of_peak": achieved / peak if peak else None}
    if configuration.training or not workload.parts:
        # What a backward pass moves is not counted.
        return Performance(**fields)
    return Performance(**fields, **_bound_time(row, peak, measurements.find_peak("copy")))


def _bound_time(row: Row, peak: float | None, bandwidth: float | None) -> dict[str, Any]:
    parts = row.workload.parts if row.workload else ()
    size = itemsize(row.configuration.dtype)
    moved = size * sum(part.elements for part in parts)
    fields: dict[str, Any] = {
        "least_bytes": moved,
        "intensity": 2 * sum(part.macs for part in parts) / moved,
    }
    if not peak or not bandwidth:
        return fields
    pairs = [(2 * part.macs / peak, size * part.elements / bandwidth) for part in parts]
    # Op by op and then added up: where unlike roofs bound the ops, a step takes longer than either roof
    # would say of the step as a whole.
    whole = sum(map(max, pairs))
    memory = sum(moving for computing, moving in pairs if moving > computing)
    return fields | {
        "ridge": peak / bandwidth,
        "roof": "memory" if memory > whole / 2 else "compute",
        "roof_seconds": whole,
        "memory_part": memory / whole,
    }
