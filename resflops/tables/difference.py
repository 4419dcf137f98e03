"""The difference between snapshots: the table of ``resflops diff``."""

from collections.abc import Iterable, Sequence

from resflops.gate.diff import Diff
from resflops.gate.snapshot import MEMORY_METRICS, Metric
from resflops.tables.held_changes import build_held_change_tables
from resflops.tables.layer_changes import (
    build_layer_change_tables,
    name_metric,
    note_conventions,
    note_input_changes,
    note_snapshot,
)
from resflops.tables.stored import build_stored_columns, note_stored
from resflops.tables.table import Column, Figure, Note, Table, show_people_if

__all__ = ["build_diff_table"]


def build_diff_table(diffs: Sequence[Diff], *, notes: Sequence[Note] = (), everything: bool = False) -> Table:
    """Build the table of ``resflops diff``.

    Args:
        diffs: the difference of each pair of snapshots.
        notes: what else to say under it.
        everything: show people all layers.
    """
    first = diffs[0]
    names = [f"{each.before.model} → {each.after.model}" for each in diffs]
    names = [
        each.after.model if each.before.model == each.after.model else name
        for each, name in zip(diffs, names, strict=True)
    ]
    title = names[0] if len(diffs) == 1 else f"{len(diffs)} models"
    rows = tuple(
        {
            "model": name,
            "convention": each.before.convention,
            "metric": metric,
            "figure": name_metric(metric, each.before),
            "before": each.before.metric(metric),
            "after": each.after.metric(metric),
            "change": each.of(metric),
            "share": _compute_share(each.of(metric), each.before.metric(metric)),
            "before_complete": metric in MEMORY_METRICS or not each.before.uncounted,
            "after_complete": metric in MEMORY_METRICS or not each.after.uncounted,
            "stored": "; ".join(dict.fromkeys(filter(None, (each.before.stored, each.after.stored)))),
        }
        for name, each in zip(names, diffs, strict=True)
        for metric in _list_metrics(each)
    )
    return Table(
        title=f"Difference in cost: {title}",
        convention=first.before.convention if len({each.before.convention for each in diffs}) == 1 else "",
        columns=(
            Column(key="model", heading="model", repeats=False, audience=show_people_if(len(diffs) > 1)),
            Column(key="convention", heading="convention", audience="programs"),
            Column(key="metric", heading="metric", audience="programs"),
            Column(key="figure", heading="figure", audience="people"),
            Column(
                key="before",
                heading="was",
                kind="count",
                exact_if="before_complete",
                detail=2,
                measures="cost",
            ),
            Column(key="after", heading="is", kind="count", exact_if="after_complete", measures="cost"),
            Column(key="change", heading="change", kind="signed", detail=1, measures="cost"),
            Column(key="share", heading="change %", kind="signed share"),
            Column(key="before_complete", audience="programs"),
            Column(key="after_complete", audience="programs"),
            *build_stored_columns(rows),
        ),
        rows=rows,
        # A model may have no buffers at all, before and after.
        hidden=frozenset(place for place, row in enumerate(rows) if not (row["before"] or row["after"])),
        notes=(
            *note_conventions(each.before for each in diffs),
            *(
                note
                for name, each in zip(names, diffs, strict=True)
                for note in note_input_changes(name, each)
            ),
            *_note_snapshots(diffs),
            *(
                _note_no_change(name)
                for name, each in zip(names, diffs, strict=True)
                if not (each.changes or each.memory)
            ),
            *note_stored((one.model, one.stored) for each in diffs for one in (each.before, each.after)),
            *notes,
        ),
        below=(
            *build_layer_change_tables(list(zip(names, diffs, strict=True)), everything=everything),
            *build_held_change_tables(
                [(name, each, MEMORY_METRICS) for name, each in zip(names, diffs, strict=True)],
                everything=everything,
            ),
        ),
    )


def _list_metrics(each: Diff) -> tuple[Metric, ...]:
    """List the metrics that both sides have; a lock file may be without memory."""
    sides = (each.before, each.after)
    lacking = {
        metric
        for metric in MEMORY_METRICS
        for side in sides
        if side.lines and metric not in side.memory_metrics
    }
    held = (metric for metric in MEMORY_METRICS if any(metric in side.memory_metrics for side in sides))
    of_cost = (metric for metric in each.before.metrics if metric not in MEMORY_METRICS)
    return (*of_cost, *(metric for metric in held if metric not in lacking))


def _note_snapshots(diffs: Sequence[Diff]) -> Iterable[Note]:
    """Note what to know of the models; one model at two revisions most likely has the same notes."""
    snapshots = [one for each in diffs for one in (each.before, each.after)]
    different = {(one.model, one.notes): one for one in snapshots}
    return (note for one in different.values() for note in note_snapshot(one))


def _note_no_change(name: str) -> Note:
    return Note(text="{model}: no layer differs.", figures={"model": Figure("text", name)})


def _compute_share(change: int, whole: int) -> float | None:
    return change / whole if whole else None
