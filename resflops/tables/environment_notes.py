"""Notes on what measurements were taken on, how the device did, and how fast it can be."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from resflops.latency.measurements import Measurements
from resflops.latency.peaks import CHANNELS, Probe
from resflops.latency.series import Reading
from resflops.tables.table import Figure, Kind, Note

__all__ = ["note_environments", "note_peaks", "note_readings"]


def note_environments(several: Sequence[Measurements]) -> tuple[Note, ...]:
    """Note what each was measured on; and if they are not alike, how they differ."""
    return (
        *(_note_environment(each, number, len(several)) for number, each in enumerate(several, start=1)),
        *(
            _note_difference(before, after, number)
            for number, (before, after) in enumerate(pairwise(several), start=1)
        ),
    )


def _note_environment(measurements: Measurements, number: int, of: int) -> Note:
    environment = measurements.environment
    facts = [environment.device, f"torch {environment.torch}"]
    if environment.gpu:
        facts += [f"driver {environment.gpu.driver or 'unknown'}", f"CUDA {environment.cuda}"]
        facts += [f"cuDNN {environment.cudnn}", f"host {environment.cpu}"]
    facts += [f"{name} {value}" for name, value in environment.flags.items()]
    facts += [
        f"{backend} {name} {value}"
        for backend, known in environment.backends.items()
        for name, value in known.items()
    ]
    started = [run.started for run in measurements.runs]
    return Note(
        text="{lead} {facts}. Measured {when}.",
        figures={
            "lead": Figure("text", "On" if of == 1 else f"({number}) On"),
            "facts": Figure("text", ", ".join(facts)),
            "when": Figure("text", ", resumed ".join(started) or "at an unknown time"),
        },
    )


def _note_difference(before: Measurements, after: Measurements, number: int) -> Note:
    differences = after.environment.find_differences(before.environment)
    if not differences:
        text = "({after}) has the same machine and settings as ({before}), but was measured at another time: "
        text += "ratios between them are less certain than within one measurement."
    else:
        text = "({after}) and ({before}) differ: {differences}. Their times cannot be compared "
        text += "as if only the models differed."
    return Note(
        text=text,
        figures={
            "before": Figure("text", str(number)),
            "after": Figure("text", str(number + 1)),
            "differences": Figure("text", "; ".join(differences)),
        },
    )


def note_readings(several: Sequence[Measurements]) -> Iterable[Note]:
    """Note how the device did while it was measured, as the range of what it told."""
    for measurements in several:
        rounds = [each for row in measurements.rows for each in row.series.rounds]
        readings = [reading for each in rounds for reading in (each.before, each.during)]
        figures: dict[str, Figure] = {}
        texts = []
        for name, words in _READINGS.items():
            values = [value for reading in readings if (value := getattr(reading, name)) is not None]
            if values:
                # NVML tells clocks and temperatures in whole numbers; power and load are measured ones.
                kind: Kind = "count" if isinstance(values[0], int) else "rate"
                figures |= {
                    f"{name}_low": Figure(kind, min(values)),
                    f"{name}_high": Figure(kind, max(values)),
                }
                low, high = f"{{{name}_low}}", f"{{{name}_high}}"
                texts.append(words.format(low if min(values) == max(values) else f"{low} to {high}"))
        throttle = sorted({reason for each in rounds for reason in each.during.throttle or ()})
        if throttle:
            figures["throttle"] = Figure("names", tuple(throttle))
            texts.append("clocks held back by {throttle}")
        if texts:
            yield Note(text=f"Before and while it was measured: {', '.join(texts)}.", figures=figures)
        yield from _note_contention(measurements, readings)


def _note_contention(measurements: Measurements, readings: Sequence[Reading]) -> Iterable[Note]:
    """Note that more processes wanted the cores than there are: the times are of their contention, too."""
    environment = measurements.environment
    most = max((reading.load for reading in readings if reading.load is not None), default=0.0)
    if environment.gpu is None and most > environment.cores:
        yield Note(
            text="{cores} cores, and up to {most} processes wanted them: times include waiting for a core.",
            figures={"cores": Figure("count", environment.cores), "most": Figure("rate", most)},
        )


_READINGS = {
    "sm_clock_mhz": "SM clock {} MHz",
    "memory_clock_mhz": "memory clock {} MHz",
    "power_watts": "power {} W",
    "temperature_celsius": "temperature {} °C",
    "load": "{} processes running or waiting to run, averaged over a minute",
}


def note_peaks(several: Sequence[Measurements]) -> list[Note]:
    """Note the peaks that times are set beside, or why one could not be measured."""
    notes = []
    for measurements in several:
        for peak in measurements.peaks:
            probe, unit = peak.probe, "B/s" if peak.probe.kind == "copy" else "FLOP/s"
            failure = peak.series.failure
            if not peak.per_second and not failure:
                continue
            text = "Peak of {what}: {rate}{unit}." if peak.per_second else "Peak of {what}: {why}."
            notes.append(
                Note(
                    text=text,
                    figures={
                        "what": Figure("text", f"a {probe.kind} of {_describe_size(probe)}"),
                        "rate": Figure("rate", peak.per_second),
                        "unit": Figure("text", unit),
                        "why": Figure("text", failure.describe() if failure else ""),
                    },
                )
            )
    return notes


def _describe_size(probe: Probe) -> str:
    if probe.kind == "copy":
        return "a large buffer"
    size = f"{probe.size} rows" if probe.kind == "matmul" else f"{CHANNELS} channels"
    return f"{size}, {probe.dtype}{f' ({probe.precision})' if probe.precision else ''}"
