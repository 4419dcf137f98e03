"""The history of a model's cost: what it costs at each commit, and the commits and layers that changed it."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from resflops.gate.diff import Diff, diff_snapshots
from resflops.gate.history.cache import Figure
from resflops.gate.history.commits import Commit
from resflops.gate.history.configurations import ABSENT, Plan
from resflops.gate.snapshot import METRICS, Snapshot

__all__ = ["CostStep", "History", "ModelHistory", "Point", "PointKind", "build_history"]

PointKind = Literal["counted", "failed", "absent", "missing"]
"""``absent`` where it is not configured, ``missing`` where it was not counted yet."""


class Point(Struct, frozen=True, kw_only=True):
    """What is known of a model at one commit."""

    kind: PointKind
    snapshot: Snapshot | None = None
    reason: str = ""
    """Why there is no figure."""


class CostStep(Struct, frozen=True, kw_only=True):
    """A change of what a model costs."""

    before: int
    """The place of the last commit with the cost before."""
    after: int
    """The place of the first commit with the cost after; the commits in between have no figure."""
    diff: Diff


class ModelHistory(Struct, frozen=True, kw_only=True):
    """One model along the commits."""

    name: str
    points: tuple[Point, ...]
    steps: tuple[CostStep, ...]


class History(Struct, frozen=True, kw_only=True):
    """Several models along the commits of a range."""

    range: str
    commits: tuple[Commit, ...]
    """The oldest first; the first is the one that the range begins from, if it has one."""
    models: tuple[ModelHistory, ...]
    counted: int = 0
    """How many figures were counted for it, the others being known."""


def build_history(
    text: str,
    commits: Sequence[Commit],
    plans: Sequence[Plan],
    figures: Mapping[tuple[int, int], Figure],
    *,
    counted: int = 0,
) -> History:
    """Build the history from the figures that are known.

    Args:
        text: the range, as it was given.
        commits: its commits.
        plans: the models.
        figures: what they cost, by the places of the model and the commit.
        counted: how many of the figures were counted for it.
    """
    return History(
        # As people name commits.
        range=re.sub(r"\b[0-9a-f]{40}\b", lambda found: found[0][:9], text),
        commits=tuple(commits),
        models=tuple(
            _build_model(
                plan,
                [_build_point(plan, place, figures.get((number, place))) for place in range(len(commits))],
            )
            for number, plan in enumerate(plans)
        ),
        counted=counted,
    )


def _build_point(plan: Plan, place: int, figure: Figure | None) -> Point:
    if plan.subjects[place] is None:
        # A configuration that cannot be read says no more about a model than code that cannot be built.
        is_absent = plan.reasons[place] == ABSENT
        return Point(kind="absent" if is_absent else "failed", reason=plan.reasons[place])
    if figure is None:
        return Point(kind="missing", reason="not counted yet")
    if figure.snapshot is None:
        return Point(kind="failed", reason=figure.failure)
    return Point(kind="counted", snapshot=replace(figure.snapshot, model=plan.name))


def _build_model(plan: Plan, points: Sequence[Point]) -> ModelHistory:
    return ModelHistory(name=plan.name, points=tuple(points), steps=tuple(_list_steps(points)))


def _list_steps(points: Sequence[Point]) -> list[CostStep]:
    """List the changes of a figure from one counted commit to the next.

    A layer that was renamed or moved, or one whose cost another took over, is no step: nothing costs more
    or less.
    """
    steps = []
    last: int | None = None
    for place, point in enumerate(points):
        if point.snapshot is None:
            continue
        before = points[last].snapshot if last is not None else None
        if last is not None and before is not None and _has_changed(before, point.snapshot):
            steps.append(CostStep(before=last, after=place, diff=diff_snapshots(before, point.snapshot)))
        last = place
    return steps


def _has_changed(before: Snapshot, after: Snapshot) -> bool:
    return any(before.metric(metric) != after.metric(metric) for metric in METRICS)
