"""CSV: the rows, all of them and nothing else, numbers raw."""

import io
from typing import Any

from resflops.errors import escape_control_characters
from resflops.render.formats import encode_value, format_value, shape
from resflops.render.registry import Screen, renderer
from resflops.tables import Column, Table
from resflops.tables.table import Row

__all__ = ["render_csv"]

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First signs that make a spreadsheet run a text as a formula, full-width forms included."""


@renderer("csv", ".csv")
def render_csv(table: Table, screen: Screen) -> str:
    """Write a line of column keys, a line a row, and the convention in a column of its own.

    Tables below have other columns, and a total is no row: both are left out, so that
    the file is one table whose columns can be added up.
    """
    # Here, because every format is imported, whichever is written.
    import csv

    del screen
    columns = [column for column in table.columns if column.audience != "people" and column.kind != "data"]
    # What holds for the whole table and must be said of each figure stands in every line.
    whole = {"stored": table.facts["stored"]} if table.facts.get("stored") else {}
    if table.convention:
        whole["convention"] = table.convention
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([column.key for column in columns] + list(whole))
    for row in table.rows:
        out.writerow([_format_field(column, row) for column in columns] + list(whole.values()))
    return text.getvalue()


def _format_field(column: Column, row: Row) -> str | int | float:
    value = encode_value(column.kind, row.get(column.key))
    if value is None:
        return ""
    # Before the numbers: a bool is an int in Python.
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return value
    text = _format_text(column, value)
    # Behind an apostrophe a spreadsheet takes the cell for text; names of models come from anywhere.
    # A tab stays: it is text to every reader of CSV.
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
