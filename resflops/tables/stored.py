"""Where figures come from that were not counted now: the notes that say so, and the column for programs.

A table whose models were all traced now has neither, so that it is the same as it was before there was a cache.
"""

from collections.abc import Iterable, Sequence

from resflops.tables.table import Column, Figure, Note, Row

__all__ = ["build_stored_columns", "note_stored"]

MOST_NAMES = 10
"""The most models that a note names."""


def note_stored(models: Iterable[tuple[str, str]]) -> tuple[Note, ...]:
    """Note where the traces of models were stored, in one sentence for all that say the same.

    Args:
        models: the names of the models, each with where its trace was stored, ``""`` if it was taken now.
    """
    named: dict[str, dict[str, None]] = {}
    for model, stored in models:
        if stored:
            named.setdefault(stored, {})[model] = None
    return tuple(_note_origin(stored, list(names)) for stored, names in named.items())


def _note_origin(stored: str, models: Sequence[str]) -> Note:
    several, many = len(models) > 1, len(models) > MOST_NAMES
    return Note(
        text=f"{'{count} models' if many else '{models}'}: {'each ' if several else ''}{{stored}}.",
        figures={
            "models": Figure("names", tuple(models)),
            "count": Figure("count", len(models)),
            "stored": Figure("text", stored),
        },
        of_checks=True,
    )


def build_stored_columns(rows: Iterable[Row]) -> tuple[Column, ...]:
    """Build the column that tells programs where the trace of a row was stored, if any was."""
    return (Column(key="stored", audience="programs"),) if any(row.get("stored") for row in rows) else ()
