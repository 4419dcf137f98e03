"""The journal of a sweep: what has been counted so far, on disk, so that nothing is lost with a kill.

It is a database of SQLite to which one process adds entries, and never changes one. It survives a kill at any
moment, since SQLite drops what was half-written; and it keeps millions of rows without taking memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from resflops.errors import FileError
from resflops.sweeps.cases import Outcome
from resflops.sweeps.outcomes import decode_row, encode_row

__all__ = ["Journal", "JournalSummary"]

_APPLICATION = 0x52464C50
"""What marks its files, as SQLite has it: RFLP."""
_VERSION = 1

_TABLES = (
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
    "CREATE TABLE about (content TEXT NOT NULL)",
    "CREATE TABLE entries (entry INTEGER PRIMARY KEY, number INTEGER NOT NULL, label TEXT NOT NULL, "
    "failure TEXT NOT NULL, seconds REAL NOT NULL, row TEXT NOT NULL)",
    "CREATE INDEX by_number ON entries (number, entry)",
)
# Of several entries of a case the last, which SQLite promises for a max() beside columns without one.
_LATEST = "SELECT number, label, failure, seconds, row, max(entry) FROM entries GROUP BY number"


class JournalSummary(Struct, frozen=True, kw_only=True):
    """What a journal has."""

    rows: int
    failures: dict[str, int]
    """How many cases have no figures, by the kind of error, the most frequent first."""
    incomplete: int
    """How many have a figure that lacks an op without a rule."""
    slowest: tuple[tuple[str, float], ...]
    """The cases that took the longest, with their seconds."""


class Journal:
    """The journal of one sweep; no other process can write to it meanwhile."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path | None) -> "Journal":
        """Open the journal in a file; create it if there is none.

        Args:
            path: the file; None for a journal in memory.

        Raises:
            FileError: it is something else, cannot be read or written, or another process writes to it.
        """
        with _explain(path):
            connection = _connect(path)
            ask = connection.execute
            marks = [ask(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if marks == [0, 0] and not ask("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                ask("BEGIN IMMEDIATE")
                for statement in _TABLES:
                    ask(statement)
                connection.commit()
            elif marks != [_APPLICATION, _VERSION]:
                connection.close()
                raise FileError(f"{path} was not written by a sweep of this resflops; move it away")
            return cls(connection, path)

    @property
    def about(self) -> str:
        """What it is a journal of; ``""`` as long as nobody has said so."""
        found = self._connection.execute("SELECT content FROM about").fetchone()
        return str(found[0]) if found else ""

    @property
    def is_empty(self) -> bool:
        """Whether it has no rows."""
        return self._connection.execute("SELECT 1 FROM entries LIMIT 1").fetchone() is None

    def describe(self, about: str) -> None:
        """Say what it is a journal of, as long as it has no rows."""
        with _explain(self.path), self._connection:
            self._connection.execute("DELETE FROM about")
            self._connection.execute("INSERT INTO about VALUES (?)", (about,))

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Add outcomes: all of them or, if the process is killed meanwhile, none.

        Raises:
            FileError: the disk is full.
        """
        with _explain(self.path), self._connection:
            self._connection.executemany(
                "INSERT INTO entries (number, label, failure, seconds, row) VALUES (?, ?, ?, ?, ?)",
                [
                    (each.number, each.label, each.failure, each.seconds, encode_row(each.row))
                    for each in outcomes
                ],
            )

    def find(self, first: int, last: int) -> dict[int, tuple[str, str]]:
        """Find the cases of some numbers that are done: their labels, and their failures."""
        found = self._connection.execute(
            "SELECT number, label, failure, max(entry) FROM entries "
            "WHERE number BETWEEN ? AND ? GROUP BY number",
            (first, last),
        )
        return {number: (label, failure) for number, label, failure, _ in found}

    def rows(self) -> Iterator[dict[str, Any]]:
        """List the rows, in the order of the cases."""
        for row in self._connection.execute(f"{_LATEST} ORDER BY number"):
            yield decode_row(row[4])

    def summarize(self, *, slowest: int = 5) -> JournalSummary:
        """Summarize what it has."""
        ask = self._connection.execute
        failures = ask(
            f"SELECT failure, count(*) AS cases FROM ({_LATEST}) WHERE failure <> '' "  # noqa: S608
            "GROUP BY failure ORDER BY cases DESC, failure"
        ).fetchall()
        (rows,) = ask("SELECT count(DISTINCT number) FROM entries").fetchone()
        (incomplete,) = ask(
            f"SELECT count(*) FROM ({_LATEST}) WHERE json_extract(row, '$.complete') = 0"  # noqa: S608
        ).fetchone()
        longest = ask(
            f"SELECT label, seconds FROM ({_LATEST}) ORDER BY seconds DESC, number LIMIT ?",  # noqa: S608
            (slowest,),
        ).fetchall()
        return JournalSummary(
            rows=rows, failures=dict(failures), incomplete=incomplete, slowest=tuple(longest)
        )

    def release(self) -> None:
        """Let others write to it, while its rows can still be read."""
        self._connection.execute("PRAGMA locking_mode = NORMAL")
        # The lock goes with the next time that it is used.
        self._connection.execute("SELECT count(*) FROM about").fetchone()

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def remove(self) -> None:
        """Close it, and remove its file."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _connect(path: Path | None) -> sqlite3.Connection:
    # The sweep may be run in a thread, and its result be read in another.
    connection = sqlite3.connect(path or ":memory:", timeout=0, check_same_thread=False)
    try:
        # One writer: the lock is held until it is released, or the process ends in whatever way.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _explain(path: Path | None) -> Iterator[None]:
    """Explain what SQLite says of a file.

    Raises:
        FileError: SQLite has raised an error.
    """
    try:
        yield
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise FileError(
                f"another sweep is writing to {path}; wait for it, or give another file with --out"
            ) from error
        raise FileError(f"could not use {path}: {error}; move it away to start again") from error
