"""The memory of models as a table: the peak and its parts, and the layers that hold the most of it."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import pluralize
from resflops.peak_memory.allocator import replay
from resflops.peak_memory.fitting import Fit
from resflops.peak_memory.records import KINDS, Kind, Memory
from resflops.peak_memory.workspaces import estimate_workspaces
from resflops.tables.memory_notes import (
    describe_way,
    note_failures_to_fit,
    note_fit,
    note_interrupt,
    note_method,
    note_peak,
    note_units,
    note_what_must_fit,
)
from resflops.tables.table import Column, Figure, Note, Row, Table, show_people_if

__all__ = ["COLUMN_NAMES", "MemoryEntry", "build_holder_table", "build_memory_table", "summarize_memory"]

HEADINGS: dict[Kind, str] = {
    "parameters": "parameters",
    "buffers": "buffers",
    "optimizer": "optimiser state",
    "input": "input",
    "gradients": "gradients",
    "activations": "activations kept",
    "temporary": "temporary",
}
"""What the parts of the peak are called in a heading."""

SHOWN_LAYERS = 10
"""Layers that people are shown if they ask for no other number; programs get all."""


class MemoryEntry(Struct, frozen=True, kw_only=True):
    """The memory of one model, or the reason why it is not known."""

    model: str
    """What it is called in the table."""
    spec: str = ""
    """Its spec; ``""`` if that is what it is called."""
    given: str = ""
    """The input that was asked for; ``""`` for the usual one."""
    memory: Memory | None = None
    fit: Fit | None = None
    """The largest batch that fits, if that was asked."""
    reason: str = ""
    by_pattern: bool = False
    """Whether a pattern named it, rather than the user."""


def summarize_memory(memory: Memory, *, top: int = SHOWN_LAYERS) -> Table:
    """Build the table of the memory of one model, with its layers below."""
    return build_memory_table([MemoryEntry(model=memory.model, memory=memory)], top=top)


def build_memory_table(
    entries: Sequence[MemoryEntry], *, top: int = SHOWN_LAYERS, limit: int | None = None, left: int = 0
) -> Table:
    """Build the table of ``resflops memory``; of a single model, with its layers below.

    Args:
        entries: one for each model and input; at least one has a memory.
        top: how many layers to show people.
        limit: the bytes into which the batches were to fit; None if nothing was.
        left: how many models were not run yet when Ctrl-C was pressed.
    """
    rows = tuple(_build_row(entry) for entry in entries)
    known = [entry for entry in entries if entry.memory is not None]
    memories = [entry.memory for entry in known if entry.memory is not None]
    single = memories[0] if len(entries) == 1 else None
    return Table(
        name="memory",
        title=f"Memory at the peak: {describe_way(memories[0])}",
        label="memory",
        facts=_build_facts(memories[0], limit),
        columns=_build_columns(rows),
        rows=rows,
        notes=(
            *((note_peak(single, known[0].model),) if single is not None else ()),
            *(note_fit(entry.model, entry.fit) for entry in known if entry.fit and entry.fit.batch),
            *note_failures_to_fit((entry.model, entry.fit) for entry in known if entry.fit),
            *(note_what_must_fit(memories) if limit is not None else ()),
            note_units(),
            *note_method(memories),
            *([note_interrupt(left)] if left else []),
        ),
        below=(build_holder_table(single, top=top),) if single is not None else (),
    )


def build_holder_table(memory: Memory, *, step: int | None = None, top: int = SHOWN_LAYERS) -> Table:
    """Build the table of the layers that hold memory during a step, the largest first.

    Args:
        memory: that of a pass.
        step: the step; None for that of the peak.
        top: how many layers to show people.
    """
    holders = memory.holders(step)
    whole = sum(holder.size for holder in holders)
    rows = tuple(
        {
            "layer": holder.layer,
            "held_bytes": holder.size,
            "share": holder.size / whole if whole else 0.0,
            **{f"{kind}_bytes": holder.by_kind.get(kind, 0) for kind in KINDS},
        }
        for holder in holders
    )
    return Table(
        name="layers",
        title="Layers that hold the most at the peak" if step is None else "Layers that hold the most",
        label="memory-layers",
        columns=(
            Column(key="layer", heading="layer", empty="(the model itself)"),
            Column(key="held_bytes", heading="held", kind="bytes"),
            Column(key="share", heading="share", kind="share"),
            *_build_kind_columns(rows[:top]),
        ),
        rows=rows,
        hidden=frozenset(range(top, len(rows))),
        notes=(_note_rest([holder.size for holder in holders[top:]]),) if len(rows) > top else (),
        long=True,
    )


def _note_rest(sizes: Sequence[int]) -> Note:
    more = f"{{count}} more {pluralize('layer', len(sizes))} {'holds' if len(sizes) == 1 else 'hold'}"
    return Note(
        text=f"{more} {{size}}; --top N shows more, in Python summary(top=N).",
        figures={"count": Figure("count", len(sizes)), "size": Figure("bytes", sum(sizes))},
        audience="people",
    )


def _build_row(entry: MemoryEntry) -> Row:
    whole = {"model": entry.model, "spec": entry.spec or entry.model, "failure": entry.reason}
    memory, fit = entry.memory, entry.fit
    if memory is None:
        # Every key, with None: columns are looked up in each row.
        return {**dict.fromkeys(COLUMN_NAMES), **whole, "tone": "bad"}
    split = memory.split()
    figures = replay(memory) if memory.device == "cuda" else None
    step = memory.steps[memory.peak_step] if memory.steps else None
    return {
        **whole,
        "input": tuple(given.shape for given in memory.inputs),
        "batch": fit.batch if fit else _find_batch(memory),
        "peak_bytes": memory.peak,
        "above_weights_bytes": memory.above_weights,
        **{f"{kind}_bytes": split[kind] for kind in KINDS},
        "allocated_bytes": figures.allocated if figures else None,
        "reserved_bytes": figures.reserved if figures else None,
        "cublas_bytes": sum(each.size for each in estimate_workspaces(memory)) if figures else None,
        "next_batch_bytes": fit.next_needs if fit else None,
        "peak_op": step.op if step else None,
        "peak_layer": step.layer if step else None,
        "peak_phase": step.phase if step else None,
        "peak_step": memory.peak_step if step else None,
        "steps": len(memory.steps),
        "method": memory.method,
    }


def _find_batch(memory: Memory) -> int | None:
    """Find the batch of the inputs: the first dimension, if all of them have the same."""
    sizes = {given.shape[0] for given in memory.inputs if given.shape}
    return sizes.pop() if len(sizes) == 1 else None


def _build_columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    def used(key: str) -> bool:
        return any(row.get(key) for row in rows)

    def bytes_of(key: str, heading: str) -> Column:
        return Column(key=key, heading=heading, kind="bytes", audience=show_people_if(used(key)))

    fits = used("next_batch_bytes")
    models = [row.get("model") for row in rows]
    # What tells the rows of one model from each other stays beside its name.
    repeated = len(set(models)) < len(models)
    return (
        Column(key="model", heading="model", tone="tone"),
        Column(key="spec", audience="programs"),
        Column(key="input", heading="input", kind="shapes", detail=0 if repeated else 2),
        Column(
            key="batch",
            heading="largest batch" if fits else "batch",
            kind="count",
            audience=show_people_if(fits),
        ),
        Column(key="peak_bytes", heading="peak in all", kind="bytes"),
        Column(key="above_weights_bytes", heading="above weights", kind="bytes"),
        *_build_kind_columns(rows),
        bytes_of("allocated_bytes", "allocated"),
        bytes_of("reserved_bytes", "reserved"),
        replace(bytes_of("cublas_bytes", "cuBLAS keeps, estimated"), detail=3),
        bytes_of("next_batch_bytes", "next batch needs"),
        Column(key="peak_op", audience="programs"),
        Column(key="peak_layer", audience="programs"),
        Column(key="peak_phase", audience="programs"),
        Column(key="peak_step", audience="programs"),
        Column(key="steps", audience="programs"),
        Column(key="method", audience="programs"),
        Column(
            key="failure",
            heading="could not be run",
            wraps=True,
            detail=1,
            tone="tone",
            audience=show_people_if(used("failure")),
        ),
    )


def _build_kind_columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    """Build a column for each part; people see those that some row has."""
    return tuple(
        Column(
            key=f"{kind}_bytes",
            heading=HEADINGS[kind],
            kind="bytes",
            audience=show_people_if(any(row.get(f"{kind}_bytes") for row in rows)),
            # The smallest part gives way first.
            detail=4 if kind == "buffers" else 1,
        )
        for kind in KINDS
    )


COLUMN_NAMES = tuple(column.key for column in _build_columns(()))
"""The columns that the table may have."""


def _build_facts(memory: Memory, limit: int | None) -> Row:
    names = ("training", "optimizer", "dtype", "autocast", "checkpointing", "attention", "device")
    facts = {name: getattr(memory, name) for name in names}
    return facts if limit is None else {**facts, "limit_bytes": limit}
