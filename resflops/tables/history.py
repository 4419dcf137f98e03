"""The history of costs: the table of ``resflops history``."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec.structs import replace

from resflops.cost.convention import find_convention
from resflops.errors import pluralize
from resflops.gate.history.commits import Commit
from resflops.gate.history.steps import CostStep, History, ModelHistory
from resflops.gate.snapshot import METRICS, Snapshot
from resflops.tables.layer_changes import build_layer_change_tables, note_conventions, note_snapshot
from resflops.tables.table import Column, Figure, Note, Row, Table, format_cost_heading, show_people_if

__all__ = ["build_history_table", "list_layers", "name_commits"]

MOST_LAYERS = 3
"""How many layers a row names; the table of changed layers has them all."""

MOST_REASONS = 10
"""How many commits people are told the reason of."""

EVENTS = {
    "first": "(first figure)",
    "failed": "(cannot be counted)",
    "absent": "(not configured)",
    "missing": "(not counted yet)",
}
"""What people read in place of layers."""


def build_history_table(history: History, *, notes: Sequence[Note] = (), everything: bool = False) -> Table:
    """Build the table of ``resflops history``: people read the steps, programs every commit.

    Args:
        history: the history.
        notes: what else to say under it.
        everything: show people all layers that changed, and every commit.
    """
    rows: list[Row] = []
    hidden: set[int] = set()
    for model in history.models:
        built = _build_rows(history, model)
        hidden |= {len(rows) + place for place, row in enumerate(built) if not (row["event"] or everything)}
        rows += built
    snapshots = [point.snapshot for model in history.models for point in model.points if point.snapshot]
    conventions = {snapshot.convention for snapshot in snapshots}
    only = next(iter(conventions)) if len(conventions) == 1 else ""
    shown = [row for place, row in enumerate(rows) if place not in hidden]
    return Table(
        title=f"History of cost: {history.range}",
        convention=only,
        columns=(
            Column(
                key="model", heading="model", repeats=False, audience=show_people_if(len(history.models) > 1)
            ),
            *(() if only else (Column(key="convention", audience="programs"),)),
            Column(key="hash", audience="programs"),
            Column(key="since", audience="programs"),
            Column(key="commit", heading="commit"),
            Column(key="event", audience="programs"),
            Column(
                key="total",
                heading=format_cost_heading(find_convention(only)) if only else "cost",
                kind="count",
                exact_if="complete",
                measures="cost",
            ),
            Column(key="total_change", heading="change", kind="signed", measures="cost"),
            Column(key="share", heading="change %", kind="signed share", detail=2),
            Column(
                key="macs",
                heading="MACs",
                kind="count",
                exact_if="complete",
                measures="cost",
                audience=show_people_if(conventions - {"macs"}),
            ),
            Column(key="macs_change", kind="signed", audience="programs"),
            Column(key="params", kind="count", audience="programs"),
            Column(
                key="params_change",
                heading="parameters",
                kind="signed",
                measures="parameters",
                detail=1,
                audience=show_people_if(any(row["params_change"] for row in shown)),
            ),
            Column(key="buffers", kind="count", audience="programs"),
            Column(
                key="buffers_change",
                heading="buffers",
                kind="signed",
                detail=3,
                audience=show_people_if(any(row["buffers_change"] for row in shown)),
            ),
            Column(key="complete", audience="programs"),
            Column(key="layer", audience="programs"),
            Column(key="layers", heading="layers", kind="names", audience="people"),
            Column(key="author", audience="programs"),
            Column(key="date", heading="date", detail=3),
            Column(key="subject", heading="subject", detail=4),
            Column(key="reason", audience="programs"),
        ),
        rows=tuple(rows),
        hidden=frozenset(hidden),
        facts={"range": history.range, "commits": len(history.commits), "counted": history.counted},
        notes=(
            *note_conventions(snapshots),
            _note_range(history),
            *_note_no_step([model.name for model in history.models if _is_flat(model)]),
            *_note_reasons(rows),
            *_note_snapshots(snapshots),
            *notes,
        ),
        below=_build_changes(history, everything=everything),
    )


def _build_changes(history: History, *, everything: bool) -> tuple[Table, ...]:
    """Build the table of the layers that each step is due to."""
    steps = {
        f"{model.name} at {name_commits(history.commits, step)}": (model, step)
        for model in history.models
        for step in model.steps
    }
    tables = build_layer_change_tables(
        [(name, step.diff) for name, (_, step) in steps.items()],
        everything=everything,
        title="Changed layers of each step, the largest change first",
    )
    return tuple(
        replace(
            table,
            columns=(
                Column(key="step", heading="step", repeats=False),
                Column(key="model", audience="programs"),
                Column(key="hash", audience="programs"),
                *(column for column in table.columns if column.key != "model"),
            ),
            rows=tuple(
                {
                    **row,
                    "step": row["model"],
                    "model": steps[row["model"]][0].name,
                    "hash": history.commits[steps[row["model"]][1].after].hash,
                }
                for row in table.rows
            ),
        )
        for table in tables
    )


def name_commits(commits: Sequence[Commit], step: CostStep) -> str:
    """Name the commit of a step, or the commits among which it is, if some in between have no figure."""
    last = commits[step.after].short
    return last if step.after == step.first else f"{commits[step.first].short}…{last}"


def list_layers(step: CostStep) -> tuple[str, ...]:
    """List the layers that a step is due to, the largest change first; those that only moved are none."""
    names = (
        change.new_name or change.name
        for change in step.diff.changes
        if any(change.of(metric) for metric in METRICS)
    )
    return tuple(dict.fromkeys(names))


def _build_rows(history: History, model: ModelHistory) -> list[Row]:
    steps = {step.after: step for step in model.steps}
    first = next((place for place, point in enumerate(model.points) if point.snapshot), None)
    rows: list[Row] = []
    # Several commits in a row without a figure, for the same reason, are one event.
    for (kind, reason), run in groupby(
        enumerate(model.points), key=lambda each: (each[1].kind, each[1].reason)
    ):
        places = [place for place, _ in run]
        for place in places:
            step = steps.get(place)
            if kind == "counted":
                event = "step" if step else "first" if place == first else ""
                rows.append(_build_row(history, model, place, event, step))
            else:
                event = kind if place == places[0] else ""
                rows.append(_build_row(history, model, place, event, None, reason=reason, last=places[-1]))
    return rows


def _build_row(
    history: History,
    model: ModelHistory,
    place: int,
    event: str,
    step: CostStep | None,
    *,
    reason: str = "",
    last: int | None = None,
) -> Row:
    commit, snapshot = history.commits[place], model.points[place].snapshot
    layers = list_layers(step) if step else ()
    named = layers[:MOST_LAYERS]
    more = len(layers) - len(named)
    name = name_commits(history.commits, step) if step else commit.short
    if event and last is not None and last > place:
        name = f"{commit.short}…{history.commits[last].short}"
    return {
        "model": model.name,
        "convention": snapshot.convention if snapshot else "",
        "hash": commit.hash,
        "since": history.commits[step.before].hash if step else "",
        "commit": name,
        "date": commit.date,
        "event": event,
        **{metric: snapshot.metric(metric) if snapshot else None for metric in METRICS},
        **{f"{metric}_change": step.diff.of(metric) if step else None for metric in METRICS},
        "share": _compute_share(step),
        "complete": not (snapshot and snapshot.uncounted),
        "layer": layers[0] if layers else "",
        "layers": (
            *(layer or "(the model itself)" for layer in named),
            *([f"{more} more"] if more else []),
            *([EVENTS[event]] if event in EVENTS else []),
        ),
        "author": commit.author,
        "subject": commit.subject,
        "reason": reason or (_explain_input(step) if step else ""),
    }


def _compute_share(step: CostStep | None) -> float | None:
    whole = step.diff.before.total if step else 0
    return step.diff.of("total") / whole if step and whole else None


def _explain_input(step: CostStep) -> str:
    before, after = (
        ", ".join("×".join(map(str, given.shape)) for given in side.inputs)
        for side in (step.diff.before, step.diff.after)
    )
    return "" if before == after else f"its input {before} became {after}"


def _is_flat(model: ModelHistory) -> bool:
    return not model.steps and any(point.snapshot for point in model.points)


def _note_no_step(models: Sequence[str]) -> Iterable[Note]:
    if models:
        whose = "its" if len(models) == 1 else "their"
        yield Note(
            text=f"{{models}}: no commit changes {whose} cost.",
            figures={"models": Figure("names", tuple(models))},
        )


def _note_reasons(rows: Iterable[Row]) -> Iterable[Note]:
    """Note why a model cannot be counted, or why its cost changed if no layer is to blame."""
    told = [row for row in rows if row["event"] in {"failed", "step"} and row["reason"]]
    for row in told[:MOST_REASONS]:
        yield Note(
            text="{model} at {commit}: {reason}.",
            figures={key: Figure("text", row[key]) for key in ("model", "commit", "reason")},
        )
    if len(told) > MOST_REASONS:
        yield Note(
            text="{count} more are in the column reason of --format csv and json.",
            figures={"count": Figure("count", len(told) - MOST_REASONS)},
            audience="people",
        )


def _note_range(history: History) -> Note:
    commits, counted = len(history.commits), history.counted
    return Note(
        text=f"{{commits}} {pluralize('commit', commits)}; {{counted}} {pluralize('figure', counted)} "
        "counted now, the others from the cache or the same as at a commit with the same files.",
        figures={"commits": Figure("count", commits), "counted": Figure("count", counted)},
    )


def _note_snapshots(snapshots: Iterable[Snapshot]) -> Iterable[Note]:
    """Note what to know of the models, once where it is the same at all commits."""
    different = {(one.model, one.notes): one for one in snapshots}
    return (note for one in different.values() for note in note_snapshot(one))
