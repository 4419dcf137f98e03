"""Cost and latency in one table, both beside those of the most expensive model."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from resflops.cost import Cost
from resflops.latency.configuration import Setting
from resflops.latency.measurements import Measurements, Row
from resflops.latency.roofline import analyze_roofline
from resflops.latency.series import compare_times
from resflops.tables.entries import find_batch_size
from resflops.tables.environment_notes import note_environments
from resflops.tables.latency import build_setting_cells, build_setting_columns
from resflops.tables.stored import build_stored_columns
from resflops.tables.table import (
    Column,
    Figure,
    Kind,
    Note,
    Table,
    format_cost_heading,
    note_convention,
    show_people_if,
)
from resflops.tables.table import Row as Cells

__all__ = ["build_cost_and_latency"]


class _MeasuredCost(Struct, frozen=True, kw_only=True):
    """A cost, and the row that measured the same work."""

    cost: Cost
    row: Row

    @property
    def total(self) -> float:
        """The cost of one input under the convention, of the passes that were timed."""
        backward = self.cost.backward if self.row.configuration.training else None
        return (self.cost.total + (backward.total if backward else 0)) / find_batch_size(self.cost)


def build_cost_and_latency(
    costs: Sequence[Cost],
    several: Sequence[Measurements],
    *,
    below: Table,
    stored: Mapping[str, str] | None = None,
    specs: Mapping[str, str] | None = None,
) -> Table:
    """Build one row for each model under each setting that it was measured under.

    Ratios are to the most expensive model under the same setting of the same measurements, so that
    no time is ever divided by one of another machine or setting.

    Args:
        costs: the models' costs, all under one convention; each may be of any batch.
        several: one series of measurements or more.
        below: the table of the costs alone, which also notes which traces were stored.
        stored: for a model whose trace was stored, where.
        specs: the specs of models that go by a label, which may have been measured under either.
    """
    convention = costs[0].priced_by
    rows: list[Cells] = []
    lacking = [
        cost
        for cost in costs
        if not any(_find_measured_cost(cost, *each, specs or {}) for each in _list_settings(several))
    ]
    for place, measurements in enumerate(several, start=1):
        for setting in measurements.settings:
            found = (_find_measured_cost(cost, measurements, setting, specs or {}) for cost in costs)
            measured = [pair for pair in found if pair]
            rows += _build_rows(measured, setting, measurements, place if len(several) > 1 else None)
    rows = [{**row, "stored": (stored or {}).get(row["model"], "")} for row in rows]
    several_references = len({row["dearest"] for row in rows}) > 1
    most_expensive = "the most expensive" if several_references or not rows else str(rows[0]["dearest"])
    return Table(
        name="latency",
        title=f"Cost under the convention {convention.name}, and latency",
        convention=convention.name,
        intro=note_environments(several),
        columns=(
            *_build_columns(rows, format_cost_heading(convention), most_expensive),
            *build_stored_columns(rows),
        ),
        rows=tuple(rows),
        notes=(
            note_convention(convention),
            _RATIOS,
            *_note_turns(rows),
            *(_note_missing(cost) for cost in lacking),
        ),
        below=(below,),
    )


_RATIOS = Note(
    text="Cost and time are for one input; the ratios are to the most expensive model under the same "
    "setting. The interval is that of the time ratio.",
    audience="people",
)


def _note_turns(rows: Sequence[Cells]) -> list[Note]:
    """Note whether the rounds of what is compared took turns."""
    apart = list(dict.fromkeys(row["model"] for row in rows if row["in_turns"] is False))
    if not apart:
        text = "They were measured in turns, so that what slowed one down slowed the other, too."
        return [Note(text=text, audience="people")] if rows else []
    return [
        Note(
            text="{models}: measured at another time than what they are compared with, so that their ratios "
            "are less certain.",
            figures={"models": Figure("names", tuple(apart))},
        )
    ]


def _note_missing(cost: Cost) -> Note:
    return Note(
        text="{model} on {input} was not measured; resflops bench {model} measures it.",
        figures={
            "model": Figure("text", cost.model),
            "input": Figure("shapes", tuple(given.shape for given in cost.trace.inputs)),
        },
    )


def _list_settings(several: Sequence[Measurements]) -> list[tuple[Measurements, Setting]]:
    return [(measurements, setting) for measurements in several for setting in measurements.settings]


def _find_measured_cost(
    cost: Cost, measurements: Measurements, setting: Setting, specs: Mapping[str, str]
) -> _MeasuredCost | None:
    """Find the row of the same model on the same input, whose multiply-accumulates per input are the same."""
    if setting.training and cost.backward is None:
        return None
    names = {cost.model, specs.get(cost.model, cost.model)}
    for row in measurements.rows:
        configuration, workload = row.configuration, row.workload
        if configuration.model not in names or configuration.setting != setting or workload is None:
            continue
        # Multiplied out: an integer comparison stays exact where a quotient might not.
        if workload.macs * find_batch_size(cost) == cost.macs * configuration.batch:
            return _MeasuredCost(cost=cost, row=row)
    return None


def _build_rows(
    measured: Sequence[_MeasuredCost], setting: Setting, measurements: Measurements, place: int | None
) -> list[Cells]:
    if not measured:
        return []
    most_expensive = max(measured, key=lambda each: each.total)
    return [
        {
            "measured": place,
            "model": each.cost.model,
            **build_setting_cells(setting),
            "dearest": most_expensive.cost.model,
            "params": each.cost.params,
            "complete": each.cost.complete,
            "total": int(each.total) if each.total.is_integer() else each.total,
            "ratio": each.total / most_expensive.total if most_expensive.total else None,
            **_build_time_cells(each.row, most_expensive.row, measurements),
            "verdict": each.row.series.verdict.describe() if each.row.series.verdict else "",
            "error": each.row.series.failure.describe() if each.row.series.failure else "",
        }
        for each in measured
    ]


def _build_time_cells(row: Row, most_expensive: Row, measurements: Measurements) -> Cells:
    meaning, of_most_expensive = (
        analyze_roofline(row, measurements),
        analyze_roofline(most_expensive, measurements),
    )
    comparison = compare_times(row.series, most_expensive.series)
    compared = comparison.ratio if comparison else None
    energy = meaning.joules_per_item if meaning else None
    other = of_most_expensive.joules_per_item if of_most_expensive else None
    return {
        "seconds": meaning.seconds / row.configuration.batch if meaning else None,
        "time_ratio": compared.value if compared else None,
        # Of its own time it is all, and there is nothing to be unsure of.
        "time_ratio_interval": (compared.low, compared.high)
        if compared and row is not most_expensive
        else None,
        "in_turns": comparison.in_turns if comparison else None,
        "time_ratio_low": compared.low if compared and row is not most_expensive else None,
        "time_ratio_high": compared.high if compared and row is not most_expensive else None,
        "joules": energy,
        "energy_ratio": energy / other if energy is not None and other else None,
        "of_peak": meaning.of_peak if meaning else None,
        "roof": meaning.roof if meaning else None,
    }


def _build_columns(rows: Sequence[Cells], cost: str, most_expensive: str) -> tuple[Column, ...]:
    energy = any(row["joules"] is not None for row in rows)
    energies: tuple[tuple[str, str, Kind], ...] = (
        ("joules", "energy per input", "joules"),
        ("energy_ratio", f"energy of {most_expensive}'s", "share"),
    )
    failed = any(row["error"] for row in rows)
    placed = any(row["measured"] for row in rows)
    return (
        Column(key="measured", heading="measured", kind="count", audience=show_people_if(placed)),
        Column(key="model", heading="model"),
        *build_setting_columns(rows),
        Column(key="dearest", audience="programs"),
        Column(key="params", heading="parameters", kind="count", audience="programs"),
        Column(key="total", heading=f"{cost} per input", kind="count", exact_if="complete", detail=1),
        Column(key="ratio", heading=f"cost of {most_expensive}'s", kind="share"),
        Column(key="seconds", heading="time per input", kind="seconds"),
        Column(key="time_ratio", heading=f"time of {most_expensive}'s", kind="share"),
        Column(
            key="time_ratio_interval",
            heading="95 % interval",
            kind="share range",
            audience="people",
            detail=2,
            folds=False,
        ),
        Column(key="in_turns", audience="programs"),
        Column(key="time_ratio_low", audience="programs"),
        Column(key="time_ratio_high", audience="programs"),
        *(
            Column(key=key, heading=heading, kind=kind, audience=show_people_if(energy))
            for key, heading, kind in energies
        ),
        Column(key="of_peak", heading="of peak", kind="share", detail=3, folds=False),
        Column(key="roof", heading="roof", audience="programs"),
        Column(key="complete", audience="programs"),
        Column(key="verdict", heading="verdict", wraps=True, detail=4),
        Column(
            key="error",
            heading="could not be measured",
            audience=show_people_if(failed),
            wraps=True,
            detail=5,
        ),
    )
