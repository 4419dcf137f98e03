"""Notes on what GPUs do to figures: how precise energy is, what is emulated, what a cold cache hides."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from resflops.errors import pluralize
from resflops.latency.machine import TF32
from resflops.latency.measurements import Measurements, Row
from resflops.latency.series import LAUNCH_BOUND, POWER_CAP
from resflops.latency.statistics import median
from resflops.tables.table import Figure, Note

__all__ = ["note_gpus"]

UNLIKE_PACE = 0.10
"""By how much a step may be longer or shorter while energy is measured than in the rounds."""

BFLOAT16_SINCE = (8, 0)
"""The compute capability from which on GPUs compute in bfloat16."""


def note_gpus(several: Sequence[Measurements]) -> Iterable[Note]:
    """Note what does not hold of a figure in general, but of these."""
    for measurements in several:
        yield from _note_silence(measurements)
        yield from _note_float32(measurements)
        yield from _note_power_cap(measurements)
        yield from _note_idle_power(measurements)
        yield from _note_precision_of_energy(measurements)
        yield from _note_pace_of_energy(measurements)
        yield from _note_emulation(measurements)
    yield from _note_cold_caches([row for measurements in several for row in measurements.rows])


def _note_silence(measurements: Measurements) -> Iterable[Note]:
    """Note that a GPU told nothing of itself, which is not that nothing held it back."""
    gpu = measurements.environment.gpu
    if gpu is not None and gpu.driver is None and gpu.power_limit_watts is None:
        yield Note(
            text="NVML told nothing of {gpu}: its clocks, power, throttling and energy are not known. "
            "pip install 'resflops[nvml]' has what asks for them.",
            figures={"gpu": Figure("text", gpu.name)},
        )


def _note_float32(measurements: Measurements) -> Iterable[Note]:
    """Note which ops of float32 are computed in another precision, which has another peak."""
    environment = measurements.environment
    if environment.gpu is None or not any(row.configuration.dtype == "float32" for row in measurements.rows):
        return
    convolutions, products = (
        environment.find_precision("float32", convolution=each) == TF32 for each in (True, False)
    )
    if convolutions and products:
        yield Note(text="float32 is computed in TF32 here, by convolutions and by matrix products.")
    elif convolutions or products:
        some, others = ("convolutions", "matrix products")[:: 1 if convolutions else -1]
        yield Note(text=f"float32 is computed in TF32 here by {some}, and not by {others}.")


def _note_power_cap(measurements: Measurements) -> Iterable[Note]:
    """Note that clocks were held back to keep within the power limit, and what they were then."""
    capped = [row.series for row in measurements.rows if row.series.capped]
    highest = measurements.environment.gpu.most_sm_clock_mhz if measurements.environment.gpu else None
    rounds = [each.during for series in capped for each in series.rounds]
    clocks = [
        each.sm_clock_mhz for each in rounds if each.sm_clock_mhz and POWER_CAP in (each.throttle or ())
    ]
    if capped and clocks and highest:
        yield Note(
            text="The power limit held clocks back in {count} of {of} configurations, to {share} of the "
            "highest SM clock (median), as is usual under full load.",
            figures={
                "count": Figure("count", len(capped)),
                "of": Figure("count", len(measurements.rows)),
                "share": Figure("share", median(clocks) / highest),
            },
        )


def _note_idle_power(measurements: Measurements) -> Iterable[Note]:
    known = {row.energy.idle_watts for row in measurements.rows if row.energy} - {None}
    if known:
        yield Note(
            text="The board draws {watts} W while nothing runs, which is in the energy.",
            figures={"watts": Figure("rate", median([each for each in known if each is not None]))},
        )


def _note_precision_of_energy(measurements: Measurements) -> Iterable[Note]:
    if measurements.energy_precision is None:
        return
    count = sum(row.energy is not None and row.energy.difference is not None for row in measurements.rows)
    yield Note(
        text=f"Energy of {{count}} {pluralize('configuration', count)} was measured again at the end: a step "
        "drew {difference} more or less at most, which is the precision of energy.",
        figures={
            "count": Figure("count", count),
            "difference": Figure("share", measurements.energy_precision),
        },
    )


def _note_pace_of_energy(measurements: Measurements) -> Iterable[Note]:
    """Note that steps were faster or slower while energy was measured than in the rounds."""
    paces = {}
    for row in measurements.rows:
        usual = row.series.queued or row.series.time
        if row.energy and usual and usual.median:
            paces[row.configuration.describe()] = row.energy.seconds_a_step / usual.median
    unlike = {name: pace for name, pace in paces.items() if abs(pace - 1) > UNLIKE_PACE}
    if not unlike:
        return
    name = max(unlike, key=lambda each: abs(unlike[each] - 1))
    yield Note(
        text="While energy was measured, steps of {count} of {of} "
        f"{pluralize('configuration', len(paces))} were longer or shorter by more than "
        f"{UNLIKE_PACE * 100:.0f} % than in the rounds, as launch-bound ones may be, and their energy is of "
        "that pace. Most of all {name}: {pace} as long.",
        figures={
            "count": Figure("count", len(unlike)),
            "of": Figure("count", len(paces)),
            "name": Figure("text", name),
            "pace": Figure("times", unlike[name]),
        },
    )


def _note_emulation(measurements: Measurements) -> Iterable[Note]:
    gpu = measurements.environment.gpu
    if gpu is None or not any(row.configuration.dtype == "bfloat16" for row in measurements.rows):
        return
    if tuple(map(int, gpu.capability.split("."))) < BFLOAT16_SINCE:
        yield Note(
            text="{gpu} has compute capability {capability}, and GPUs below 8.0 emulate bfloat16: its times "
            "say nothing of GPUs that compute in it.",
            figures={"gpu": Figure("text", gpu.name), "capability": Figure("text", gpu.capability)},
        )


def _note_cold_caches(rows: Sequence[Row]) -> Iterable[Note]:
    """Note where cold and warm caches stand side by side and launching decides how long a step takes."""
    warm = {row.configuration: row for row in rows if not row.configuration.cold_l2}
    bound = [
        row.configuration.describe()
        for row in rows
        if row.configuration.cold_l2
        and (other := warm.get(replace(row.configuration, cold_l2=False)))
        and other.series.busy is not None
        and other.series.busy < LAUNCH_BOUND
    ]
    if bound:
        yield Note(
            text="While the L2 cache is cleared, kernels are launched ahead, and launching hides behind it. "
            f"Where a step is launch-bound ({{count}} {pluralize('configuration', len(bound))} here), "
            "GPU busy and inputs/s in a row cannot be compared between a cold and a warm cache; "
            "GPU and wall times can.",
            figures={"count": Figure("count", len(bound))},
        )
