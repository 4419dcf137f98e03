"""A step is a change of a figure from one counted commit to the next, and nothing else is."""

from resflops.gate.history.cache import Figure
from resflops.gate.history.commits import Commit
from resflops.gate.history.configurations import Plan, Subject
from resflops.gate.history.reads import Reads
from resflops.gate.history.steps import build_history, select_main_line
from resflops.gate.snapshot import Snapshot, SnapshotLine

READS = Reads(tree="", files={}, folders={}, modules={}, always={}, outside={}, unknown="")
SUBJECT = Subject(spec="nets.py:Net", root=".", convention="macs")


def make_commit(name: str, *parents: str) -> Commit:
    return Commit(
        hash=name,
        tree=name,
        parents=parents,
        short=name,
        time=0,
        date="2026-01-01",
        author="Ada",
        tags=(),
        subject=name,
    )


def make_figure(**layers: int) -> Figure:
    lines = tuple(
        SnapshotLine(layer=name, op="linear", input=(1, 8), output=(1, macs), macs=macs, total=macs, params=1)
        for name, macs in layers.items()
    )
    snapshot = Snapshot(model="net", spec="nets.py:Net", inputs=(), convention="macs", lines=lines)
    return Figure(reads=READS, snapshot=snapshot)


BROKEN = Figure(reads=READS, failure="it has a mistake")


def build(*figures: Figure | None, parents: tuple[tuple[int, ...], ...] = (), subjects=None):
    """Build a history; without parents, along a line."""
    names = [f"c{place}" for place in range(len(figures))]
    given = parents or tuple((place - 1,) if place else () for place in range(len(figures)))
    commits = [
        make_commit(name, *(names[place] for place in own)) for name, own in zip(names, given, strict=True)
    ]
    plan = Plan(
        name="net",
        subjects=subjects or (SUBJECT,) * len(figures),
        reasons=tuple(
            "" if subject else "not configured" for subject in subjects or (SUBJECT,) * len(figures)
        ),
    )
    known = {(0, place): figure for place, figure in enumerate(figures) if figure}
    return build_history("c0..HEAD", commits, [plan], known, every=bool(parents))


def list_steps(history):
    return [
        (
            step.before,
            step.first,
            step.after,
            {change.new_name or change.name: change.macs for change in step.diff.changes},
        )
        for step in history.models[0].steps
    ]


def test_a_change_and_its_reversal_are_two_steps() -> None:
    history = build(make_figure(a=8), make_figure(a=8), make_figure(a=9), make_figure(a=8))
    assert list_steps(history) == [(1, 2, 2, {"a": 1}), (2, 3, 3, {"a": -1})]


def test_across_commits_without_a_figure_a_step_is_a_range() -> None:
    history = build(make_figure(a=8), BROKEN, None, make_figure(a=9))
    assert list_steps(history) == [(0, 1, 3, {"a": 1})]
    assert [point.kind for point in history.models[0].points] == ["counted", "failed", "missing", "counted"]
    assert history.left == 1


def test_no_step_where_nothing_costs_more_or_less() -> None:
    renamed, shifted = make_figure(b=8, c=4), make_figure(b=7, c=5)
    assert list_steps(build(make_figure(a=8, c=4), renamed, shifted, BROKEN, shifted)) == []


def test_a_model_begins_without_a_step() -> None:
    subjects = (None, SUBJECT, SUBJECT)
    history = build(None, make_figure(a=8), make_figure(a=8), subjects=subjects)
    assert list_steps(history) == []
    assert [point.kind for point in history.models[0].points] == ["absent", "counted", "counted"]


# c0 ── c1 ── c3
#  └─── c2 ───┘
FORK = ((), (0,), (0,), (1, 2))


def test_a_merge_of_two_changes_is_no_step() -> None:
    base = make_figure(a=8, b=8, c=8)
    ours, theirs = make_figure(a=9, b=8, c=8), make_figure(a=8, b=8)
    history = build(base, ours, theirs, make_figure(a=9, b=8), parents=FORK)
    assert [step[2] for step in list_steps(history)] == [1, 2]


def test_of_a_merge_its_own_changes_alone_are_a_step() -> None:
    base = make_figure(a=8, b=8, c=8)
    ours, theirs = make_figure(a=9, b=8, c=8), make_figure(a=8, b=10, c=8)
    history = build(base, ours, theirs, make_figure(a=9, b=10, c=5, d=2), parents=FORK)
    steps = list_steps(history)
    assert [step[2] for step in steps] == [1, 2, 3]
    assert steps[2][3] == {"c": -3, "d": 2}


def test_a_merge_that_takes_one_side_is_no_step() -> None:
    history = build(make_figure(a=8), make_figure(a=9), make_figure(a=7), make_figure(a=9), parents=FORK)
    assert [step[2] for step in list_steps(history)] == [1, 2]


def test_the_main_line_of_a_history_has_its_own_steps() -> None:
    base = make_figure(a=8, b=8)
    history = build(base, make_figure(a=9, b=8), make_figure(a=8, b=7), make_figure(a=9, b=7), parents=FORK)
    line = select_main_line(history)
    assert [commit.hash for commit in line.commits] == ["c0", "c1", "c3"]
    assert list_steps(line) == [(0, 1, 1, {"a": 1}), (1, 2, 2, {"b": -1})]
