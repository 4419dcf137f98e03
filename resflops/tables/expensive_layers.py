"""The most expensive layers of what is over a budget: as a table, and in sentences."""

from collections.abc import Iterable, Sequence

from resflops.gate.diff import summarize_change
from resflops.gate.snapshot import MEMORY_METRICS, Metric, Snapshot, SnapshotLine
from resflops.gate.verdict import Verdict
from resflops.tables.layer_changes import make_figure, name_metric
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
        if finding.metric in MEMORY_METRICS:
            yield from _build_memory_rows(verdict, finding.metric)
            continue
        for line in _find_most_expensive(verdict.now, finding.metric):
            amount = int(getattr(line, finding.metric))
            yield {
                "model": verdict.model,
                "metric": finding.metric,
                "figure": name_metric(finding.metric, verdict.now),
                "layer": line.layer,
                "op": line.op,
                "form": summarize_change(None, line)[1],
                "amount": amount,
                "share": amount / finding.now,
            }


def _build_memory_rows(verdict: Verdict, metric: Metric) -> Iterable[Row]:
    held = verdict.now.memory[metric]
    for layer, size in list(held.layers.items())[:MOST_LAYERS]:
        yield {
            "model": verdict.model,
            "metric": metric,
            "figure": f"{name_metric(metric, verdict.now)} (bytes)",
            "layer": layer,
            "op": "",
            "form": None,
            "amount": size,
            "share": size / held.size,
        }


def _find_most_expensive(snapshot: Snapshot, metric: Metric) -> list[SnapshotLine]:
    lines = [line for line in snapshot.lines if getattr(line, metric)]
    return sorted(lines, key=lambda line: -int(getattr(line, metric)))[:MOST_LAYERS]


def note_expensive_layers(snapshot: Snapshot, metric: Metric) -> Iterable[Note]:
    """Note the most expensive layers: ``most expensive: conv1: 7×7×3→64 at 112×112, 118,013,952 MACs``."""
    if metric in MEMORY_METRICS:
        yield from _note_holders(snapshot, metric)
        return
    whole = snapshot.metric(metric)
    for line in _find_most_expensive(snapshot, metric):
        amount = int(getattr(line, metric))
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


def _note_holders(snapshot: Snapshot, metric: Metric) -> Iterable[Note]:
    held = snapshot.memory[metric]
    for layer, size in list(held.layers.items())[:MOST_LAYERS]:
        yield Note(
            text="holds the most of the {figure}: {layer}, {size} ({share})",
            figures={
                "figure": Figure("text", name_metric(metric, snapshot)),
                "layer": Figure("text", layer or "the model itself"),
                "size": make_figure(metric, size),
                "share": Figure("share", size / held.size),
            },
        )
