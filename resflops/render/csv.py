"""CSV and TSV: the rows, all of them and nothing else, numbers raw."""

import io
from typing import Any

from resflops.errors import escape_control_characters
from resflops.render.formats import encode_in_column, format_value, shape
from resflops.render.registry import Screen, renderer
from resflops.tables import Column, Table
from resflops.tables.table import Row, select_for_programs

__all__ = ["render_csv", "render_tsv"]

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First signs that make a spreadsheet run a text as a formula, full-width forms included."""


@renderer("csv", ".csv")
def render_csv(table: Table, screen: Screen) -> str:
    """Write a line of column keys, a line a row, and the convention in a column of its own.

    Tables below have other columns, and a total is no row: both are left out, so that
    the file is one table whose columns can be added up.
    """
    del screen
    return _render_lines(table, ",")


@renderer("tsv", ".tsv")
def render_tsv(table: Table, screen: Screen) -> str:
    """Write the same with tabs, which a spreadsheet takes from the clipboard."""
    del screen
    return _render_lines(table, "\t")


def _render_lines(table: Table, delimiter: str) -> str:
    # Here, because every format is imported, whichever is written.
    import csv

    columns = [column for column in select_for_programs(table.columns) if column.kind != "data"]
    # What holds for the whole table and must be said of each figure stands in every line, after its subject.
    whole = {"convention": table.convention} if table.convention else {}
    last = {"stored": table.facts["stored"]} if table.facts.get("stored") else {}
    text = io.StringIO()
    out = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    keys = [f"{column.key}_{column.unit}" if column.unit else column.key for column in columns]
    out.writerow([*keys[:1], *whole, *keys[1:], *last])
    for row in table.rows:
        first, *others = (_format_field(column, row) for column in columns)
        out.writerow([first, *whole.values(), *others, *last.values()])
    return text.getvalue()


def _format_field(column: Column, row: Row) -> str | int | float:
    value = encode_in_column(column, row.get(column.key))
    if value is None:
        return ""
    # Before the numbers: a bool is an int in Python.
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return value
    text = _format_text(column, value)
    # Behind an apostrophe a spreadsheet takes the cell for text; names of models come from anywhere.
    # A tab stays: it is text to every reader of CSV, and quoted in TSV.
    shown = "\t".join(map(escape_control_characters, text.split("\t")))
    return f"'{shown}" if text.startswith(FORMULA_SIGNS) else shown


def _format_text(column: Column, value: Any) -> str:  # noqa: ANN401 - any value of a cell
    if column.kind in {"shape", "step"}:
        return shape(value, by="x")
    if column.kind in {"names", "lines"}:
        return ", ".join(value) if column.kind == "names" else "; ".join(value)
    if column.kind == "form":
        return format_value("form", value)
    return str(value)
