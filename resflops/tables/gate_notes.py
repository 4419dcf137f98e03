"""The cost gate's verdicts in sentences: what is found, which layers did it, and what to do about it."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from resflops.errors import pluralize
from resflops.gate.config import ModelConfig
from resflops.gate.snapshot import MEMORY_METRICS, Metric, Snapshot
from resflops.gate.verdict import Basis, Finding, Verdict
from resflops.tables.expensive_layers import note_expensive_layers
from resflops.tables.held_changes import note_held_changes
from resflops.tables.layer_changes import (
    find_verb,
    name_metric,
    note_change,
    note_input_changes,
    note_snapshot,
)
from resflops.tables.table import Figure, Note, describe_calls

__all__ = [
    "note_advice",
    "note_changed_basis",
    "note_finding",
    "note_locked",
    "note_over_budget",
    "note_reasons",
    "note_uncounted",
    "note_verdict",
]

MOST_REASONS = 10
"""The most changed layers in an annotation or a failure message."""


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


def note_over_budget(now: Snapshot, model: ModelConfig, *, config: str) -> Iterable[Note]:
    """Note each figure of a model that was just locked and is over its budget all the same."""
    for metric, budget in model.budgets.items():
        if now.metric(metric) > budget.limit:
            yield Note(
                text=f"{{model}}: {{figure}} {find_verb(metric)} {{now}}, and the budget in "
                "{config}:{line} is {budget}; it is "
                "locked, but `resflops check` fails until the model is cheaper or the budget is raised",
                figures={
                    "model": Figure("text", now.model),
                    "figure": Figure("text", name_metric(metric, now)),
                    "now": Figure("count", now.metric(metric)),
                    "config": Figure("text", config),
                    "line": Figure("text", budget.line),
                    "budget": Figure("count", budget.limit),
                },
            )


def note_verdict(verdict: Verdict) -> tuple[Note, ...]:
    """Write a failed verdict as sentences: limits broken, ops uncounted, the layers that did it, notes."""
    over = [finding for finding in verdict.findings if finding.over_lock or finding.over_budget]
    budgets = [finding.metric for finding in over if finding.over_budget]
    return (
        *(note_finding(verdict, finding) for finding in over),
        *([note_changed_basis(verdict)] if verdict.changed else []),
        *([note_uncounted(verdict)] if verdict.uncounted else []),
        *(note for metric in budgets for note in note_expensive_layers(verdict.now, metric)),
        *_note_changes(verdict),
        *(note for each in over for note in _note_held(verdict, each.metric)),
        *note_snapshot(verdict.now),
    )


def note_finding(verdict: Verdict, finding: Finding) -> Note:
    """Write a finding as a sentence: ``resnet34: MACs went from … to … (+3.16 %); the lock allows …``."""
    limits = []
    if finding.over_lock:
        limits.append("the lock allows {allowed}")
    if finding.over_budget:
        limits.append("the budget is {budget}" + (" ({written})" if _is_memory(finding) else ""))
    if finding.incomplete:
        limits.append("an op without a rule is missing from this figure")
    moved = (
        f"{find_verb(finding.metric)} {{now}}"
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
            "written": Figure("text", finding.budget.text if finding.budget else ""),
            "change": Figure("signed", finding.change),
            "share": Figure("signed share", None if finding.share is None else float(finding.share)),
        },
    )


def _is_memory(finding: Finding) -> bool:
    return finding.metric in MEMORY_METRICS


def note_changed_basis(verdict: Verdict) -> Note:
    """Note that the lock does not hold for a model any more, because of what its figures stand on."""
    locked = verdict.locked
    assert locked is not None  # noqa: S101 - nothing can have changed without one
    before, after = _list_bases(locked), _list_bases(verdict.now)
    names = {"input": "input", "dtype": "input", "convention": "convention"}
    differences = [
        f"its {names[basis]} {{{basis}_before}} became {{{basis}_after}}" for basis in verdict.changed
    ]
    figures = {f"{basis}_before": before[basis] for basis in verdict.changed}
    figures |= {f"{basis}_after": after[basis] for basis in verdict.changed}
    return Note(
        text=f"{{model}}: {' and '.join(differences)}, so its figures cannot be compared with the lock",
        figures={"model": Figure("text", verdict.model), **figures},
    )


def _list_bases(snapshot: Snapshot) -> dict[Basis, Figure]:
    return {
        "input": Figure("shapes", tuple(given.shape for given in snapshot.inputs)),
        "dtype": Figure("names", tuple(given.dtype for given in snapshot.inputs)),
        "convention": Figure("text", snapshot.convention),
    }


def note_reasons(verdict: Verdict, finding: Finding) -> tuple[Note, ...]:
    """Note why one figure is what it is: its most expensive layers if it is over budget, and what changed."""
    if finding.changed:
        return (note_changed_basis(verdict),)
    expensive = note_expensive_layers(verdict.now, finding.metric) if finding.over_budget else ()
    if _is_memory(finding):
        return (*expensive, *_note_held(verdict, finding.metric))
    return (*expensive, *_note_changes(verdict, finding.metric))


def _note_held(verdict: Verdict, metric: Metric) -> Iterable[Note]:
    """Note what layers hold more or less at a peak of memory."""
    # Where the input changed, every layer did.
    if verdict.diff is None or verdict.changed or metric not in MEMORY_METRICS:
        return ()
    return note_held_changes(verdict.diff, metric, most=MOST_REASONS)


def _note_changes(verdict: Verdict, metric: Metric | None = None) -> tuple[Note, ...]:
    """Note the layers that changed; for one metric, those that changed it."""
    # Where the input changed, every layer did.
    if verdict.diff is None or verdict.changed:
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


def note_uncounted(verdict: Verdict) -> Note:
    """Note the ops that make a verdict fail because they have no rule."""
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


def note_advice(verdicts: Sequence[Verdict], *, config: str, lock: str) -> Iterable[Note]:
    """Note what to do about each kind of verdict, each command with the models that it is for."""
    yield from (note_uncounted(verdict) for verdict in verdicts if verdict.uncounted)
    yield from (note_changed_basis(verdict) for verdict in verdicts if verdict.changed)
    for applies, text in _ADVICE:
        names = [verdict.model for verdict in verdicts if applies(verdict)]
        if names:
            yield Note(
                text=text,
                figures={
                    "models": Figure("names", tuple(names)),
                    "command": Figure("text", f"resflops lock {shlex.join(names)}"),
                    "config": Figure("text", config),
                    "lock": Figure("text", lock),
                },
            )
    if all(verdict.passed and verdict.as_locked for verdict in verdicts):
        yield Note(text="Nothing to do: the models cost what is locked.", audience="people")


def _is_lower_bound(verdict: Verdict) -> bool:
    return any(finding.standing == "incomplete" for finding in verdict.findings)


def _is_stale(verdict: Verdict) -> bool:
    """Whether a verdict passes and is not quite what is locked, without being cheaper."""
    return verdict.passed and not (
        verdict.as_locked or verdict.cheaper or verdict.lacks_memory or _is_lower_bound(verdict)
    )


_ADVICE: tuple[tuple[Callable[[Verdict], bool], str], ...] = (
    (
        lambda verdict: bool(verdict.changed),
        "To lock what it costs now, if that is intended: {command}, and commit {lock}.",
    ),
    (
        lambda verdict: verdict.over_lock,
        "To accept what is over the lock: {command}, and commit {lock}.",
    ),
    (
        lambda verdict: verdict.over_budget,
        "Over budget, which a new lock does not change: make {models} cheaper, or raise the budget "
        "in {config}.",
    ),
    (
        lambda verdict: _is_lower_bound(verdict) and verdict.passed,
        "Ops that allow-uncounted lets pass are missing from the figures of {models}: they are lower bounds, "
        "and lower ones need not be cheaper. To lock them: {command}, and commit {lock}.",
    ),
    (
        lambda verdict: verdict.cheaper,
        "Cheaper than locked; to hold it to that: {command}, and commit {lock}.",
    ),
    (
        lambda verdict: verdict.lacks_memory,
        "The lock does not have the memory of {models} yet, so only budgets hold it; to lock it: "
        "{command}, and commit {lock}.",
    ),
    (_is_stale, "Within the limits, but not quite what is locked; to renew {lock}: {command}."),
)
"""For each kind of verdict, what to do about it; for a model with several, each sentence stands."""
