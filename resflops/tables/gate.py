"""The cost gate's tables: the verdict on every model, and the layers to blame."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from resflops.errors import pluralize
from resflops.gate.snapshot import Metric, Snapshot
from resflops.gate.verdict import Finding, Verdict
from resflops.tables.layer_changes import (
    build_layer_change_tables,
    name_metric,
    note_change,
    note_conventions,
    note_input_changes,
    note_snapshot,
)
from resflops.tables.stored import build_stored_columns, note_stored
from resflops.tables.table import Check, Column, Figure, Note, Row, Table, describe_calls, show_people_if

__all__ = ["build_check_table", "note_locked", "note_verdict"]

MOST_REASONS = 10
"""The most changed layers in an annotation or a failure message."""


def build_check_table(
    verdicts: Sequence[Verdict], *, config: str, lock: str, everything: bool = False
) -> Table:
    """Build the table of ``resflops check``.

    Args:
        verdicts: the verdict on every model, in the order in which they are configured.
        config: path of the configuration, for people.
        lock: path of the lock file, for people.
        everything: show people all layers and figures.
    """
    rows = [row for verdict in verdicts for row in _build_verdict_rows(verdict)]
    quiet = [place for place, row in enumerate(rows) if row["passed"] and row["quiet"]]
    compared = [(verdict.model, verdict.diff) for verdict in verdicts if verdict.diff]
    return Table(
        title=f"Cost gate: {_describe_outcome(verdicts)}",
        facts={"passed": all(verdict.passed for verdict in verdicts), "lock": lock},
        columns=_build_columns(rows),
        rows=tuple(rows),
        hidden=frozenset() if everything else frozenset(quiet),
        notes=(
            *note_conventions(verdict.now for verdict in verdicts),
            *(note for name, found in compared for note in note_input_changes(name, found)),
            *(note for verdict in verdicts for note in note_snapshot(verdict.now)),
            *_note_advice(verdicts, lock),
            *note_stored((verdict.model, verdict.now.stored) for verdict in verdicts),
        ),
        below=build_layer_change_tables(compared, everything=everything),
        checks=tuple(check for verdict in verdicts for check in _build_checks(verdict, config)),
    )


def note_locked(now: Snapshot, before: Snapshot | None) -> Note:
    """Note what a model costs that was just locked, and what it cost before."""
    changed = before is not None and before.macs != now.macs
    return Note(
        text="{model}: was {before} MACs, now {now} MACs, {params} parameters"
        if changed
        else "{model}: {now} MACs, {params} parameters",
        figures={
            "model": Figure("text", now.model),
            "before": Figure("count", before.macs if before else None),
            "now": Figure("count", now.macs),
            "params": Figure("count", now.params),
        },
    )


def note_verdict(verdict: Verdict) -> tuple[Note, ...]:
    """Write a failed verdict as sentences: limits broken, ops uncounted, layers to blame, and its notes."""
    return (
        *(_note_finding(verdict, finding) for finding in verdict.findings if not finding.passed),
        *([_note_uncounted(verdict)] if verdict.uncounted else []),
        *_note_reasons(verdict),
        *note_snapshot(verdict.now),
    )


def _describe_outcome(verdicts: Sequence[Verdict]) -> str:
    failed = [verdict.model for verdict in verdicts if not verdict.passed]
    if not failed:
        return f"{verdicts[0].model} passes" if len(verdicts) == 1 else f"all {len(verdicts)} models pass"
    of_all = f", {len(failed)} of {len(verdicts)} models" if len(verdicts) > 1 else ""
    return f"{', '.join(failed)} failed{of_all}"


def _build_verdict_rows(verdict: Verdict) -> Iterable[Row]:
    for finding in verdict.findings:
        yield {
            "model": verdict.model,
            "convention": verdict.now.convention,
            "stored": verdict.now.stored,
            "metric": finding.metric,
            "figure": name_metric(finding.metric, verdict.now),
            "locked": finding.locked,
            "now": finding.now,
            "change": finding.change,
            "share": None if finding.share is None else float(finding.share),
            "allowed": finding.allowed,
            "budget": finding.budget.limit if finding.budget else None,
            "verdict": finding.standing,
            "passed": finding.passed,
            "complete": not verdict.now.uncounted or finding.metric in {"params", "buffers"},
            # For a model that has not changed one row is enough.
            "quiet": not finding.change and finding is not verdict.findings[0],
        }
    if verdict.uncounted:
        yield {
            "model": verdict.model,
            "convention": verdict.now.convention,
            "stored": verdict.now.stored,
            "metric": "uncounted",
            "figure": "uncounted ops",
            "now": len({line.op for line in verdict.uncounted}),
            "verdict": "not counted",
            "passed": False,
            "quiet": False,
        }


def _build_columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    def has_value(key: str) -> bool:
        return any(row.get(key) is not None for row in rows)

    # Where no more is allowed than is locked, the column would only repeat the one before it.
    loose = any(row.get("allowed") != row.get("locked") for row in rows)
    return (
        Column(key="model", heading="model", repeats=False),
        Column(key="convention", audience="programs"),
        Column(key="metric", audience="programs"),
        Column(key="figure", heading="figure", audience="people"),
        Column(key="locked", heading="locked", kind="count", audience=show_people_if(has_value("locked"))),
        Column(key="now", heading="now", kind="count", exact_if="complete"),
        Column(key="change", heading="change", kind="signed", audience=show_people_if(has_value("locked"))),
        Column(
            key="share",
            heading="share",
            kind="signed share",
            audience=show_people_if(any(row.get("share") for row in rows)),
            detail=3,
        ),
        Column(key="allowed", heading="allowed", kind="count", audience=show_people_if(loose), detail=1),
        Column(
            key="budget",
            heading="budget",
            kind="count",
            audience=show_people_if(has_value("budget")),
            detail=2,
        ),
        Column(key="verdict", heading="verdict"),
        Column(key="passed", audience="programs"),
        Column(key="complete", audience="programs"),
        *build_stored_columns(rows),
    )


def _build_checks(verdict: Verdict, config: str) -> Iterable[Check]:
    for finding in verdict.findings:
        failed = [_note_finding(verdict, finding), *_note_reasons(verdict, finding.metric)]
        better = finding.standing == "cheaper"
        yield Check(
            subject=verdict.model,
            name=name_metric(finding.metric, verdict.now),
            outcome="failed" if not finding.passed else "better" if better else "passed",
            notes=tuple(failed) if better or not finding.passed else (),
            path=config,
            # An annotation stands beside the budget that is broken, or else beside the model.
            line=finding.budget.line if finding.budget and finding.over_budget else verdict.line,
        )
    counted = not verdict.uncounted
    yield Check(
        subject=verdict.model,
        name="uncounted ops",
        outcome="passed" if counted else "failed",
        notes=() if counted else (_note_uncounted(verdict),),
        path=config,
        line=verdict.line,
    )


def _note_finding(verdict: Verdict, finding: Finding) -> Note:
    """Write a finding as a sentence: ``resnet34: MACs went from … to … (+3.16 %); the lock allows …``."""
    limits = []
    if finding.over_lock:
        limits.append("the lock allows {allowed}")
    if finding.over_budget:
        limits.append("the budget is {budget}")
    moved = (
        "are {now}"
        if not finding.change
        else "went from {locked} to {now} ({change}, {share})"
        if finding.locked
        else "went from {locked} to {now}"
    )
    return Note(
        text="; ".join([f"{{model}}: {{figure}} {moved}", *limits]),
        figures={
            "model": Figure("text", verdict.model),
            "figure": Figure("text", name_metric(finding.metric, verdict.now)),
            "now": Figure("count", finding.now),
            "locked": Figure("count", finding.locked),
            "allowed": Figure("count", finding.allowed),
            "budget": Figure("count", finding.budget.limit if finding.budget else None),
            "change": Figure("signed", finding.change),
            "share": Figure("signed share", None if finding.share is None else float(finding.share)),
        },
    )


def _note_reasons(verdict: Verdict, metric: Metric | None = None) -> tuple[Note, ...]:
    """Note the layers to blame; for one metric, those that changed it."""
    if verdict.diff is None:
        return ()
    changes = [change for change in verdict.diff.changes if metric is None or change.of(metric)]
    more = Note(
        text=f"and {{count}} more {pluralize('change', len(changes) - MOST_REASONS)}",
        figures={"count": Figure("count", len(changes) - MOST_REASONS)},
    )
    return (
        *note_input_changes(verdict.model, verdict.diff),
        *(note_change(change, verdict.now.convention) for change in changes[:MOST_REASONS]),
        *([more] if len(changes) > MOST_REASONS else []),
    )


def _note_uncounted(verdict: Verdict) -> Note:
    ops = Counter(line.op for line in verdict.uncounted)
    return Note(
        text="{model}: uncounted: {ops}; give each a rule with @resflops.rule, "
        "or let it pass by name with allow-uncounted",
        figures={
            "model": Figure("text", verdict.model),
            "ops": Figure("names", tuple(f"{op} ({_describe_calls(verdict, op)})" for op in ops)),
        },
    )


def _describe_calls(verdict: Verdict, op: str) -> str:
    lines = [line for line in verdict.uncounted if line.op == op]
    calls = sum(line.calls for line in lines)
    return describe_calls(calls, lines[0].layer)


def _note_advice(verdicts: Sequence[Verdict], lock: str) -> Iterable[Note]:
    """Note what to do about it, each command with the models that it is for."""
    yield from (_note_uncounted(verdict) for verdict in verdicts if verdict.uncounted)
    over_lock = [verdict for verdict in verdicts if any(finding.over_lock for finding in verdict.findings)]
    cheaper = [verdict for verdict in verdicts if verdict.cheaper]
    stale = [
        verdict
        for verdict in verdicts
        if not verdict.as_locked and verdict not in over_lock and verdict not in cheaper
    ]
    for concerned, text in (
        (over_lock, "To accept what is over the lock: resflops lock {models}, and commit {lock}."),
        (cheaper, "Cheaper than locked; to hold it to that: resflops lock {models}, and commit {lock}."),
        (stale, "Within the limits, but not quite what is locked; to renew {lock}: resflops lock {models}."),
    ):
        if concerned:
            models = shlex.join(verdict.model for verdict in concerned)
            yield Note(text=text, figures={"models": Figure("text", models), "lock": Figure("text", lock)})
