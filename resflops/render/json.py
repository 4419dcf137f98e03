"""JSON: all values exact, one row a line."""

from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from resflops.records import SCHEMA_VERSION
from resflops.render.formats import encode_in_column, encode_value, format_note
from resflops.render.registry import Screen, renderer
from resflops.tables import Figure, Table
from resflops.tables.table import Row, select_for_programs

__all__ = ["render_json"]


@renderer("json", ".json")
def render_json(table: Table, screen: Screen) -> str:
    """Write one object: what holds for the table, its rows, those of the tables below, and the notes."""
    del screen
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    if table.convention:
        document["convention"] = table.convention
    for name, value in table.facts.items():
        document[name] = encode_value(value.kind, value.value) if isinstance(value, Figure) else value
    # A figure keeps its key, whatever it is written in.
    if units := {column.key: column.unit for column in select_for_programs(table.columns) if column.unit}:
        document["units"] = units
    for part in (table, *table.below):
        document[part.name] = [_encode_row(part, row) for row in part.rows]
    if table.total is not None:
        document["total"] = _encode_row(table, table.total)
    document["notes"] = [format_note(note) for note in select_for_programs(table.notes)]
    entries = (f" {_encode(name)}: {_encode_value(value)}" for name, value in document.items())
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _encode_row(table: Table, row: Row) -> Mapping[str, Any]:
    return {
        column.key: encode_in_column(column, row[column.key])
        for column in select_for_programs(table.columns)
        if column.key in row
    }


def _encode_value(value: object) -> str:
    """Encode a value in one line, or rows in a line each: a changed row is then one changed line."""
    if not isinstance(value, list) or not value:
        return _encode(value)
    return "[\n  " + ",\n  ".join(map(_encode, value)) + "\n ]"


def _encode(value: object) -> str:
    # Here, because every format is imported, whichever is written.
    import json

    # NaN and infinity are not JSON: better an error here than a file that other readers refuse.
    text = json.dumps(to_builtins(value), ensure_ascii=False, allow_nan=False)
    if text.isprintable():
        return text
    # Beside those that it escapes itself, there are characters that move a cursor or hide a part of a text.
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)
