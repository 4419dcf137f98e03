"""Stored traces: the notes and the column that say which figures come from them, and what there is of them.

A table whose models were all traced now has neither: it is as it was before anything was stored.
"""

from collections.abc import Iterable, Sequence

from resflops.sources.shipped_traces import ArchiveSummary
from resflops.sources.trace_cache import LONGEST_AGE, MOST_BYTES, CacheSummary
from resflops.tables.table import Column, Figure, Note, Row, Table, show_people_if

__all__ = ["build_storage_table", "build_stored_columns", "note_stored"]

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


def build_storage_table(*, shipped: ArchiveSummary, cache: CacheSummary) -> Table:
    """Build the table of ``resflops cache``."""
    rows = (
        {
            "traces": "shipped with resflops",
            "entries": shipped.traces,
            "size": shipped.size,
            "place": shipped.path,
            "problem": shipped.problem,
        },
        {
            "traces": "in the cache",
            "entries": cache.entries,
            "size": cache.size,
            "place": "" if cache.folder is None else str(cache.folder),
            "problem": cache.problem,
        },
    )
    return Table(
        title="Stored traces",
        columns=(
            Column(key="traces", heading="traces"),
            Column(key="entries", heading="entries", kind="count"),
            Column(key="size", heading="size", kind="bytes"),
            Column(key="place", heading="where", empty="nowhere", detail=1),
            Column(
                key="problem",
                heading="not used, because",
                audience=show_people_if(any(row["problem"] for row in rows)),
                wraps=True,
                detail=1,
            ),
        ),
        rows=rows,
        notes=(
            Note(
                text="The shipped traces are of the built-in networks with their default options, made by "
                "torch {torch}.",
                figures={"torch": Figure("text", shipped.torch_version.partition("+")[0])},
            ),
            Note(
                text="The cache keeps at most {size} and nothing older than {days} days; resflops cache "
                "--clear empties it, and --fresh counts without it.",
                figures={
                    "size": Figure("bytes", MOST_BYTES),
                    "days": Figure("count", LONGEST_AGE // (24 * 3600)),
                },
                audience="people",
            ),
        ),
    )
