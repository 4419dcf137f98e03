"""Whether a model stays within its limits, and what is to blame if not."""

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
"""Where a figure stands; those that are over a limit fail."""


class Finding(Struct, frozen=True, kw_only=True):
    """One metric of one model."""

    metric: Metric
    now: int
    locked: int | None = None
    """None where the model is held to budgets alone."""
    allowed: int | None = None
    """The locked figure and its tolerance."""
    budget: Budget | None = None

    @property
    def over_lock(self) -> bool:
        """Whether it is more than the lock lets through."""
        return self.allowed is not None and self.now > self.allowed

    @property
    def over_budget(self) -> bool:
        """Whether it is more than the budget."""
        return self.budget is not None and self.now > self.budget.limit

    @property
    def passed(self) -> bool:
        """Whether it breaks no limit."""
        return not (self.over_lock or self.over_budget)

    @property
    def change(self) -> int | None:
        """How much more than locked."""
        return None if self.locked is None else self.now - self.locked

    @property
    def share(self) -> Fraction | None:
        """The change as a part of the locked figure."""
        return Fraction(self.now - self.locked, self.locked) if self.locked else None

    @property
    def standing(self) -> Standing:
        """The finding in words."""
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
    """What the gate says of one model."""

    model: str
    now: Snapshot
    findings: tuple[Finding, ...]
    diff: Diff | None = None
    """The difference to the lock; None where the model is held to budgets alone."""
    uncounted: tuple[SnapshotLine, ...] = ()
    """What did work, has no rule and is not allowed to stay uncounted."""
    line: int = 1
    """Of the configuration, where the model is named."""

    @property
    def passed(self) -> bool:
        """Whether no limit is broken and nothing that matters is uncounted."""
        return not self.uncounted and all(finding.passed for finding in self.findings)

    @property
    def cheaper(self) -> bool:
        """Whether a figure has gone down and none is too high."""
        return self.passed and any(finding.standing == "cheaper" for finding in self.findings)

    @property
    def as_locked(self) -> bool:
        """Whether the lock would stay as it is."""
        return self.diff is None or self.diff.before == self.diff.after


def judge(
    now: Snapshot,
    *,
    locked: Snapshot | None,
    budgets: Mapping[Metric, Budget],
    tolerances: Mapping[Metric, Tolerance],
    allowed: frozenset[str] = frozenset(),
    line: int = 1,
) -> Verdict:
    """Hold a snapshot against what was locked, and against budgets.

    Args:
        now: what the model costs.
        locked: what it cost when it was locked; None to hold it to the budgets alone.
        budgets: the most that a metric may be.
        tolerances: how much more than locked is let through; nothing where none is given.
        allowed: ops that may stay uncounted.
        line: of the configuration, where the model is named.

    Raises:
        UsageError: the lock is under another convention.
    """
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
        uncounted=tuple(lacking for lacking in now.uncounted if lacking.op not in allowed),
        line=line,
    )


def check_lock_names(config: Config, lock: Lock, wanted: tuple[ModelConfig, ...]) -> None:
    """See that lock and configuration are about the same models, under the same conventions.

    Raises:
        SchemaError: the lock lacks a model, has one that is not configured, or another convention.
    """
    for name in lock.snapshots:
        if name not in config.models:
            raise SchemaError(
                f"{shorten_path(config.lock)} has the model {name!r}, and {shorten_path(config.path)} has not"
                f"{suggest(name, config.models)}; name it there, or run `resflops lock` to drop it"
            )
    for model in wanted:
        if model.name not in lock.snapshots:
            raise SchemaError(
                f"{shorten_path(config.path)}:{model.line}: the model {model.name!r} is not locked yet; "
                f"run `resflops lock` and commit {shorten_path(config.lock)}"
            )
        locked = lock.snapshots[model.name].convention
        if locked != model.convention:
            raise SchemaError(
                f"{shorten_path(config.path)}:{model.line}: the model {model.name!r} is to be counted under "
                f"{model.convention}, and {shorten_path(config.lock)} has it under {locked}; "
                "run `resflops lock` if that is meant"
            )
