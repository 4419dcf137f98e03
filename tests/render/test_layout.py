"""A narrow screen: texts wrap and details move down, and no digit is lost at any width."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from resflops.render import PAPER, Screen, find_renderer
from resflops.tables import Column, Table
from resflops.tables.listings import build_network_table, build_op_table

TEXT = " ".join(f"word{number}" for number in range(12))


def table() -> Table:
    return Table(
        title="Title",
        columns=(
            Column(key="name", heading="name"),
            Column(key="count", heading="a long heading for it", kind="count"),
            Column(key="text", heading="text", wraps=True, detail=1),
            Column(key="size", heading="size", kind="shape", detail=2),
        ),
        rows=({"name": "first", "count": 3_663_761_408, "text": TEXT, "size": (1, 3, 224, 224)},),
    )


def shown(width: int | None) -> str:
    return find_renderer("terminal").render(table(), on=Screen(width=width))


@given(st.integers(min_value=1, max_value=200))
def test_no_width_loses_a_word_or_a_digit(width: int) -> None:
    words = shown(width).split()
    assert {"first", "3,663,761,408", "1×3×224×224", *TEXT.split()} <= set(words)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize(
    "wide", [table(), build_network_table(), build_op_table()], ids=["small", "models", "ops"]
)
def test_no_line_is_wider_than_the_screen(wide: Table, width: int) -> None:
    text = find_renderer("terminal").render(wide, on=Screen(width=width))
    least = 62  # the longest family, name and input, which are never broken
    longest = max((cell_len(word) for word in text.split() if "." in word), default=0)
    # An op of another library, whose name has that of the library in front, stands in the second column.
    assert max(map(cell_len, text.splitlines())) <= max(width, least, 32 + longest)


def test_paper_has_one_line_a_row() -> None:
    assert find_renderer("terminal").render(table(), on=PAPER) == shown(None)
    assert next(line for line in shown(None).splitlines() if line.startswith("first")).endswith("1×3×224×224")


def test_details_give_way_by_rank_and_are_named() -> None:
    assert "    size: 1×3×224×224" in shown(60).splitlines()
    assert "text: word0" not in shown(60)
    assert "    text: word0" in shown(40)


def test_texts_wrap_inside_their_column() -> None:
    first, second = [line for line in shown(60).splitlines() if "word" in line][:2]
    assert first.index("word0") == re.search(r"\S", second).start()  # type: ignore[union-attr]


def test_colours_are_only_where_they_are_asked_for() -> None:
    assert "\x1b[" in find_renderer("terminal").render(table(), on=Screen(width=80, colour=True))
    assert "\x1b" not in shown(80)


def test_a_column_is_no_wider_than_its_wrapped_heading() -> None:
    shares = Table(
        title="Title",
        columns=(
            Column(key="share", heading="cost of vgg19's", kind="share"),
            Column(key="end", heading="x"),
        ),
        rows=({"share": 0.1866, "end": "x"},),
    )
    heading = find_renderer("terminal").render(shares).splitlines()[2:5]
    assert heading == ["cost of", "vgg19's  x", "─" * len("vgg19's  x")]
