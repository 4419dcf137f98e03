"""The layers that changed: as a table, the largest change first, and in sentences."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from resflops.cost.convention import find_convention
from resflops.errors import pluralize
from resflops.gate.diff import Change, Diff, summarize_change
from resflops.gate.snapshot import MEMORY_METRICS, Metric, Snapshot
from resflops.tables.table import (
    Column,
    Figure,
    Note,
    Row,
    Table,
    format_cost_heading,
    note_convention,
    show_people_if,
)

__all__ = [
    "build_layer_change_tables",
    "find_verb",
    "name_metric",
    "note_change",
    "note_conventions",
    "note_input_changes",
    "note_snapshot",
]

MOST_CHANGES = 20
"""Changed layers that people are shown of each model, the most expensive ones; programs get them all."""


def build_layer_change_tables(
    compared: Sequence[tuple[str, Diff]],
    *,
    everything: bool,
    title: str = "Changed layers, the largest change first",
    hidden: Container[str] = (),
    notes: Sequence[Note] = (),
) -> tuple[Table, ...]:
    """Build the table of changed layers to stand under another; none if no layer changed.

    Args:
        compared: the names of the models, with their diffs.
        everything: show people all changes.
        title: what the list says about the layers in it.
        hidden: the names of models whose changes only programs are given.
        notes: what else to say under it.
    """
    changed = [(name, found) for name, found in compared if found.changes]
    rows: list[Row] = []
    left_out: set[int] = set()
    notes_left_out: list[Note] = []
    for name, found in changed:
        most = 0 if name in hidden else len(found.changes) if everything else MOST_CHANGES
        left_out |= set(range(len(rows) + most, len(rows) + len(found.changes)))
        rows += [_build_change_row(name, found, change) for change in found.changes]
        if len(found.changes) > most > 0:
            notes_left_out.append(_note_left_out(name, found.changes[most:]))
    if len(left_out) == len(rows):
        return ()
    conventions = {found.before.convention for _, found in changed}
    shown = [row for place, row in enumerate(rows) if place not in left_out]
    (only, *others) = conventions
    return (
        Table(
            name="changes",
            title=title,
            columns=(
                Column(
                    key="model", heading="model", repeats=False, audience=show_people_if(len(changed) > 1)
                ),
                Column(key="change", audience="programs"),
                Column(key="what", heading="change", audience="people"),
                Column(key="layer", heading="layer", empty="(the model itself)"),
                Column(
                    key="new_name",
                    heading="now called",
                    audience=show_people_if(_has_any(shown, "new_name")),
                    detail=2,
                ),
                Column(key="layers", heading="layers", kind="count", audience="programs"),
                Column(key="op", heading="op", audience="programs"),
                Column(key="before", heading="was", kind="form", detail=1),
                Column(key="after", heading="is", kind="form", detail=1),
                Column(key="macs", heading="MACs", kind="signed", measures="cost"),
                Column(
                    key="total",
                    heading="cost" if others else format_cost_heading(find_convention(only)),
                    kind="signed",
                    audience=show_people_if(conventions != {"macs"}),
                ),
                Column(
                    key="params",
                    heading="parameters",
                    kind="signed",
                    measures="parameters",
                    detail=2,
                    folds=False,
                ),
                Column(key="buffers", heading="buffers", kind="signed", audience="programs"),
            ),
            rows=tuple(rows),
            hidden=frozenset(left_out),
            notes=(*notes_left_out, *notes),
        ),
    )


def _build_change_row(model: str, found: Diff, change: Change) -> Row:
    before, after = summarize_change(change.before, change.after)
    line = change.after or change.before
    return {
        "model": model,
        "convention": found.after.convention,
        "change": change.kind,
        "what": change.kind if change.layers == 1 else f"{change.kind} ({change.layers} layers)",
        "layer": change.name,
        "new_name": change.new_name,
        "layers": change.layers,
        "op": line.op if line else "",
        # A moved layer is afterwards what it was before.
        "before": before if change.kind != "moved" else None,
        "after": after,
        "macs": change.macs,
        "total": change.total,
        "params": change.params,
        "buffers": change.buffers,
    }


def _note_left_out(model: str, changes: Sequence[Change]) -> Note:
    kinds = Counter(change.kind for change in changes)
    return Note(
        text=f"{{model}}: {{count}} more {pluralize('change', len(changes))}, {{macs}} MACs and {{params}} "
        "parameters in total ({what}); --all shows them.",
        figures={
            "model": Figure("text", model),
            "count": Figure("count", len(changes)),
            "macs": Figure("signed", sum(change.macs for change in changes)),
            "params": Figure("signed", sum(change.params for change in changes)),
            "what": Figure("text", ", ".join(f"{kind} {count}" for kind, count in kinds.items())),
        },
        audience="people",
    )


def note_change(change: Change, convention_name: str) -> Note:
    """Write a change as a sentence: ``layer3.0.conv1: 3×3×256→256 became 3×3×256→512, +115,605,504 MACs``."""
    before, after = summarize_change(change.before, change.after)
    what = {
        "added": "{layer} added: {after}",
        "removed": "{layer} removed: {before}",
        "changed": "{layer}, now {new_name}: {before} became {after}"
        if change.new_name
        else "{layer}: {before} became {after}",
        "renamed": "{layer} renamed to {new_name}",
        "moved": "{layer} moved to {new_name}" if change.new_name else "{layer} moved",
    }[change.kind]
    total = "" if convention_name == "macs" else format_cost_heading(find_convention(convention_name))
    differences = [
        f"{{{metric}}} {unit}"
        for metric, unit in (("macs", "MACs"), ("total", total), ("params", "parameters"))
        if unit and getattr(change, metric)
    ]
    whole = "the model itself"
    return Note(
        text=", ".join([what, *differences]),
        figures={
            "layer": Figure("text", change.name or whole),
            "new_name": Figure("text", change.new_name or whole),
            "before": Figure("form", before),
            "after": Figure("form", after),
            **{metric: Figure("signed", getattr(change, metric)) for metric in ("macs", "total", "params")},
        },
    )


def note_snapshot(snapshot: Snapshot) -> tuple[Note, ...]:
    """Note what a reader of its figures should know, such as which values decide them."""
    model = Figure("text", snapshot.model)
    return tuple(
        Note(text="{model}: {note}.", figures={"model": model, "note": Figure("text", text)})
        for text in snapshot.notes
    )


def note_input_changes(name: str, found: Diff) -> Iterable[Note]:
    """Note the inputs that have another shape or dtype now."""
    before, after = found.before.inputs, found.after.inputs
    if [given.shape for given in before] != [given.shape for given in after]:
        yield _note_input_change(
            name, *(Figure("shapes", tuple(given.shape for given in each)) for each in (before, after))
        )
    if [given.dtype for given in before] != [given.dtype for given in after]:
        yield _note_input_change(
            name, *(Figure("names", tuple(given.dtype for given in each)) for each in (before, after))
        )


def _note_input_change(name: str, before: Figure, after: Figure) -> Note:
    return Note(
        text="{model}: its input {before} became {after}",
        figures={"model": Figure("text", name), "before": before, "after": after},
    )


def _has_any(rows: Iterable[Row], key: str) -> bool:
    return any(row.get(key) for row in rows)


def note_conventions(snapshots: Iterable[Snapshot]) -> Iterable[Note]:
    """Note what each convention of the snapshots counts, once."""
    for name in dict.fromkeys(snapshot.convention for snapshot in snapshots):
        yield note_convention(find_convention(name))


def name_metric(metric: Metric, snapshot: Snapshot) -> str:
    """Name a metric for people; the total carries the name of its convention."""
    if metric == "total":
        return format_cost_heading(find_convention(snapshot.convention))
    return _NAMES[metric]


_NAMES: dict[Metric, str] = {
    "macs": "MACs",
    "params": "parameters",
    "buffers": "buffers",
    "peak_memory": "peak memory (bytes)",
    "training_memory": "training memory (bytes)",
}


def find_verb(metric: Metric) -> str:
    """Return the verb that goes with the name of a metric."""
    return "is" if metric in MEMORY_METRICS else "are"
