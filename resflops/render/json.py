"""JSON: all values exact, one row a line."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from resflops.records import SCHEMA_VERSION
from resflops.render.formats import plain, sentence
from resflops.render.registry import Screen, renderer
from resflops.tables import Figure, Table
from resflops.tables.table import Row

__all__ = ["as_json"]


@renderer("json", ".json")
def as_json(table: Table, screen: Screen) -> str:
    """One object: what holds for the table, its rows, those of the tables below, and the notes."""
    del screen
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    if table.convention:
        document["convention"] = table.convention
    for name, value in table.facts.items():
        document[name] = plain(value.kind, value.value) if isinstance(value, Figure) else value
    for part in (table, *table.below):
        document[part.name] = [_object(part, row) for row in part.rows]
    if table.total is not None:
        document["total"] = _object(table, table.total)
    document["notes"] = [sentence(note) for note in table.notes if note.audience != "people"]
    entries = (f" {_encoded(name)}: {_value(value)}" for name, value in document.items())
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _object(table: Table, row: Row) -> Mapping[str, Any]:
    return {
        column.key: plain(column.kind, row[column.key])
        for column in table.columns
        if column.audience != "people" and column.kind != "lines" and column.key in row
    }


def _value(value: object) -> str:
    """One line, or one a row: a change of one row is then a change of one line."""
    if not isinstance(value, list) or not value:
        return _encoded(value)
    return "[\n  " + ",\n  ".join(map(_encoded, value)) + "\n ]"


def _encoded(value: object) -> str:
    return json.dumps(to_builtins(value), ensure_ascii=False, allow_nan=False)
