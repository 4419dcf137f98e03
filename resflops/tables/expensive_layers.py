"""The most expensive layers of what is over a budget: as a table, and in sentences."""

from collections.abc import Iterable, Sequence

from resflops.gate.diff import summarize_change
from resflops.gate.snapshot import MEMORY_METRICS, HeldLine, Metric, Snapshot, SnapshotLine
from resflops.gate.verdict import Verdict
from resflops.tables.layer_changes import name_metric
from resflops.tables.table import Column, Figure, Note, Row, Table, show_people_if

__all__ = ["build_expensive_layer_tables", "note_expensive_layers"]

MOST_LAYERS = 5
"""The most layers that are named of each figure over its budget."""


def build_expensive_layer_tables(verdicts: Sequence[Verdict]) -> tuple[Table, ...]:
    """Build the table of the most expensive layers of each figure over its budget; none if none is."""
    rows = [row for verdict in verdicts for row in _build_rows(verdict)]
    if not rows:
        return ()
    several = len({row["model"] for row in rows}) > 1
    return (
        Table(
            name="expensive_layers",
            title="Most expensive layers of what is over budget",
            columns=(
                Column(key="model", heading="model", repeats=False, audience=show_people_if(several)),
                Column(key="metric", audience="programs"),
                Column(key="figure", heading="figure", repeats=several, audience="people"),
                Column(key="layer", heading="layer", empty="(the model itself)"),
                Column(key="op", heading="op", audience="programs"),
                Column(key="form", heading="is", kind="form", detail=1),
                Column(key="amount", heading="amount", kind="count"),
                Column(key="share", heading="share", kind="share"),
            ),
            rows=tuple(rows),
        ),
    )


def _build_rows(verdict: Verdict) -> Iterable[Row]:
    for finding in verdict.findings:
        if not finding.over_budget:
            continue
        for line in _find_most_expensive(verdict.now, finding.metric):
            amount = line.metric(finding.metric)
            yield {
                "model": verdict.model,
                "metric": finding.metric,
                "figure": name_metric(finding.metric, verdict.now),
                "layer": line.layer,
                "op": line.op if isinstance(line, SnapshotLine) else "",
                "form": summarize_change(None, line)[1] if isinstance(line, SnapshotLine) else None,
                "amount": amount,
                "share": amount / finding.now,
            }


def _find_most_expensive(snapshot: Snapshot, metric: Metric) -> list[SnapshotLine | HeldLine]:
    lines: tuple[SnapshotLine | HeldLine, ...] = (
        snapshot.memory if metric in MEMORY_METRICS else snapshot.lines
    )
    return sorted(filter(lambda line: line.metric(metric), lines), key=lambda line: -line.metric(metric))[
        :MOST_LAYERS
    ]


def note_expensive_layers(snapshot: Snapshot, metric: Metric) -> Iterable[Note]:
    """Note the most expensive layers: ``most expensive: conv1: 7×7×3→64 at 112×112, 118,013,952 MACs``."""
    whole = snapshot.metric(metric)
    for line in _find_most_expensive(snapshot, metric):
        amount = line.metric(metric)
        if isinstance(line, HeldLine):
            yield _note_holder(line.layer, amount, metric, amount / whole)
            continue
        yield Note(
            text="most expensive: {layer}: {form}, {amount} {figure} ({share})",
            figures={
                "layer": Figure("text", line.layer or "the model itself"),
                "form": Figure("form", summarize_change(None, line)[1]),
                "amount": Figure("count", amount),
                "figure": Figure("text", name_metric(metric, snapshot)),
                "share": Figure("share", amount / whole if whole else 0.0),
            },
        )


def _note_holder(layer: str, amount: int, metric: Metric, share: float) -> Note:
    of_training = " of training" if metric == "training_memory" else ""
    return Note(
        text=f"most memory: {{layer}} holds {{amount}} bytes at the peak{of_training} ({{share}})",
        figures={
            "layer": Figure("text", layer or "the model itself"),
            "amount": Figure("count", amount),
            "share": Figure("share", share),
        },
    )
