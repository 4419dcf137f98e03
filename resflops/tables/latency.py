"""Measurements as a table: every time with what it means, and every failure."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import to_builtins

from resflops.errors import pluralize
from resflops.latency.configuration import Setting, activation_itemsize, itemsize
from resflops.latency.measurements import Measurements, Row
from resflops.latency.roofline import Performance, analyze_roofline
from resflops.latency.series import LAUNCH_BOUND
from resflops.latency.stability import GRADES
from resflops.latency.statistics import CONFIDENCE
from resflops.tables.environment_notes import note_environments, note_peaks, note_readings
from resflops.tables.gpu_notes import note_gpus
from resflops.tables.layer_times import build_layer_time_table
from resflops.tables.table import Audience, Column, Figure, Kind, Note, Table, show_people_if
from resflops.tables.table import Row as Cells

__all__ = [
    "build_latency_rows",
    "build_latency_table",
    "build_setting_cells",
    "build_setting_columns",
    "list_latency_columns",
]


def build_latency_table(several: Sequence[Measurements]) -> Table:
    """Build the table of every configuration that was measured, with every failure.

    Args:
        several: one series of measurements or more; those of unlike machines or settings are numbered,
            and the notes say how they differ.
    """
    rows = build_latency_rows(several)
    layers = build_layer_time_table(several)
    return Table(
        name="latency",
        title=f"Latency on {several[0].environment.device}" if len(several) == 1 else "Latency",
        intro=(*note_environments(several), *note_readings(several), *note_peaks(several)),
        facts={"measurements": [_build_provenance(each) for each in several]},
        columns=_build_columns(rows),
        rows=rows,
        notes=(
            *_note_meanings(rows),
            *note_gpus(several),
            *_note_series(several),
            *_note_interrupts(several),
        ),
        below=(layers,) if layers else (),
    )


def list_latency_columns() -> tuple[str, ...]:
    """List the columns that a table of measurements may have."""
    return tuple(column.key for column in _build_columns(()))


def build_latency_rows(several: Sequence[Measurements]) -> tuple[Cells, ...]:
    """Build the cells of every configuration, in the order in which they were asked for."""
    return tuple(
        _build_cells(row, measurements, place if len(several) > 1 else None)
        for place, measurements in enumerate(several, start=1)
        for row in measurements.rows
    )


def build_setting_cells(setting: Setting) -> Cells:
    """Build the cells of a setting."""
    return to_builtins(setting)  # type: ignore[no-any-return]


def build_setting_columns(rows: Iterable[Cells]) -> tuple[Column, ...]:
    """Build the columns of settings: people see those that differ between rows, or are unusual."""
    # Looked through once for each column, which an iterator would not survive.
    rows = tuple(rows)

    def show_if_unusual(key: str, usual: object) -> Audience:
        return show_people_if({row[key] for row in rows} - {usual})

    return (
        Column(key="device", heading="device", audience="programs"),
        Column(key="batch", heading="batch", kind="count"),
        Column(key="dtype", heading="dtype"),
        *(
            Column(
                key=key,
                heading=heading,
                kind="flag" if usual is False else "text",
                audience=show_if_unusual(key, usual),
            )
            for key, heading, usual in (
                ("backend", "backend", "torch"),
                ("autocast", "autocast", False),
                ("memory_format", "layout", "contiguous"),
                ("mode", "mode", "eager"),
                ("cold_l2", "cold L2", False),
                ("training", "training", False),
            )
        ),
    )


def _build_provenance(measurements: Measurements) -> Cells:
    return {
        "environment": to_builtins(measurements.environment),
        "effort": to_builtins(measurements.effort),
        "runs": to_builtins(measurements.runs),
        "peaks": [{**to_builtins(peak.probe), "per_second": peak.per_second} for peak in measurements.peaks],
    }


def _build_cells(row: Row, measurements: Measurements, place: int | None) -> Cells:
    """Build the cells of one row; what is not known is None."""
    series, workload = row.series, row.workload
    meaning = analyze_roofline(row, measurements)
    setting = row.configuration.setting
    size = itemsize(setting.dtype)
    return {
        "measured": place,
        "model": row.configuration.model,
        **build_setting_cells(setting),
        **_build_time_cells(row),
        **{name: getattr(meaning, name) if meaning else None for name in Performance.__struct_fields__},
        **_build_energy_cells(row),
        "macs": workload.step_macs if workload else None,
        "params": workload.params if workload else None,
        "complete": workload.complete if workload else False,
        # Autocast keeps the weights in float32.
        "weight_bytes": (workload.weight_elements * (4 if setting.autocast else size) if workload else None),
        "activation_bytes": (
            workload.activation_elements * activation_itemsize(setting.dtype) if workload else None
        ),
        "peak_bytes": series.peak_bytes if series.time else None,
        "half_width": series.verdict.half_width if series.verdict else None,
        "grade": series.verdict.grade if series.verdict else None,
        "output_error": row.output_error,
        "error_of_outputs": None if row.output_error is None else f"{row.output_error:.0e}",
        "launch_bound": None if series.busy is None else series.busy < LAUNCH_BOUND,
        "verdict": series.verdict.describe() if series.verdict else "",
        "stable": series.verdict.stable if series.verdict else None,
        "error": series.failure.describe() if series.failure else "",
    }


def _build_time_cells(row: Row) -> dict[str, Any]:
    time, wall = row.series.time, row.series.wall
    on_gpu = row.series.gpu is not None
    return {
        "samples": time.samples if time else None,
        "low": time.low if time else None,
        "high": time.high if time else None,
        "interval": (time.low, time.high) if time else None,
        "least": time.least if time else None,
        "p90": time.p90 if time else None,
        "p99": time.p99 if time else None,
        "wall_seconds": wall.median if wall else None,
        "wall_p90": wall.p90 if wall else None,
        "wall_p99": wall.p99 if wall else None,
        "gpu_seconds": row.series.gpu.median if on_gpu and row.series.gpu else None,
    }


def _build_energy_cells(row: Row) -> dict[str, Any]:
    energy = row.energy
    net = energy.net_joules if energy else None
    return {
        "energy_step_seconds": energy.seconds_a_step if energy else None,
        "net_joules_per_item": (
            net / (energy.steps * row.configuration.batch) if energy and net is not None else None
        ),
    }


def _build_columns(rows: tuple[Cells, ...]) -> tuple[Column, ...]:
    return (
        *_build_columns_if_known(rows, ("measured", "measured", "count", 0)),
        Column(key="model", heading="model", repeats=False),
        *build_setting_columns(rows),
        *_build_time_columns(rows),
        *_build_performance_columns(rows),
        *_build_columns_if_known(
            rows,
            ("weight_bytes", "weights", "bytes", 7),
            ("activation_bytes", "activations", "bytes", 7),
            ("peak_bytes", "peak memory", "bytes", 6),
            if_known="peak_bytes",
        ),
        Column(key="output_error", audience="programs"),
        Column(
            key="error_of_outputs",
            heading="error",
            detail=2,
            audience="people" if _is_known(rows, "output_error") else "asked",
        ),
        *(Column(key=key, audience="programs") for key in ("stable", "grade", "launch_bound")),
        Column(key="verdict", heading="verdict", wraps=True, detail=8),
        *(
            Column(key=each.key, heading=each.heading, audience=each.audience, wraps=True, detail=9)
            for each in _build_columns_if_known(rows, ("error", "could not be measured", "text", 9))
        ),
    )


def _build_time_columns(rows: tuple[Cells, ...]) -> tuple[Column, ...]:
    on_gpu = _is_known(rows, "gpu_seconds")
    return (
        Column(key="seconds", heading="GPU time" if on_gpu else "time", kind="seconds"),
        Column(key="half_width", heading="±", kind="share"),
        Column(
            key="interval",
            heading="95 % interval",
            kind="seconds range",
            audience="people",
            detail=3,
            folds=False,
        ),
        *(Column(key=key, audience="programs") for key in ("low", "high", "least")),
        *_build_columns_if_known(rows, ("p90", "p90", "seconds", 5), ("p99", "p99", "seconds", 5)),
        *_build_columns_if_known(rows, ("wall_seconds", "wall time", "seconds", 0), if_known="gpu_seconds"),
        *(Column(key=key, audience="programs") for key in ("wall_p90", "wall_p99", "gpu_seconds", "samples")),
    )


def _build_performance_columns(rows: tuple[Cells, ...]) -> tuple[Column, ...]:
    return (
        Column(key="items_per_second", heading="inputs/s", kind="rate"),
        *_build_columns_if_known(
            rows, ("throughput", "inputs/s in a row", "rate", 4), ("busy", "GPU busy", "share", 0)
        ),
        Column(key="macs", heading="MACs", kind="count", audience="programs"),
        Column(key="params", heading="parameters", kind="count", audience="programs"),
        Column(key="complete", audience="programs"),
        Column(key="flops_per_second", heading="FLOP/s", kind="rate", detail=2, folds=False),
        Column(key="of_peak", heading="of peak", kind="share"),
        Column(key="least_bytes", audience="programs"),
        *_build_columns_if_known(rows, ("intensity", "FLOP/B", "rate", 6)),
        Column(key="ridge", audience="programs"),
        *_build_columns_if_known(
            rows, ("roof", "roof", "text", 4), ("roof_seconds", "roofline time", "seconds", 6)
        ),
        Column(key="memory_part", audience="programs"),
        *_build_columns_if_known(rows, ("joules_per_item", "energy/input", "joules", 0)),
        *(Column(key=key, audience="programs") for key in ("net_joules_per_item", "energy_step_seconds")),
    )


def _is_known(rows: tuple[Cells, ...], key: str) -> bool:
    return any(row[key] is not None and row[key] != "" for row in rows)


def _build_columns_if_known(
    rows: tuple[Cells, ...], *columns: tuple[str, str, Kind, int], if_known: str = ""
) -> tuple[Column, ...]:
    """Columns, each its key, heading, kind and detail, that people see only if some row has a value.

    Args:
        rows: all rows.
        columns: the columns.
        if_known: the key that must have one, in place of the column's own.
    """
    return tuple(
        Column(
            key=key,
            heading=heading,
            kind=kind,
            detail=detail,
            folds=kind == "text" and heading != "roof",
            audience=show_people_if(_is_known(rows, if_known or key)),
        )
        for key, heading, kind, detail in columns
    )


def _note_meanings(rows: tuple[Cells, ...]) -> list[Note]:
    known = {key for row in rows for key, value in row.items() if value is not None}
    texts = [
        f"Times are medians of all samples; the interval holds the median with {CONFIDENCE:.0%} confidence, "
        "by a bootstrap over rounds and the samples in them, and ± is half of its width. "
        "A percentile is blank where there are too few samples for it.".replace("%", " %"),
        "Grades: "
        + ", ".join(f"{grade} up to ±{limit:.0%}" for grade, limit in GRADES.items()).replace("%", " %")
        + ", noisy above.",
    ]
    if "gpu_seconds" in known:
        texts.append(
            "GPU time lies between two events around the kernels, which begin when all are launched; "
            "wall time is from the call until the device is done; inputs/s follow from it."
        )
    if "busy" in known:
        texts.append(
            "GPU busy is the share of a step in which kernels run, where steps follow each other without "
            f"waiting: below {LAUNCH_BOUND * 100:.0f} % a step is launch-bound, and launching its kernels "
            "takes longer than running them. Inputs/s in a row are of such steps."
        )
    if "of_peak" in known:
        texts.append(
            "FLOP/s are 2 per multiply-accumulate over the time; "
            "the peak is that of the fastest of a large matrix product and of convolutions in the same run, "
            "in the precision that is computed in. "
            "An algorithm that multiplies less often than is counted, such as Winograd's, may pass it."
        )
    if "roof_seconds" in known:
        texts.append(
            "Roofline time: the sum over the ops with multiply-accumulates of the time to compute at that "
            "peak or to move inputs, weight and output once at the speed of a large copy, whichever is "
            "longer; the column roof says which of the two makes up most of it. A measured time is shorter "
            "only where the peak was exceeded."
            + (
                " Autocast reads weights in float32 and casts them at each step."
                * any(row["autocast"] for row in rows)
            )
        )
    if "peak_bytes" in known:
        texts.append(
            "Peak memory is torch's max_memory_allocated for one step; "
            "weights and activations are counted, not measured; activations are the outputs of all ops "
            "added up."
        )
    if "output_error" in known:
        texts.append(
            "Backends other than torch are given the same weights and input, exported to ONNX; error is the "
            "largest difference of their outputs from those of eager torch, over the largest of these. "
            "int8-static is calibrated with that input."
        )
    if "joules_per_item" in known:
        texts.append("Energy is that of the whole board, idle power included, while nothing else ran.")
    if any(row["training"] for row in rows):
        texts.append(
            "A training step is the forward pass, the mean of the outputs as the loss, and the backward "
            "pass, without an optimiser."
        )
    return [Note(text=text, audience="people") for text in texts]


def _note_series(several: Sequence[Measurements]) -> Iterable[Note]:
    for measurements in several:
        for row in measurements.rows:
            for note in row.series.notes:
                yield Note(
                    text="{what}: {note}.",
                    figures={
                        "what": Figure("text", row.configuration.describe()),
                        "note": Figure("text", note),
                    },
                )


def _note_interrupts(several: Sequence[Measurements]) -> Iterable[Note]:
    for measurements in several:
        if measurements.runs and (ended := measurements.runs[-1].ended):
            yield Note(text="The last run ended early: {why}.", figures={"why": Figure("text", ended)})
        rounds = measurements.effort.rounds
        short = sum(len(row.series.rounds) < rounds and not row.series.failure for row in measurements.rows)
        if short:
            yield Note(
                text="{short} of {rows} "
                f"{pluralize('configuration', len(measurements.rows))} {'has' if short == 1 else 'have'} "
                f"fewer than {{rounds}} {pluralize('round', rounds)}; --resume continues the measurement.",
                figures={
                    "short": Figure("count", short),
                    "rows": Figure("count", len(measurements.rows)),
                    "rounds": Figure("count", rounds),
                },
            )
