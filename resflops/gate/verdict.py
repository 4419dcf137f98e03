"""Judge whether a model stays within its limits, and what has changed if it does not."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from resflops.errors import SchemaError, suggest
from resflops.gate.config import Budget, Config, ModelConfig
from resflops.gate.diff import Diff, diff_snapshots
from resflops.gate.limits import Tolerance
from resflops.gate.lockfile import Lock
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import MEMORY_METRICS, Metric, Snapshot, SnapshotLine

__all__ = ["Finding", "Standing", "Verdict", "check_lock_names", "judge", "judge_model"]

Standing = Literal[
    "as locked",
    "within tolerance",
    "within budget",
    "cheaper",
    "incomplete",
    "over lock",
    "over budget",
    "over lock and budget",
    "input changed",
    "dtype changed",
    "convention changed",
]
"""How a figure compares with its limits. What is over a limit fails, and so does what cannot be compared with
the lock, because something changed that decides the figure. A figure is incomplete that lacks an op without
a rule: it is a lower bound, which is never cheaper."""

Basis = Literal["input", "dtype", "convention"]
"""What a figure stands on besides the model: under another one it does not show how the model changed."""


class Finding(Struct, frozen=True, kw_only=True):
    """One metric of one model, compared with its limits."""

    metric: Metric
    now: int
    locked: int | None = None
    """The locked figure; None if the model is checked against budgets alone."""
    allowed: int | None = None
    """The locked figure plus its tolerance; None as above."""
    budget: Budget | None = None
    changed: Basis | None = None
    """What changed since it was locked, so that it cannot be compared; None if nothing did."""
    incomplete: bool = False
    """Whether it lacks an op without a rule, and so is a lower bound."""

    @property
    def over_lock(self) -> bool:
        """Whether it is more than the lock allows."""
        return self.changed is None and self.allowed is not None and self.now > self.allowed

    @property
    def over_budget(self) -> bool:
        """Whether it is more than the budget allows."""
        return self.budget is not None and self.now > self.budget.limit

    @property
    def passed(self) -> bool:
        """Whether it breaks no limit, and can be compared with the lock."""
        return not (self.over_lock or self.over_budget or self.changed)

    @property
    def change(self) -> int | None:
        """How much more it is than locked; None without a lock, or if the two cannot be compared."""
        return None if self.locked is None or self.changed else self.now - self.locked

    @property
    def share(self) -> Fraction | None:
        """The change as a part of the locked figure; None as above, or if 0 was locked."""
        return None if self.change is None or not self.locked else Fraction(self.change, self.locked)

    @property
    def standing(self) -> Standing:  # noqa: PLR0911 - one for each way to stand
        """The result of the comparison in words."""
        if self.over_budget:
            return "over lock and budget" if self.over_lock else "over budget"
        if self.over_lock:
            return "over lock"
        if self.changed:
            return _CHANGED[self.changed]
        if self.incomplete:
            return "incomplete"
        if self.locked is None:
            return "within budget"
        if self.now == self.locked:
            return "as locked"
        return "cheaper" if self.now < self.locked else "within tolerance"


_CHANGED: dict[Basis, Standing] = {
    "input": "input changed",
    "dtype": "dtype changed",
    "convention": "convention changed",
}


class Verdict(Struct, frozen=True, kw_only=True):
    """What the gate finds out about one model."""

    model: str
    now: Snapshot
    findings: tuple[Finding, ...]
    locked: Snapshot | None = None
    """What was locked; None if the model is checked against budgets alone."""
    diff: Diff | None = None
    """The difference to the lock; None as above, or if the lock is under another convention."""
    changed: tuple[Basis, ...] = ()
    """What changed since it was locked, so that the lock says nothing about the model as it is."""
    uncounted: tuple[SnapshotLine, ...] = ()
    """Lines of ops that did work, have no rule, and are not allowed to stay uncounted."""
    line: int = 1
    """The line of the configuration that names the model."""

    @property
    def passed(self) -> bool:
        """Whether no limit is broken, the lock holds for it, and no op is uncounted that must not be."""
        return not self.uncounted and not self.changed and all(finding.passed for finding in self.findings)

    @property
    def over_lock(self) -> bool:
        """Whether a figure is more than the lock allows."""
        return any(finding.over_lock for finding in self.findings)

    @property
    def over_budget(self) -> bool:
        """Whether a figure is more than its budget allows."""
        return any(finding.over_budget for finding in self.findings)

    @property
    def cheaper(self) -> bool:
        """Whether a figure went down, none is too high, and none is a lower bound that may be."""
        standings = {finding.standing for finding in self.findings}
        return self.passed and "cheaper" in standings and "incomplete" not in standings

    @property
    def lacks_memory(self) -> bool:
        """Whether the lock lacks memory that the configuration asks for, as one of an older resflops does."""
        return self.locked is not None and not set(self.now.memory_metrics) <= set(self.locked.memory_metrics)

    @property
    def as_locked(self) -> bool:
        """Whether locking the model again would leave the lock as it is."""
        return self.locked is None or self.locked.locked == self.now.locked


def judge(
    now: Snapshot,
    *,
    locked: Snapshot | None,
    budgets: Mapping[Metric, Budget],
    tolerances: Mapping[Metric, Tolerance],
    allowed: frozenset[str] = frozenset(),
    line: int = 1,
) -> Verdict:
    """Compare a snapshot with what was locked, and with budgets.

    Args:
        now: what the model costs.
        locked: what it cost when it was locked; None to check it against the budgets alone.
        budgets: the limits of metrics.
        tolerances: how far above the locked figures is still allowed; nothing for a metric without one.
        allowed: ops that may stay uncounted.
        line: the line of the configuration that names the model.
    """
    changed = _find_changed_bases(locked, now) if locked else ()
    # A dict for a set in order: the metrics of the lock first, then those that have only a budget.
    # A lock of before there was memory in it says nothing of that, as one says nothing that it was not asked.
    held = [metric for metric in now.metrics if locked and _has_metric(locked, metric)]
    metrics = dict.fromkeys([*held, *budgets])
    return Verdict(
        model=now.model,
        now=now,
        findings=tuple(
            _judge_metric(
                metric,
                now,
                locked,
                changed=changed,
                budget=budgets.get(metric),
                tolerance=tolerances.get(metric, Tolerance()),
            )
            for metric in metrics
        ),
        locked=locked,
        diff=diff_snapshots(locked, now) if locked and "convention" not in changed else None,
        changed=changed,
        uncounted=tuple(uncounted for uncounted in now.uncounted if uncounted.op not in allowed),
        line=line,
    )


def judge_model(model: ModelConfig, now: Snapshot, lock: Lock) -> Verdict:
    """Compare a configured model with what is locked of it, and with its budgets."""
    return judge(
        now,
        locked=lock.snapshots[model.name],
        budgets=model.budgets,
        tolerances=model.tolerances,
        allowed=model.allowed,
        line=model.line,
    )


def _find_changed_bases(locked: Snapshot, now: Snapshot) -> tuple[Basis, ...]:
    bases: list[Basis] = []
    if [given.shape for given in locked.inputs] != [given.shape for given in now.inputs]:
        bases.append("input")
    if [given.dtype for given in locked.inputs] != [given.dtype for given in now.inputs]:
        bases.append("dtype")
    if locked.convention != now.convention:
        bases.append("convention")
    return tuple(bases)


def _has_metric(snapshot: Snapshot, metric: Metric) -> bool:
    return metric not in MEMORY_METRICS or metric in snapshot.memory_metrics


_OF_WORK: tuple[Metric, ...] = ("macs", "total")
"""The metrics that depend on the rules of the ops; and as those of memory do, on the input."""


def _judge_metric(
    metric: Metric,
    now: Snapshot,
    locked: Snapshot | None,
    *,
    changed: tuple[Basis, ...],
    budget: Budget | None,
    tolerance: Tolerance,
) -> Finding:
    figure = now.metric(metric)
    # A total under another convention is a figure of another kind.
    comparable = (
        locked and _has_metric(locked, metric) and not (metric == "total" and "convention" in changed)
    )
    before = locked.metric(metric) if locked and comparable else None
    is_of_work = metric in _OF_WORK
    # What was as incomplete when it was locked is what it was.
    same = locked is not None and figure == before and locked.uncounted == now.uncounted
    return Finding(
        metric=metric,
        now=figure,
        locked=before,
        allowed=None if before is None else tolerance.compute_limit(before),
        budget=budget,
        changed=_find_basis(metric, changed) if before is not None or metric == "total" else None,
        incomplete=is_of_work and bool(now.uncounted) and not same,
    )


def _find_basis(metric: Metric, changed: tuple[Basis, ...]) -> Basis | None:
    """Find what changed of what a figure stands on; memory stands on no convention."""
    if metric in MEMORY_METRICS:
        changed = tuple(basis for basis in changed if basis != "convention")
    elif metric not in _OF_WORK:
        return None
    return changed[0] if changed else None


def check_lock_names(config: Config, lock: Lock, models: tuple[ModelConfig, ...]) -> None:
    """Check that the lock and the configuration have the same models.

    Args:
        config: the configuration, all of whose models the lock may have.
        lock: the lock.
        models: the models that are going to be compared, which the lock must have.

    Raises:
        SchemaError: the lock lacks a model, or has one that is not configured.
    """
    for name in lock.snapshots:
        if name not in config.models:
            raise SchemaError(
                f"{shorten_path(config.lock)} has the model {name!r}, "
                f"but {shorten_path(config.path)} does not{suggest(name, config.models)}; "
                "add it there, or run `resflops lock` to drop it"
            )
    for model in models:
        if model.name not in lock.snapshots:
            raise SchemaError(
                f"{shorten_path(config.path)}:{model.line}: the model {model.name!r} is not locked yet; "
                f"run `resflops lock` and commit {shorten_path(config.lock)}"
            )
