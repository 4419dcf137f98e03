"""The tables of ``latency.md``: the paper's two networks, and every network, each in few columns."""

from collections.abc import Iterator, Sequence

from resflops.latency.configuration import Setting
from resflops.latency.measurements import Measurements
from resflops.latency.roofline import Performance, analyze_roofline
from resflops.latency.statistics import Ratio
from resflops.render.formats import format_value
from resflops.report.paper_pair import (
    APART,
    LARGER,
    SMALLER,
    PaperPair,
    SettingPair,
    TimedNetwork,
    find_timed_row,
)
from resflops.tables import Column, Kind, Note, Table
from resflops.tables.latency import build_setting_cells, build_setting_columns
from resflops.tables.table import Row

__all__ = ["build_answer_table", "build_network_table", "build_ratio_table", "build_side_table"]

MOST_SETTINGS = 8
"""The settings that a table with a column for each has at most."""


def build_answer_table(pair: PaperPair) -> Table:
    """Build the table of the ratios of times: a line for each way to run, a column for each batch size."""
    rows = tuple(_build_answer_cells(pairs) for pairs in pair.ways.values())
    batches = [
        (key, heading)
        for batch in pair.batches
        for key, heading in (
            (f"batch {batch}", f"batch {batch}"),
            (f"clock {batch}", f"batch {batch}, by the clock"),
        )
        if any(row.get(key) for row in rows)
    ]
    clocks = any(key.startswith("clock") for key, _ in batches)
    settings = [column for column in build_setting_columns(rows) if column.key != "batch"]
    return Table(
        title=f"The time of {LARGER} over that of {SMALLER}, whose MACs have the ratio "
        f"{format_value('times', pair.macs)}",
        columns=(
            *settings,
            *(Column(key=key, heading=heading) for key, heading in batches),
        ),
        rows=tuple({**dict.fromkeys(dict(batches), ""), **row} for row in rows),
        notes=(
            Note(text="± is half of the 95 % interval of the ratio."),
            *(
                [
                    Note(
                        text="Times are those of the GPU; by the clock, launching the kernels is among them, "
                        f"and is shown where it moves the ratio by more than {APART:.0%}.".replace("%", " %")
                    )
                ]
                if clocks
                else []
            ),
        ),
    )


def _build_answer_cells(pairs: Sequence[SettingPair]) -> Row:
    cells: dict[str, object] = dict(build_setting_cells(pairs[0].setting))
    for each in pairs:
        cells[f"batch {each.batch}"] = _format_ratio(each.time)
        if each.by_clock and each.differs_by_clock:
            cells[f"clock {each.batch}"] = _format_ratio(each.by_clock)
    return cells


def _format_ratio(ratio: Ratio) -> str:
    return f"{format_value('times', ratio.value)} ±{format_value('share', ratio.half_width)}"


def build_network_table(measurements: Measurements) -> Table | None:
    """Build the table of every network under the settings that most were timed under; None of none."""
    settings = _choose_settings(measurements)
    models = list(dict.fromkeys(row.configuration.model for row in measurements.rows))
    if not settings:
        return None
    keys = {setting: setting.describe() for setting in settings}
    rows = []
    for model in models:
        cells: dict[str, object] = {"model": model, "macs": None}
        for setting, key in keys.items():
            row = find_timed_row(measurements, model, setting)
            meaning = analyze_roofline(row, measurements) if row else None
            cells[key] = ""
            if row and meaning and row.series.verdict:
                cells["macs"] = row.workload.macs // setting.batch if row.workload else None
                reached = "" if meaning.of_peak is None else f", {format_value('share', meaning.of_peak)}"
                cells[key] = (
                    f"{format_value('seconds', meaning.seconds)} "
                    f"±{format_value('share', row.series.verdict.half_width)}{reached}"
                )
        rows.append(cells)
    return Table(
        title="Time of a step, how precisely it is known, and the share of the measured peak",
        columns=(
            Column(key="model", heading="model"),
            Column(key="macs", heading="MACs of one input", kind="rounded"),
            *(Column(key=key, heading=key) for key in keys.values()),
        ),
        rows=tuple(rows),
    )


