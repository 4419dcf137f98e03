"""The tables of ``latency.md`` that set the paper's two networks side by side."""

from resflops.report.paper_pair import LARGER, SMALLER, PaperPair, SettingPair, TimedNetwork
from resflops.tables import Column, Kind, Note, Table
from resflops.tables.latency import build_setting_cells, build_setting_columns
from resflops.tables.table import Row

__all__ = ["build_ratio_table", "build_side_table"]


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
    return Table(
        title=f"What lies between the ratios, {SMALLER} and {LARGER}",
        columns=(
            *build_setting_columns(rows),
            *(
                Column(key=f"{key} {side}", heading=f"{heading}, {side}", kind=kind)
                for key, heading, kind in _OF_SIDES
                for side in (SMALLER, LARGER)
            ),
        ),
        rows=rows,
        notes=(
            Note(
                text="Of peak: the share of the speed of the fastest probe in the same run. "
                "Memory-bound: the share of the roofline time in ops that wait for memory. MACs per op: the "
                "multiply-accumulates of one step divided by the number of ops that have any."
            ),
        ),
    )


_OF_SIDES: tuple[tuple[str, str, Kind], ...] = (
    ("of_peak", "of peak", "share"),
    ("memory", "memory-bound", "share"),
    ("per_op", "MACs per op", "rounded"),
)


def _build_side_cells(side: TimedNetwork, name: str) -> Row:
    return {
        f"of_peak {name}": side.meaning.of_peak,
        f"memory {name}": side.meaning.memory_part,
        f"per_op {name}": side.macs_per_op,
    }
