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
from resflops.gate.snapshot import Metric, Snapshot, SnapshotLine

__all__ = ["Finding", "Standing", "Verdict", "check_lock_names", "judge"]

Standing = Literal[
    "as locked",
    "within tolerance",
    "within budget",
    "cheaper",
    "over lock",
    "over budget",
    "over lock and budget",
]
"""How a figure compares with its limits; whatever is over a limit fails."""


class Finding(Struct, frozen=True, kw_only=True):
    """One metric of one model, compared with its limits."""

    metric: Metric
    now: int
    locked: int | None = None
    """The locked figure; None if the model is checked against budgets alone."""
    allowed: int | None = None
    """The locked figure plus its tolerance; None as above."""
    budget: Budget | None = None

    @property
    def over_lock(self) -> bool:
        """Whether it is more than the lock allows."""
        return self.allowed is not None and self.now > self.allowed

    @property
    def over_budget(self) -> bool:
        """Whether it is more than the budget allows."""
        return self.budget is not None and self.now > self.budget.limit

    @property
    def passed(self) -> bool:
        """Whether it breaks no limit."""
        return not (self.over_lock or self.over_budget)

    @property
    def change(self) -> int | None:
        """How much more it is than locked; None without a lock."""
        return None if self.locked is None else self.now - self.locked

    @property
    def share(self) -> Fraction | None:
        """The change as a part of the locked figure; None without a lock or if 0 was locked."""
        return Fraction(self.now - self.locked, self.locked) if self.locked else None

    @property
    def standing(self) -> Standing:
        """The result of the comparison in words."""
        if self.over_budget:
            return "over lock and budget" if self.over_lock else "over budget"
        if self.over_lock:
            return "over lock"
        if self.locked is None:
            return "within budget"
        if self.now == self.locked:
            return "as locked"
        return "cheaper" if self.now < self.locked else "within tolerance"


class Verdict(Struct, frozen=True, kw_only=True):
    """What the gate finds out about one model."""

    model: str
    now: Snapshot
    findings: tuple[Finding, ...]
    diff: Diff | None = None
    """The difference to the lock; None if the model is checked against budgets alone."""
    uncounted: tuple[SnapshotLine, ...] = ()
    """Lines of ops that did work, have no rule, and are not allowed to stay uncounted."""
    line: int = 1
    """The line of the configuration that names the model."""

    @property
    def passed(self) -> bool:
        """Whether no limit is broken, and no op is uncounted that must not be."""
        return not self.uncounted and all(finding.passed for finding in self.findings)

    @property
    def cheaper(self) -> bool:
        """Whether a figure went down and none is too high."""
        return self.passed and any(finding.standing == "cheaper" for finding in self.findings)

    @property
    def as_locked(self) -> bool:
        """Whether locking the model again would leave the lock as it is."""
        return self.diff is None or self.diff.before.locked == self.diff.after.locked


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

    Raises:
        UsageError: the lock is under another convention.
    """
    # A dict for a set in order: the metrics of the lock first, then those that have only a budget.
    metrics = dict.fromkeys([*(now.metrics if locked else ()), *budgets])
    return Verdict(
        model=now.model,
        now=now,
        findings=tuple(
            Finding(
                metric=metric,
                now=now.metric(metric),
                locked=locked.metric(metric) if locked else None,
                allowed=tolerances.get(metric, Tolerance()).compute_limit(locked.metric(metric))
                if locked
                else None,
                budget=budgets.get(metric),
            )
            for metric in metrics
        ),
        diff=diff_snapshots(locked, now) if locked else None,
        uncounted=tuple(uncounted for uncounted in now.uncounted if uncounted.op not in allowed),
        line=line,
    )


def check_lock_names(config: Config, lock: Lock, models: tuple[ModelConfig, ...]) -> None:
    """Check that the lock and the configuration have the same models, under the same conventions.

    Args:
        config: the configuration, all of whose models the lock may have.
        lock: the lock.
        models: the models that are going to be compared, which the lock must have.

    Raises:
        SchemaError: the lock lacks a model, has one that is not configured, or has another convention.
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
        locked = lock.snapshots[model.name].convention
        if locked != model.convention:
            raise SchemaError(
                f"{shorten_path(config.path)}:{model.line}: the model {model.name!r} has the convention "
                f"{model.convention}, but {shorten_path(config.lock)} has it under {locked}; "
                "if the change is intended, run `resflops lock`"
            )
