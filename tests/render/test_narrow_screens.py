"""Every table of every command in 80 columns: the figures people look for on the first line of a row."""

import re

import pytest
from rich.cells import cell_len

from resflops.counters import CONVENTIONS
from resflops.render import Screen, find_renderer
from resflops.render.registry import PAPER
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tables import Column, Note, Table
from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import build_comparison, build_entry
from resflops.tables.listings import (
    build_convention_list,
    build_convention_table,
    build_network_table,
    build_op_table,
)
from resflops.tables.peers import build_peer_table


def count(spec: str, *, batch: int = 1, convention: str = "macs", training: bool = False):
    found = find(spec)
    return build_entry(
        found,
        count_model(
            found,
            input_shape=(batch, *found.input_shape),
            convention=CONVENTIONS[convention],
            backward=training,
        ),
    )


TABLES = {
    "table": lambda: build_comparison([count("resnet34"), count("vgg19")]),
    "table of a batch": lambda: build_comparison([count("resnet34", batch=8), count("vgg19", batch=8)]),
    "table of training": lambda: build_comparison([count("resnet20", training=True)]),
    "layers": lambda: build_breakdown(count("resnet18").cost),
    "layers under flops": lambda: build_breakdown(count("resnet18", convention="flops").cost),
    "modules": lambda: build_breakdown(count("resnet18").cost, depth=1),
    "models": build_network_table,
    "conventions": build_convention_list,
    "a convention": lambda: build_convention_table(CONVENTIONS["thop"]),
    "ops": build_op_table,
    "peers": build_peer_table,
}


def show(table: Table, width: int) -> list[str]:
    return find_renderer("terminal").render(table, on=Screen(width=width)).splitlines()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_longer_than_the_screen(name: str, width: int) -> None:
    assert max(map(cell_len, show(TABLES[name](), width))) <= width


@pytest.mark.parametrize(
    "name", ["table", "table of a batch", "table of training", "modules", "models", "peers"]
)
def test_forty_columns_are_enough(name: str) -> None:
    assert max(map(cell_len, show(TABLES[name](), 40))) <= 40


def test_a_row_has_its_macs_and_its_share_on_one_line() -> None:
    lines = show(TABLES["layers"](), 80)
    assert [line for line in lines if re.match(r"conv1 +conv2d +9,408 .* 118,013,952 +6.5 %$", line)]
    assert len(lines) < 100, "one line a row: there are 60 rows and 6 stages"


@pytest.mark.parametrize(("width", "said"), [(80, "receptive field"), (60, "op, ")])
def test_what_is_left_out_is_named_with_how_to_get_it(width: int, said: str) -> None:
    text = " ".join(" ".join(show(TABLES["layers"](), width)).split())
    note = text[text.index("Not enough room for:") :]
    assert said in note
    assert "--columns +" in note
    assert "Not enough room" not in " ".join(show(TABLES["layers"](), 300))


def narrow(*, folds: bool) -> Table:
    return Table(
        title="t",
        columns=(
            Column(key="name", heading="name"),
            Column(key="extra", heading="extra", detail=1, folds=folds),
            Column(key="text", heading="text", detail=2, empty="–"),
        ),
        rows=(
            {"name": "a" * 30, "extra": "b" * 20, "text": ""},
            {"name": "c", "extra": "", "text": "d" * 30},
        ),
    )


def test_a_column_gives_way_to_a_line_of_its_own_or_is_left_out() -> None:
    assert f"    extra: {'b' * 20}" in show(narrow(folds=True), 40)
    assert "b" * 20 not in "".join(show(narrow(folds=False), 40))
    # What stands for nothing in a grid is not said on a line of its own.
    assert "    text: –" not in show(narrow(folds=True), 40)


@pytest.mark.parametrize(("tone", "code"), [("good", "32"), ("bad", "31"), ("doubtful", "33"), ("", "")])
def test_a_verdict_has_its_colour_on_a_terminal_alone(tone: str, code: str) -> None:
    table = Table(
        title="Cost gate",
        tone=tone,
        columns=(
            Column(key="model", heading="model"),
            Column(key="verdict", heading="verdict", tone="tone"),
        ),
        rows=({"model": "net", "verdict": "as locked", "tone": tone},),
    )
    painted = find_renderer("terminal").render(table, on=Screen(width=80, colour=True))
    assert (f"\x1b[{code}mas locked\x1b[0m" in painted) == bool(code)
    assert (f"\x1b[1;{code}mCost gate\x1b[0m" in painted) == bool(code)
    for screen in (PAPER, Screen(width=80)):
        assert "\x1b" not in find_renderer("terminal").render(table, on=screen)


def test_colours_take_no_room() -> None:
    table = TABLES["layers"]()
    painted = find_renderer("terminal").render(table, on=Screen(width=80, colour=True))
    assert re.sub(r"\x1b\[[\d;]*m", "", painted).splitlines() == show(table, 80)


def test_an_empty_note_is_no_line() -> None:
    table = Table(
        title="t", columns=(Column(key="a", heading="a"),), rows=({"a": 1},), notes=(Note(text=""),)
    )
    assert "" not in show(table, 80)[4:]