def _choose_settings(measurements: Measurements) -> list[Setting]:
    """Choose the settings that most models were timed under, in their order."""
    timed = {
        setting: sum(
            find_timed_row(measurements, model, setting) is not None
            for model in dict.fromkeys(row.configuration.model for row in measurements.rows)
        )
        for setting in measurements.settings
    }
    most = max(timed.values(), default=0)
    return [setting for setting, number in timed.items() if number == most > 0][:MOST_SETTINGS]


def build_ratio_table(pair: PaperPair) -> Table:
    """Build the table of the ratios of counts and of times under each setting."""
    rows = tuple(_build_ratio_cells(each) for each in pair.settings)
    return Table(
        title=f"{LARGER} over {SMALLER}",
        columns=(
            *build_setting_columns(rows),
            Column(key="macs", heading="MACs ratio", kind="times"),
            Column(key="time", heading="time ratio", kind="times"),
            Column(key="low", heading="from", kind="times"),
            Column(key="high", heading="to", kind="times"),
            *(
                [Column(key="clock", heading="ratio by the clock", kind="times")]
                if any(each.by_clock for each in pair.settings)
                else []
            ),
            *([Column(key="energy", heading="energy ratio", kind="times")] if pair.energies else []),
            *([Column(key="roof", heading="roofline ratio", kind="times")] if pair.roofs else []),
            Column(key="half_width", heading="±", kind="share"),
            Column(key="grade", heading="grade"),
        ),
        rows=rows,
        notes=(
            Note(
                text="From and to are the ends of the 95 % interval of the time ratio, ± is half of its "
                "width, and the grade is the word for it. Roofline ratio: the ratio of the "
                "times if every op ran at the measured peaks."
            ),
        ),
    )


def _build_ratio_cells(pair: SettingPair) -> Row:
    return {
        **build_setting_cells(pair.setting),
        "macs": pair.macs,
        "time": pair.time.value,
        "low": pair.time.low,
        "high": pair.time.high,
        "clock": pair.by_clock.value if pair.by_clock else None,
        "energy": pair.energy,
        "roof": pair.roof,
        "half_width": pair.time.half_width,
        "grade": pair.grade,
    }


def build_side_table(pair: PaperPair) -> Table:
    """Build the table of what each of the two networks does with its time."""
    rows = tuple(
        {
            **build_setting_cells(each.setting),
            **_build_side_cells(each.smaller, SMALLER),
            **_build_side_cells(each.larger, LARGER),
        }
        for each in pair.settings
    )
    busy = any(row[f"busy {SMALLER}"] is not None for row in rows)
    return Table(
        title=f"What lies between the ratios, {SMALLER} and {LARGER}",
        columns=(
            *build_setting_columns(rows),
            *(
                Column(key=f"{key} {side}", heading=f"{heading}, {side}", kind=kind)
                for key, heading, kind in _OF_SIDES
                for side in (SMALLER, LARGER)
                if key != "busy" or busy
            ),
        ),
        rows=rows,
        notes=tuple(_note_sides(busy=busy)),
    )


def _note_sides(*, busy: bool) -> Iterator[Note]:
    yield Note(
        text="Of peak: the share of the speed of the fastest probe in the same run. "
        "Memory-bound: the share of the roofline time in ops that wait for memory. MACs per op: the "
        "multiply-accumulates of one step divided by the number of ops that have any."
    )
    if busy:
        yield Note(text="GPU busy: the share of a step in which kernels run, where steps follow each other.")


_OF_SIDES: tuple[tuple[str, str, Kind], ...] = (
    ("seconds", "time", "seconds"),
    ("of_peak", "of peak", "share"),
    ("busy", "GPU busy", "share"),
    ("memory", "memory-bound", "share"),
    ("per_op", "MACs per op", "rounded"),
)


def _build_side_cells(side: TimedNetwork, name: str) -> Row:
    meaning: Performance = side.meaning
    return {
        f"seconds {name}": meaning.seconds,
        f"of_peak {name}": meaning.of_peak,
        f"busy {name}": meaning.busy,
        f"memory {name}": meaning.memory_part,
        f"per_op {name}": side.macs_per_op,
    }
