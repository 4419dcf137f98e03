"""The history of a model's cost: what it costs at each commit, and the commits and layers that changed it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from resflops.gate.diff import Diff, diff_snapshots
from resflops.gate.history.cache import Figure
from resflops.gate.history.commits import Commit
from resflops.gate.history.configurations import ABSENT, Plan
from resflops.gate.history.merges import merge_sides
from resflops.gate.snapshot import METRICS, Snapshot

__all__ = ["CostStep", "History", "ModelHistory", "Point", "PointKind", "build_history", "select_main_line"]

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
    first: int
    """The place of the commit that follows it; all until the next one have no figure."""
    after: int
    """The place of the first commit with the cost after."""
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
    every: bool = False
    """Whether the commits are those of all branches, and not of the main line alone."""
    counted: int = 0
    """How many figures were counted for it, the others being known."""

    @property
    def left(self) -> int:
        """How many figures are not counted yet."""
        return sum(point.kind == "missing" for model in self.models for point in model.points)


def build_history(
    text: str,
    commits: Sequence[Commit],
    plans: Sequence[Plan],
    figures: Mapping[tuple[int, int], Figure],
    *,
    every: bool = False,
    counted: int = 0,
) -> History:
    """Build the history from the figures that are known.

    Args:
        text: the range, as it was given.
        commits: its commits.
        plans: the models.
        figures: what they cost, by the places of the model and the commit.
        every: whether the commits are those of all branches, and not of the main line alone.
        counted: how many of the figures were counted for it.
    """
    parents = _list_parents(commits, every=every)
    return History(
        # As people name commits.
        range=re.sub(r"\b[0-9a-f]{40}\b", lambda found: found[0][:9], text),
        commits=tuple(commits),
        models=tuple(_build_model(plan, number, figures, parents) for number, plan in enumerate(plans)),
        every=every,
        counted=counted,
    )


def select_main_line(history: History) -> History:
    """Select the commits to which the newest one goes back by first parents, with the steps among them."""
    places = {commit.hash: place for place, commit in enumerate(history.commits)}
    line = [len(history.commits) - 1]
    while (parents := history.commits[line[-1]].parents) and parents[0] in places:
        line.append(places[parents[0]])
    line.reverse()
    commits = [history.commits[place] for place in line]
    parents_of = _list_parents(commits, every=False)
    models = []
    for model in history.models:
        points = tuple(model.points[place] for place in line)
        models.append(
            ModelHistory(name=model.name, points=points, steps=tuple(_list_steps(points, parents_of)))
        )
    return replace(history, commits=tuple(commits), models=tuple(models), every=False)


def _build_model(
    plan: Plan, number: int, figures: Mapping[tuple[int, int], Figure], parents: Sequence[tuple[int, ...]]
) -> ModelHistory:
    points = [_build_point(plan, place, figures.get((number, place))) for place in range(len(parents))]
    return ModelHistory(name=plan.name, points=tuple(points), steps=tuple(_list_steps(points, parents)))


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


def _list_parents(commits: Sequence[Commit], *, every: bool) -> list[tuple[int, ...]]:
    """List the places of each commit's parents; along the main line, that of the one before it."""
    if not every:
        return [(place - 1,) if place else () for place in range(len(commits))]
    places = {commit.hash: place for place, commit in enumerate(commits)}
    return [tuple(places[parent] for parent in commit.parents if parent in places) for commit in commits]


def _list_steps(points: Sequence[Point], parents: Sequence[tuple[int, ...]]) -> Iterator[CostStep]:
    """List the changes of a figure from one counted commit to the next.

    A layer that was renamed or moved, or one whose cost another took over, is no step: nothing costs more
    or less. Nor is a merge that has of each layer what one of its sides has.
    """
    for place, point in enumerate(points):
        sides = dict(_find_side(parent, place, points, parents) for parent in parents[place])
        known = [(before, snapshot) for before in sides if (snapshot := _get_snapshot(points, before))]
        if point.snapshot is None or not known:
            continue
        before, ours = known[0]
        if not all(_has_changed(snapshot, point.snapshot) for _, snapshot in known):
            continue
        if len(known) > 1:
            ours = merge_sides(ours, [snapshot for _, snapshot in known[1:]], point.snapshot)
        if _has_changed(ours, point.snapshot):
            diff = diff_snapshots(ours, point.snapshot)
            yield CostStep(before=before, first=sides[before], after=place, diff=diff)


def _find_side(
    parent: int, place: int, points: Sequence[Point], parents: Sequence[tuple[int, ...]]
) -> tuple[int, int]:
    """Find the nearest commit with a figure, from a parent back, and the one that follows it; -1 for none."""
    while parent >= 0 and points[parent].snapshot is None:
        parent, place = (parents[parent][0] if parents[parent] else -1), parent
    return parent, place


def _get_snapshot(points: Sequence[Point], place: int) -> Snapshot | None:
    return points[place].snapshot if place >= 0 else None


def _has_changed(before: Snapshot, after: Snapshot) -> bool:
    return any(before.metric(metric) != after.metric(metric) for metric in METRICS)
