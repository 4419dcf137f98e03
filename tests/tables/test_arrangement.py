"""A table arranged to its reader's wish: columns, order, units and decimals, with the figures as they were."""

import json
from fractions import Fraction

import pytest

from resflops.errors import UsageError
from resflops.render import find_renderer
from resflops.render.formats import format_cells, format_heading
from resflops.tables import Column, Table
from resflops.tables.arrangement import Arrangement, arrange_table, parse_columns, parse_sort, parse_units
from resflops.tables.table import select_for_people

ROWS = (
    {"model": "b", "params": 269_722, "macs": 40_551_040, "share": 0.0124, "batch": 8},
    {"model": "A", "params": 143_667_240, "macs": 19_632_062_464, "share": 1.0, "batch": 8},
    {"model": "c", "params": None, "macs": None, "share": None, "batch": None},
    {"model": "d", "params": 269_722, "macs": 40_551_041, "share": 0.0124, "batch": 1},
)


def table(**settings: object) -> Table:
    columns = (
        Column(key="model", heading="model", repeats=False),
        Column(key="params", heading="parameters", kind="count", measures="parameters"),
        Column(key="macs", heading="MACs", kind="count", measures="cost"),
        Column(key="share", heading="of A", kind="share", folds=False, detail=3),
        Column(key="batch", heading="batch", kind="count", audience="asked"),
    )
    return Table(**{"title": "t", "convention": "macs", "columns": columns, "rows": ROWS, **settings})


def shown(wish: Arrangement) -> dict[str, list[str]]:
    arranged = arrange_table(table(), wish)
    columns = select_for_people(arranged.columns)
    cells = format_cells(arranged, columns)
    return {format_heading(column): [row[place] for row in cells] for place, column in enumerate(columns)}


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("macs,model", ["MACs", "model"]),
        ("model, MACs", ["model", "MACs"]),
        ("model,parameters", ["model", "parameters"]),
        ("of A,model", ["model"]),
        ("+batch", ["model", "parameters", "MACs", "of A", "batch"]),
        ("-params,+batch", ["model", "MACs", "of A", "batch"]),
        ("model,model,macs", ["model", "MACs"]),
    ],
)
def test_columns_are_chosen_by_their_names(text: str, headings: list[str]) -> None:
    if text.startswith("of A"):
        # Words of a list may stand apart, so a heading of two words is no name in it.
        with pytest.raises(UsageError, match="no column named 'of'"):
            shown(parse_columns(text))
    else:
        assert list(shown(parse_columns(text))) == headings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "takes names of columns"),
        ("+", "takes names of columns"),
        ("model,+batch", "'model' has no sign"),
    ],
)
def test_a_list_of_columns_that_says_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_columns(text)


def test_an_unknown_column_is_told_its_neighbours() -> None:
    with pytest.raises(UsageError, match="no column named 'parms'; closest: params; it has: model, params"):
        arrange_table(table(), Arrangement(columns=("parms",)))


def test_no_column_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="leave one"):
        arrange_table(table(), Arrangement(removed=("model", "params", "macs", "share")))


def test_every_format_has_the_chosen_columns_alone() -> None:
    chosen = arrange_table(table(), parse_columns("model,batch"))
    assert find_renderer("csv").render(chosen).splitlines()[:2] == ["model,convention,batch", "b,macs,8"]
    assert find_renderer("tsv").render(chosen).splitlines()[1] == "b\tmacs\t8"
    assert json.loads(find_renderer("json").render(chosen))["rows"][0] == {"model": "b", "batch": 8}
    assert "| model | batch |" in find_renderer("markdown").render(chosen)
    assert r"Model & Batch \\" in find_renderer("latex").render(chosen)
    assert "parameters" not in find_renderer("html").render(chosen)


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("macs", ["b", "d", "A", "c"]),
        ("-macs", ["A", "d", "b", "c"]),
        ("params", ["b", "d", "A", "c"]),
        ("-params", ["A", "b", "d", "c"]),
        ("model", ["A", "b", "c", "d"]),
        ("batch", ["d", "b", "A", "c"]),
    ],
)
def test_rows_are_sorted_by_exact_value_and_equal_ones_stay_in_order(text: str, models: list[str]) -> None:
    assert shown(parse_sort(text))["model"] == models


