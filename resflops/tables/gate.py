"""The cost gate's tables: the verdict on every model, the layers that did it, and why it could not run."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from resflops.gate.problems import Problem
from resflops.gate.verdict import Verdict
from resflops.tables.expensive_layers import build_expensive_layer_tables
from resflops.tables.gate_notes import (
    note_advice,
    note_changed_basis,
    note_finding,
    note_reasons,
    note_uncounted,
)
from resflops.tables.held_changes import build_held_change_tables
from resflops.tables.layer_changes import (
    build_layer_change_tables,
    name_metric,
    note_conventions,
    note_snapshot,
)
from resflops.tables.stored import build_stored_columns, note_stored
from resflops.tables.table import Check, Column, Figure, Note, Row, Table, show_people_if

__all__ = ["build_check_table", "build_problem_table"]


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
    return Table(
        title=f"Cost gate: {_describe_outcome(verdicts)}",
        tone="good" if all(verdict.passed for verdict in verdicts) else "bad",
        facts={"passed": all(verdict.passed for verdict in verdicts), "lock": lock},
        columns=_build_columns(rows),
        rows=tuple(rows),
        hidden=frozenset() if everything else frozenset(quiet),
        notes=(
            *note_conventions(verdict.now for verdict in verdicts),
            *(note for verdict in verdicts for note in note_snapshot(verdict.now)),
            *note_advice(verdicts, config=config, lock=lock),
            *note_stored((verdict.model, verdict.now.stored) for verdict in verdicts),
        ),
        below=(
            *_build_change_tables(verdicts, everything=everything),
            *_build_held_tables(verdicts, everything=everything),
            *build_expensive_layer_tables(verdicts),
        ),
        checks=tuple(check for verdict in verdicts for check in _build_checks(verdict, config)),
    )


def build_problem_table(problems: Sequence[Problem], *, shorten: Callable[[Path], str]) -> Table:
    """Build the table of ``resflops check`` where it could not run.

    Args:
        problems: the reasons.
        shorten: writes a path as annotations need it.
    """
    paths = [shorten(problem.path) for problem in problems]
    return Table(
        title="Cost gate: could not run",
        tone="bad",
        name="problems",
        facts={"passed": False},
        columns=(
            Column(key="path", heading="file"),
            Column(key="line", heading="line", kind="count"),
            Column(key="message", heading="what is wrong", wraps=True),
        ),
        rows=tuple(
            {"path": path, "line": problem.line, "message": problem.message}
            for path, problem in zip(paths, problems, strict=True)
        ),
        checks=tuple(
            Check(
                subject="resflops check",
                name="could not run",
                outcome="error",
                reason="could not run",
                notes=(_note_problem(problem),),
                path=path,
                line=problem.line,
            )
            for path, problem in zip(paths, problems, strict=True)
        ),
    )


def _note_problem(problem: Problem) -> Note:
    return Note(text="{message}", figures={"message": Figure("lines", tuple(problem.message.split("\n")))})


def _build_change_tables(verdicts: Sequence[Verdict], *, everything: bool) -> tuple[Table, ...]:
    """Build the table of changed layers: those to blame where something is over, else all that changed."""
    # Where the input changed, every layer did, and that says nothing.
    hidden = {verdict.model for verdict in verdicts if verdict.changed}
    changed = [each for each in verdicts if each.diff and each.diff.changes and each.model not in hidden]
    blamed = [verdict for verdict in changed if _is_to_blame(verdict)]
    others = [verdict.model for verdict in changed if not _is_to_blame(verdict)]
    notes: tuple[Note, ...] = ()
    if blamed and others and not everything:
        hidden |= set(others)
        notes = (
            Note(
                text="The changed layers of {models} are not listed, since nothing there is over; "
                "--all shows them.",
                figures={"models": Figure("names", tuple(others))},
                audience="people",
            ),
        )
    title = "Changed layers, the largest change first"
    if blamed and (notes or not others):
        title = "Layers to blame, the most expensive first"
    elif changed and all(map(_got_cheaper, changed)):
        title = "What got cheaper, the largest change first"
    compared = [(verdict.model, verdict.diff) for verdict in verdicts if verdict.diff]
    return build_layer_change_tables(compared, everything=everything, title=title, hidden=hidden, notes=notes)


def _build_held_tables(verdicts: Sequence[Verdict], *, everything: bool) -> tuple[Table, ...]:
    """Build the table of what layers hold at the peaks of memory that are over a limit and grew."""
    compared = [
        (
            verdict.model,
            verdict.diff,
            [each.metric for each in verdict.findings if not each.passed and (each.change or 0) > 0],
        )
        for verdict in verdicts
        if verdict.diff and not verdict.changed
    ]
    return build_held_change_tables(compared, everything=everything)


def _is_to_blame(verdict: Verdict) -> bool:
    """Whether a change made a verdict fail: something is over the lock, or over its budget and grew."""
    grew = any((finding.change or 0) > 0 for finding in verdict.findings if finding.over_budget)
    return verdict.over_lock or grew


def _got_cheaper(verdict: Verdict) -> bool:
    changes = [finding.change or 0 for finding in verdict.findings]
    incomplete = any(finding.standing == "incomplete" for finding in verdict.findings)
    return not incomplete and min(changes, default=0) < 0 and max(changes, default=0) <= 0


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
            "tone": _TONES.get(finding.standing, "bad"),
            "passed": finding.passed,
            "complete": not verdict.now.uncounted or finding.metric not in {"macs", "total"},
            # For a model that has not changed one row is enough.
            "quiet": finding.passed and not finding.change and finding is not verdict.findings[0],
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
            "tone": "bad",
            "passed": False,
            "quiet": False,
        }


_TONES = {
    "as locked": "",
    "within budget": "good",
    "cheaper": "good",
    "within tolerance": "doubtful",
    "incomplete": "doubtful",
}
"""What a verdict says about the model, for formats that have colours; any other is bad."""


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
        Column(
            key="locked",
            heading="locked",
            kind="count",
            audience=show_people_if(has_value("locked")),
            detail=2,
        ),
        Column(key="now", heading="now", kind="count", exact_if="complete"),
        Column(
            key="change",
            heading="change",
            kind="signed",
            exact_if="complete",
            audience=show_people_if(has_value("locked")),
            detail=1,
            folds=False,
        ),
        Column(
            key="share",
            heading="change %",
            kind="signed share",
            exact_if="complete",
            audience=show_people_if(any(row.get("share") for row in rows)),
        ),
        Column(key="allowed", heading="allowed", kind="count", audience=show_people_if(loose), detail=4),
        Column(
            key="budget",
            heading="budget",
            kind="count",
            audience=show_people_if(has_value("budget")),
            detail=3,
        ),
        Column(key="verdict", heading="verdict", tone="tone"),
        Column(key="passed", audience="programs"),
        Column(key="complete", audience="programs"),
        *build_stored_columns(rows),
    )


def _build_checks(verdict: Verdict, config: str) -> Iterable[Check]:
    for finding in verdict.findings:
        better = finding.standing == "cheaper"
        failed = finding.over_lock or finding.over_budget
        reasons = (note_finding(verdict, finding), *note_reasons(verdict, finding))
        yield Check(
            subject=verdict.model,
            name=name_metric(finding.metric, verdict.now),
            outcome="failed" if failed else "better" if better else "passed",
            reason=finding.standing,
            notes=reasons if failed or better else (),
            path=config,
            # An annotation stands beside the budget that is broken, or else beside the model.
            line=finding.budget.line if finding.budget and finding.over_budget else verdict.line,
        )
    if verdict.changed:
        yield Check(
            subject=verdict.model,
            name="lock",
            outcome="failed",
            reason=f"{verdict.changed[0]} changed",
            notes=(note_changed_basis(verdict),),
            path=config,
            line=verdict.line,
        )
    counted = not verdict.uncounted
    yield Check(
        subject=verdict.model,
        name="uncounted ops",
        outcome="passed" if counted else "failed",
        reason="" if counted else "not counted",
        notes=() if counted else (note_uncounted(verdict),),
        path=config,
        line=verdict.line,
    )
