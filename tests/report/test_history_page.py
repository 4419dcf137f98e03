"""The picture and the page of a history: each step is named, names are text, and the page asks for nothing."""

import re

import pytest

from resflops.gate.history.cache import Figure
from resflops.gate.history.commits import Commit
from resflops.gate.history.configurations import Plan, Subject
from resflops.gate.history.reads import Reads
from resflops.gate.history.steps import build_history
from resflops.gate.snapshot import Snapshot, SnapshotLine
from resflops.report.history_page import render_history_page
from resflops.report.pictures.history import draw, draw_file, picture_of
from resflops.report.style import LIGHT
from resflops.tables.history import build_history_table

READS = Reads(tree="", files={}, folders={}, modules={}, always={}, outside={}, unknown="")
HOSTILE = "</script><b>$bold$"


def make_commit(place: int, *, tag: str = "") -> Commit:
    name = f"c{place}"
    return Commit(
        hash=name, tree=name, parents=(f"c{place - 1}",) if place else (), short=name, time=0,
        date=f"2026-01-0{place + 1}", author="Ada", tags=(tag,) if tag else (), subject=f"subject {HOSTILE}",
    )  # fmt: skip


def make_figure(**layers: int) -> Figure:
    lines = tuple(
        SnapshotLine(layer=name, op="linear", input=(1, 8), output=(1, 8), macs=macs, total=macs, params=7)
        for name, macs in layers.items()
    )
    snapshot = Snapshot(model="net", spec="nets.py:Net", inputs=(), convention="macs", lines=lines)
    return Figure(reads=READS, snapshot=snapshot)


@pytest.fixture
def history():
    subject = Subject(spec="nets.py:Net", root=".", convention="macs")
    figures = [
        make_figure(stem=1000, body=2000),
        make_figure(stem=1000, body=2500),
        Figure(reads=READS, failure="it has a mistake"),
        make_figure(stem=1000, body=2500, head=4000),
    ]
    plan = Plan(name=f"net{HOSTILE}", subjects=(subject,) * 4, reasons=("",) * 4)
    commits = [make_commit(place, tag=tag) for place, tag in enumerate(["v1.0", "", "", "v2.0"])]
    return build_history(
        "v1.0..v2.0", commits, [plan], {(0, place): each for place, each in enumerate(figures)}
    )


def test_the_picture_shows_the_cost_of_each_commit_and_names_the_steps(history) -> None:
    data = picture_of(history)
    (panel,) = data.panels
    assert panel.totals == (3000, 3500, None, 7500)
    assert panel.failed == (2,)
    assert [(mark.place, mark.name) for mark in panel.steps] == [
        (1, "c1 body +500"),
        (3, "c2…c3 head +4.00 k"),
    ]
    assert data.ticks == ((0, "v1.0"), (3, "v2.0"))
    (axes,) = draw(data, LIGHT).axes
    assert [text.get_text() for text in axes.texts] == ["c2…c3 head +4.00 k", "c1 body +500"]
    assert axes.get_title(loc="left") == f"net{HOSTILE}: 7.50 k MACs in the end; grey: cannot be counted"


def test_the_picture_is_the_same_file_each_time(history) -> None:
    assert draw_file(history, ending=".svg") == draw_file(history, ending=".svg")
    assert draw_file(history, ending=".png").startswith(b"\x89PNG")


def test_the_page_has_each_step_with_its_layers_and_every_name_as_text(history) -> None:
    page = render_history_page(history)
    assert "<b>$bold$" not in page
    assert page.count('<details class="step"') == 2
    first, second = re.findall(r"<summary>(.*?)</summary>", page)
    assert "c2…c3" in first
    assert "+4,000 MACs" in first
    assert "head" in first
    assert "c1" in second
    assert "+500 MACs" in second
    assert "MACs: 3,000 became 3,500, +500 (+16.67 %)" in page
    assert "it has a mistake" in page
    # It is complete: no address is followed, and only its own script runs.
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "default-src 'none'; script-src 'sha256-" in page


def test_a_history_without_a_step_says_so(history) -> None:
    flat = build_history(
        "v1.0", history.commits[:1], [Plan(name="net", subjects=(Subject(spec="a", root=".", convention="macs"),), reasons=("",))],
        {(0, 0): make_figure(stem=1)},
    )  # fmt: skip
    assert "No commit changes what a model costs." in render_history_page(flat)
    assert "net: no commit changes its cost." in build_history_table(flat).to_markdown()


def test_of_many_failures_the_first_are_explained() -> None:
    subject = Subject(spec="nets.py:Net", root=".", convention="macs")
    figures = {(0, place): Figure(reads=READS, failure=f"mistake {place}") for place in range(13)}
    plan = Plan(name="net", subjects=(subject,) * 13, reasons=("",) * 13)
    text = build_history_table(
        build_history("v1.0", [make_commit(place) for place in range(13)], [plan], figures)
    ).to_markdown()
    assert "- net at c9: mistake 9." in text
    assert "mistake 10" not in text
    assert "- 3 more are in the column reason of --format csv and json." in text


def test_people_read_the_steps_and_programs_every_commit(history) -> None:
    table = build_history_table(history)
    assert [row["event"] for row in table.rows] == ["first", "step", "failed", "step"]
    assert [row["layer"] for row in table.rows] == ["", "body", "", "head"]
    assert [row["commit"] for row in table.rows] == ["c0", "c1", "c2", "c2…c3"]
    assert [row["total_change"] for row in table.rows] == [None, 500, None, 4000]
    assert [row["share"] for row in table.rows] == [None, 500 / 3000, None, 4000 / 3500]
    (changes,) = table.below
    assert [(row["hash"], row["layer"], row["macs"]) for row in changes.rows] == [
        ("c1", "body", 500),
        ("c3", "head", 4000),
    ]