def test_hidden_rows_stay_hidden_wherever_they_go() -> None:
    arranged = arrange_table(table(hidden=frozenset({0})), parse_sort("-macs"))
    assert [row["model"] for row in arranged.list_shown_rows()] == ["A", "d", "c"]


@pytest.mark.parametrize("text", ["", "-", "macs,params"])
def test_rows_are_sorted_by_one_column(text: str) -> None:
    with pytest.raises(UsageError, match="takes the name of one column"):
        parse_sort(text)


@pytest.mark.parametrize(
    ("text", "precision", "heading", "figures"),
    [
        ("G", None, "MACs (G)", ["0.04", "19.63", "", "0.04"]),
        ("g", 1, "MACs (G)", ["<0.1", "19.6", "", "<0.1"]),
        ("M", 3, "MACs (M)", ["40.551", "19,632.062", "", "40.551"]),
        ("auto", 0, "MACs (M)", ["41", "19,632", "", "41"]),
        ("none", 3, "MACs", ["40,551,040", "19,632,062,464", "", "40,551,041"]),
        ("macs=T", 2, "MACs (T)", ["<0.01", "0.02", "", "<0.01"]),
    ],
)
def test_costs_are_written_in_the_unit_that_was_asked_for(
    text: str, precision: int | None, heading: str, figures: list[str]
) -> None:
    given = parse_units(text)
    assert shown(Arrangement(units=given.units, precision=precision))[heading] == figures


def test_parameters_have_the_unit_that_suits_them_or_their_own() -> None:
    assert "parameters (M)" in shown(parse_units("G"))
    assert "parameters (K)" in shown(parse_units("macs=G,params=K"))
    assert "parameters" in shown(parse_units("macs=G"))


def test_decimals_are_those_of_percentages_and_exact_counts_stay_exact() -> None:
    cells = shown(Arrangement(precision=3))
    assert cells["of A"][0] == "1.240 %"
    assert cells["MACs"][0] == "40,551,040"


@pytest.mark.parametrize("text", ["Q", "macs=", "=G", "", "kilo"])
def test_an_unknown_unit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--units|no unit"):
        parse_units(text)


def test_programs_are_told_the_unit_and_lose_no_digit() -> None:
    arranged = arrange_table(table(), parse_units("macs=G"))
    document = json.loads(find_renderer("json").render(arranged))
    assert document["units"] == {"macs": "G"}
    assert document["rows"][1]["macs"] == 19.632062464
    assert find_renderer("csv").render(arranged).splitlines()[0] == "model,convention,params,macs_G,share"


def test_tables_below_follow_as_far_as_they_have_the_columns() -> None:
    both = table(
        below=(table(), Table(title="other", columns=(Column(key="x", heading="x"),), rows=({"x": 1},)))
    )
    first, other = arrange_table(both, Arrangement(columns=("macs", "batch"), units={"": "M"})).below
    assert [format_heading(column) for column in first.columns] == ["model", "MACs (M)", "batch"]
    assert [column.key for column in other.columns] == ["x"]


def test_a_table_below_keeps_what_says_what_its_rows_are_about() -> None:
    columns = (
        Column(key="model", heading="model"),
        Column(key="layer", heading="layer"),
        *table().columns[1:],
    )
    below = Table(title="b", columns=columns, rows=({"model": "m", "layer": "l", "macs": 1},))
    (part,) = arrange_table(table(below=(below,)), Arrangement(columns=("model", "macs"))).below
    assert [column.key for column in part.columns] == ["model", "layer", "macs"]


def test_a_quotient_is_written_exactly() -> None:
    one = Table(
        title="t",
        columns=(Column(key="each", heading="each", kind="quotient"),),
        rows=tuple({"each": value} for value in (5, Fraction(29, 8), Fraction(4000, 3), Fraction(10, 2))),
    )
    assert [row[0] for row in format_cells(one, one.columns)] == ["5", "3.625", "1,333 1/3", "5"]
    assert [row["each"] for row in json.loads(find_renderer("json").render(one))["rows"]] == [
        5,
        3.625,
        4000 / 3,
        5,
    ]
