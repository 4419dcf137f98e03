"""The files that a sweep is written to: CSV, Parquet, JSON lines and SQLite.

The same rows give the same bytes. They are written as they come, so that millions take no memory.
"""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from resflops.errors import FileError, UsageError
from resflops.storage.writing import replace_file
from resflops.sweeps.columns import Column

__all__ = ["ENDINGS", "check_file", "write_rows"]

Rows = Iterable[dict[str, Any]]
Columns = tuple[Column, ...]

_AT_ONCE = 10_000
"""Rows of one row group of Parquet."""
_LARGEST = 2**63 - 1
"""The largest integer of a column of Parquet or SQLite."""


def check_file(path: Path) -> None:
    """Check that a file's ending names a format that can be written here.

    Raises:
        UsageError: it names none, or the package that writes it is missing.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"--out {path}: the file must end in {', '.join(ENDINGS)}, as in {path.with_suffix('.csv')}"
        )
    if path.suffix.lower() in _PARQUET and find_spec("pyarrow") is None:
        raise UsageError(
            f"--out {path}: Parquet needs the package pyarrow; pip install 'resflops[parquet]' brings it, "
            "or choose .csv, .jsonl or .sqlite"
        )


def write_rows(path: Path, columns: Columns, rows: Rows, about: dict[str, Any]) -> None:
    """Write rows to a file, whole or not at all.

    Args:
        path: the file, whose ending names the format.
        columns: the columns, of which a row may lack some.
        rows: the rows.
        about: what the rows were made by and with; formats that have a place for it keep it there.

    Raises:
        FileError: the file cannot be written, or its format has no number as large.
    """
    with replace_file(path) as temporary:
        ENDINGS[path.suffix.lower()](temporary, columns, rows, about)


def _write_csv(path: Path, columns: Columns, rows: Rows, about: dict[str, Any]) -> None:
    # A table of pandas or R has no place for more than columns; what made a row is in its own.
    del about
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        for row in rows:
            writer.writerow([_write_cell(row.get(column.name)) for column in columns])


def _write_cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _write_json_lines(path: Path, columns: Columns, rows: Rows, about: dict[str, Any]) -> None:
    del about
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in rows:
            known = {column.name: row.get(column.name) for column in columns}
            file.write(json.dumps(known, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, columns: Columns, rows: Rows, about: dict[str, Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {"text": pa.string(), "integer": pa.int64(), "boolean": pa.bool_()}
    schema = pa.schema(
        [pa.field(column.name, types[column.kind]) for column in columns],
        metadata={"resflops": json.dumps(about, sort_keys=True)},
    )
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _group(_check_sizes(columns, rows)):
            table = pa.Table.from_pylist(group, schema=schema)
            writer.write_table(table, row_group_size=_AT_ONCE)


def _write_sqlite(path: Path, columns: Columns, rows: Rows, about: dict[str, Any]) -> None:
    types = {"text": "TEXT", "integer": "INTEGER", "boolean": "BOOLEAN"}
    names = [_quote(column.name) for column in columns]
    with closing(sqlite3.connect(path)) as connection, connection:
        declared = ", ".join(
            f"{name} {types[column.kind]}" for name, column in zip(names, columns, strict=True)
        )
        connection.execute(f"CREATE TABLE costs ({declared})")
        connection.execute("CREATE TABLE about (name TEXT, value TEXT)")
        connection.executemany(
            "INSERT INTO about VALUES (?, ?)", [(name, json.dumps(value)) for name, value in about.items()]
        )
        connection.executemany(
            f"INSERT INTO costs VALUES ({', '.join('?' for _ in names)})",  # noqa: S608
            (tuple(row.get(column.name) for column in columns) for row in _check_sizes(columns, rows)),
        )


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _check_sizes(columns: Columns, rows: Rows) -> Iterator[dict[str, Any]]:
    """Give rows on whose numbers fit into 64 bits.

    Raises:
        FileError: one does not.
    """
    integers = [column.name for column in columns if column.kind == "integer"]
    for row in rows:
        for name in integers:
            if (row.get(name) or 0) > _LARGEST:
                raise FileError(
                    f"{name} of {row['name']} is {row[name]:,}, more than a column of 64 bits can hold; "
                    "write .csv or .jsonl, which hold any number"
                )
        yield row


def _group(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while group := list(islice(rows, _AT_ONCE)):
        yield group


ENDINGS: dict[str, Callable[[Path, Columns, Rows, dict[str, Any]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".pq": _write_parquet,
    ".jsonl": _write_json_lines,
    ".ndjson": _write_json_lines,
    ".sqlite": _write_sqlite,
    ".db": _write_sqlite,
}
_PARQUET = {".parquet", ".pq"}
