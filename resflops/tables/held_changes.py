"""The layers that hold more or less at the peaks of memory: as a table, and in sentences."""

from collections.abc import Iterable, Sequence

from resflops.errors import pluralize
from resflops.gate.diff import Diff, HeldChange
from resflops.gate.snapshot import Metric
from resflops.tables.layer_changes import name_metric
from resflops.tables.table import Column, Figure, Note, Row, Table, show_people_if

__all__ = ["build_held_change_tables", "note_held_changes"]

MOST_LAYERS = 10
"""Layers that people are shown of each peak, the largest changes; programs get them all."""


def build_held_change_tables(
    compared: Sequence[tuple[str, Diff, Sequence[Metric]]], *, everything: bool
) -> tuple[Table, ...]:
    """Build the table of what layers hold at the peaks, to stand under another; none if nothing changed.

    Args:
        compared: the names of the models, with their diffs and the peaks that people are shown.
        everything: show people all layers of all peaks.
    """
    rows: list[Row] = []
    hidden: set[int] = set()
    for model, found, shown in compared:
        seen: dict[Metric, int] = {}
        for change in found.memory:
            seen[change.metric] = seen.get(change.metric, 0) + 1
            if not everything and (change.metric not in shown or seen[change.metric] > MOST_LAYERS):
                hidden.add(len(rows))
            rows.append(_build_row(model, found, change))
    if len(hidden) == len(rows):
        return ()
    # Peak by peak, with the largest change of each first.
    order = sorted(range(len(rows)), key=lambda place: (_find_group(compared, rows[place]), place))
    visible = [rows[place] for place in order if place not in hidden]
    several = len({row["model"] for row in rows}) > 1
    return (
        Table(
            name="memory_changes",
            title="Layers that hold more or less at the peak, the largest change first",
            columns=(
                Column(key="model", heading="model", repeats=False, audience=show_people_if(several)),
                Column(key="metric", audience="programs"),
                Column(key="figure", heading="figure", repeats=several, audience="people"),
                Column(key="layer", heading="layer", empty="(the model itself)"),
                Column(
                    key="new_name",
                    heading="now called",
                    audience=show_people_if(any(row["new_name"] for row in visible)),
                    detail=2,
                ),
                Column(key="before", heading="was", kind="count", detail=1),
                Column(key="after", heading="is", kind="count", detail=1),
                Column(key="change", heading="change", kind="signed"),
            ),
            rows=tuple(rows[place] for place in order),
            hidden=frozenset(number for number, place in enumerate(order) if place in hidden),
            notes=tuple(_note_left_out(compared, rows, hidden)),
        ),
    )


def _build_row(model: str, found: Diff, change: HeldChange) -> Row:
    return {
        "model": model,
        "metric": change.metric,
        "figure": name_metric(change.metric, found.after),
        "layer": change.name,
        "new_name": change.new_name,
        "before": change.before,
        "after": change.after,
        "change": change.change,
    }


def _find_group(compared: Sequence[tuple[str, Diff, Sequence[Metric]]], row: Row) -> tuple[int, bool]:
    names = [name for name, _, _ in compared]
    return names.index(str(row["model"])), row["metric"] == "training_memory"


def _note_left_out(
    compared: Sequence[tuple[str, Diff, Sequence[Metric]]], rows: Sequence[Row], hidden: set[int]
) -> Iterable[Note]:
    for model, found, shown in compared:
        for metric in shown:
            left = [
                int(rows[place]["change"] or 0)
                for place in hidden
                if (rows[place]["model"], rows[place]["metric"]) == (model, metric)
            ]
            if left:
                yield Note(
                    text=f"{{model}}: {{count}} more {pluralize('layer', len(left))}, {{change}} in total, "
                    "of {figure}; --all shows them.",
                    figures={
                        "model": Figure("text", model),
                        "count": Figure("count", len(left)),
                        "change": Figure("signed", sum(left)),
                        "figure": Figure("text", name_metric(metric, found.after)),
                    },
                    audience="people",
                )


def note_held_changes(found: Diff, metric: Metric, *, most: int) -> Iterable[Note]:
    """Note what layers hold more or less: ``fc held 2,052,000 bytes at the peak and now 4,104,000 (…)``."""
    changes = [change for change in found.memory if change.metric == metric]
    pass_ = "of training " if metric == "training_memory" else ""
    for change in changes[:most]:
        layer = "{layer}, now {new_name}," if change.new_name else "{layer}"
        yield Note(
            text=f"{layer} held {{before}} bytes at the peak {pass_}and now {{after}} ({{change}})",
            figures={
                "layer": Figure("text", change.name or "the model itself"),
                "new_name": Figure("text", change.new_name),
                "before": Figure("count", change.before),
                "after": Figure("count", change.after),
                "change": Figure("signed", change.change),
            },
        )
    if len(changes) > most:
        more = len(changes) - most
        yield Note(
            text=f"and {{count}} more {pluralize('layer', more)}", figures={"count": Figure("count", more)}
        )
