"""How values are written, and that no format lets a text say more than it says."""

import csv
import io
import json
import re

import pytest

from resflops.errors import DuplicateError, UsageError
from resflops.render import RENDERERS, Screen, find_renderer, renderer
from resflops.render.formats import format_value, format_window, rounded, share
from resflops.tables import Column, Figure, Kind, Note, Table

AWKWARD = "a|b & 50% of [red]c_1[/red] <i> \\ {x} ~ ^ # $ * ` ≥ ⁹ ☃"


def table(*names: str, total: bool = False, title: str = "Title") -> Table:
    return Table(
        title=title,
        convention="macs",
        columns=(
            Column(key="name", heading="name"),
            Column(key="count", heading="MACs", kind="count", exact_if="complete"),
            Column(key="size", heading="size", kind="shape", detail=1),
        ),
        rows=tuple({"name": name, "count": 10**9, "size": (3, 4), "complete": True} for name in names),
        total={"name": "total", "count": len(names) * 10**9} if total else None,
        notes=(Note(text="{note}", figures={"note": Figure("text", AWKWARD)}),),
    )


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("count", 3_663_761_408, "3,663,761,408"),
        ("count", 0, "0"),
        ("count", None, ""),
        ("shape", (3, 224, 224), "3×224×224"),
        ("shape", (), ""),
        ("shapes", ((1, 3), (1, 77)), "1×3, 1×77"),
        ("step", (2, 2), "2"),
        ("step", (2, 1), "2×1"),
        ("names", ("a", "b"), "a, b"),
        ("lines", ("a", "b"), "a\nb"),
        ("text", "a\x1b[31mb\nc", r"a\x1b[31mb\nc"),
        ("fine share", 0.18662, "18.66 %"),
        ("points", -0.0621, "−6.2"),
        ("points", 0.5, "+50.0"),
    ],
)
def test_a_value_is_written_by_its_kind(kind: Kind, value: object, text: str) -> None:
    assert format_value(kind, value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (269_722, "270 k"),
        (999_499, "999 k"),
        (999_999, "1.00 M"),
        (3_663_761_408, "3.66 G"),
        (19_632_062_464, "19.6 G"),
        (10**27, "1.00e+27"),
    ],
)
def test_a_rounded_count_has_three_digits(count: int, text: str) -> None:
    assert rounded(count) == text


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0.0 %"), (1, "100.0 %"), (0.187, "18.7 %"), (0.0004, "<0.1 %"), (0.0006, "0.1 %")]
)
def test_a_share_that_is_there_is_not_written_as_nothing(part: float, text: str) -> None:
    assert share(part) == text


def test_a_window_names_what_is_unusual() -> None:
    assert format_window(((3, 3), (2, 2), (1, 1), 32)) == "3×3 /2 pad 1 groups 32"
    assert format_window(((3, 1), (2, 1), (1, 0), 1)) == "3×1 /2×1 pad 1×0"
    assert format_window((None, None, None, None)) == ""


def test_a_format_cannot_be_registered_twice() -> None:
    for name, suffix in (("csv", ".other"), ("other", ".csv")):
        with pytest.raises(DuplicateError, match="exists already"):
            renderer(name, suffix)(lambda table, screen: "")
    assert "other" not in RENDERERS


def test_an_unknown_format_is_told_its_neighbours() -> None:
    with pytest.raises(UsageError, match="closest: markdown"):
        find_renderer("markdow")


@pytest.mark.parametrize("name", ["terminal", "markdown", "latex"])
def test_an_incomplete_figure_bears_its_sign(name: str) -> None:
    lacking = Table(
        title="t",
        columns=table().columns,
        rows=({"name": "a", "count": 5, "size": None, "complete": False},),
    )
    assert re.search(r"(≥|\$\\geq\$) 5", find_renderer(name).render(lacking))


@pytest.mark.parametrize("name", list(RENDERERS))
def test_a_table_without_rows_is_a_table(name: str) -> None:
    assert find_renderer(name).render(table()).endswith("\n")


@pytest.mark.parametrize("colour", [False, True])
def test_the_terminal_shows_brackets_as_they_are(colour: bool) -> None:
    text = find_renderer("terminal").render(table(AWKWARD), on=Screen(colour=colour))
    assert text.count(AWKWARD) == 2


def test_markdown_keeps_its_columns() -> None:
    text = find_renderer("markdown").render(table(AWKWARD))
    (row,) = [line for line in text.splitlines() if "1,000,000,000" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert r"\<i>" in row.replace(r"\>", ">")


def test_latex_has_no_sign_that_pdflatex_would_stop_at() -> None:
    text = find_renderer("latex").render(table(AWKWARD, "[first"))
    body = re.sub("(?m)^% .*$", "", text).replace(r"\\", "")
    assert body.isascii()
    for sign in "&%#_":
        extra = 2 if sign == "&" else 0
        for line in body.splitlines():
            assert len(re.findall(rf"(?<!\\){sign}", line)) <= extra
    assert "\n{}[first" in text


def test_latex_braces_are_balanced() -> None:
    text = re.sub(r"\\[{}]", "", find_renderer("latex").render(table(AWKWARD, total=True)))
    assert text.count("{") == text.count("}")
    assert text.count(r"\midrule") == 2


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_csv_gives_a_spreadsheet_no_formula(name: str) -> None:
    _, row = csv.reader(io.StringIO(find_renderer("csv").render(table(name))))
    assert row == [f"'{name}", "macs", "1000000000", "3x4"]


def test_json_names_the_convention_and_keeps_texts() -> None:
    document = json.loads(find_renderer("json").render(table(AWKWARD, total=True)))
    assert document["convention"] == "macs"
    assert document["rows"] == [{"name": AWKWARD, "count": 10**9, "size": [3, 4]}]
    assert document["total"] == {"name": "total", "count": 10**9}
    assert document["notes"] == [AWKWARD]
