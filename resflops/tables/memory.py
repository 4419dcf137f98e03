"""The memory of models as a table: the peak and its parts, and the layers that hold the most of it."""

from collections.abc import Sequence

from msgspec import Struct

from resflops.peak_memory.allocator import describe_allocator, replay
from resflops.peak_memory.fitting import Fit
from resflops.peak_memory.records import KINDS, Kind, Memory
from resflops.tables.table import Column, Figure, Note, Row, Table, show_people_if

__all__ = ["COLUMN_NAMES", "MemoryEntry", "build_memory_table"]

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


class MemoryEntry(Struct, frozen=True, kw_only=True):
    """The memory of one model, or the reason why it is not known."""

    model: str
    memory: Memory | None = None
    fit: Fit | None = None
    """The largest batch that fits, if that was asked."""
    reason: str = ""


def build_memory_table(entries: Sequence[MemoryEntry], *, top: int = 10) -> Table:
    """Build the table of ``resflops memory``; of a single model, with its layers below.

    Args:
        entries: one for each model and input.
        top: how many layers to show people.
    """
    rows = tuple(_build_row(entry) for entry in entries)
    known = [entry.memory for entry in entries if entry.memory is not None]
    first = known[0] if known else None
    return Table(
        name="memory",
        title=f"Memory at the peak, {_describe_way(first)}" if first else "Memory at the peak",
        facts={} if first is None else _build_facts(first),
        columns=_build_columns(rows),
        rows=rows,
        notes=(*(_note_peak(known[0]) if len(known) == 1 else ()), *_note_method(known)),
        below=(build_holder_table(known[0], top=top),) if len(known) == 1 else (),
    )


def build_holder_table(memory: Memory, *, top: int) -> Table:
    """Build the table of the layers that hold memory at the peak, the largest first."""
    holders = memory.holders()
    rows = tuple(
        {"layer": holder.layer, "bytes": holder.size, "share": holder.size / max(memory.peak, 1),
         **{kind: holder.by_kind.get(kind, 0) for kind in KINDS}}
        for holder in holders
    )  # fmt: skip
    return Table(
        name="layers",
        title=f"Layers of {memory.model} that hold the most at the peak",
        columns=(
            Column(key="layer", heading="layer", empty="(the model itself)"),
            Column(key="bytes", heading="bytes held", kind="bytes"),
            Column(key="share", heading="share", kind="share"),
            *(
                Column(
                    key=kind,
                    heading=HEADINGS[kind],
                    kind="bytes",
                    audience=show_people_if(any(row[kind] for row in rows[:top])),
                    detail=1,
                )
                for kind in KINDS
            ),
        ),
        rows=rows,
        hidden=frozenset(range(top, len(rows))),
        notes=(
            (
                Note(
                    text="{count} more layers hold {bytes}; --top shows more.",
                    figures={
                        "count": Figure("count", len(rows) - top),
                        "bytes": Figure("bytes", sum(holder.size for holder in holders[top:])),
                    },
                    audience="people",
                ),
            )
            if len(rows) > top
            else ()
        ),
        long=True,
    )


def _build_row(entry: MemoryEntry) -> Row:
    memory = entry.memory
    if memory is None:
        return {"model": entry.model, "failure": entry.reason}
    split = memory.split()
    figures = replay(memory) if memory.device == "cuda" else None
    fit = entry.fit
    return {
        "model": entry.model,
        "input": tuple(given.shape for given in memory.inputs),
        "batch": None if fit is None else fit.batch,
        "peak_bytes": memory.peak,
        "above_weights_bytes": memory.above_weights,
        **{f"{kind}_bytes": split[kind] for kind in KINDS},
        "allocated_bytes": None if figures is None else figures.allocated,
        "reserved_bytes": None if figures is None else figures.reserved,
        "next_batch_bytes": None if fit is None else fit.next_needs,
        "limit_bytes": None if fit is None else fit.limit,
        "peak_op": memory.steps[memory.peak_step].op if memory.steps else "",
        "peak_layer": memory.steps[memory.peak_step].layer if memory.steps else "",
        "failure": "",
    }


def _build_columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    def used(key: str) -> bool:
        return any(row.get(key) for row in rows)

    def bytes_of(key: str, heading: str, detail: int = 0) -> Column:
        return Column(
            key=key, heading=heading, kind="bytes", audience=show_people_if(used(key)), detail=detail
        )

    return (
        Column(key="model", heading="model"),
        Column(key="input", heading="input", kind="shapes", detail=2),
        Column(
            key="batch",
            heading="largest batch",
            kind="count",
            audience=show_people_if(any(row.get("batch") is not None for row in rows)),
        ),
        bytes_of("peak_bytes", "peak in all"),
        bytes_of("above_weights_bytes", "above weights"),
        *(bytes_of(f"{kind}_bytes", HEADINGS[kind], 1) for kind in KINDS),
        bytes_of("allocated_bytes", "allocated"),
        bytes_of("reserved_bytes", "reserved"),
        bytes_of("next_batch_bytes", "next batch needs"),
        Column(key="limit_bytes", kind="bytes", audience="programs"),
        Column(key="peak_op", audience="programs"),
        Column(key="peak_layer", audience="programs"),
        Column(key="failure", heading="failure", wraps=True, audience=show_people_if(used("failure"))),
    )


COLUMN_NAMES = tuple(column.key for column in _build_columns(()))
"""The columns that the table may have."""


def _build_facts(memory: Memory) -> Row:
    return {
        name: getattr(memory, name)
        for name in ("training", "optimizer", "dtype", "autocast", "attention", "device", "method")
    }


def _describe_way(memory: Memory) -> str:
    """Describe how the models are run, without what is usual."""
    parts = ["a training step" if memory.training else "inference"]
    parts += [f"with {memory.optimizer}"] if memory.optimizer else []
    parts += [f"{memory.dtype} by autocast" if memory.autocast else memory.dtype]
    parts += ["checkpointed"] if memory.checkpointing else []
    parts += [f"{memory.attention} attention"] if memory.attention else []
    return ", ".join([*parts, f"kernels of {'a GPU' if memory.device == 'cuda' else 'the CPU'}"])


def _note_peak(memory: Memory) -> tuple[Note, ...]:
    if not memory.steps:
        return ()
    step = memory.steps[memory.peak_step]
    return (
        Note(
            text="The peak is {mb} MB, at {op} of {layer} in the {phase} pass: "
            "op {number} of {count} that take memory.",
            figures={
                "mb": Figure("text", f"{memory.peak / 10**6:,.1f}"),
                "op": Figure("text", step.op),
                "layer": Figure("text", step.layer or "the model itself"),
                "phase": Figure("text", {"optimizer": "optimiser's"}.get(step.phase, step.phase)),
                "number": Figure("count", memory.peak_step + 1),
                "count": Figure("count", len(memory.steps)),
            },
        ),
    )


def _note_method(memories: Sequence[Memory]) -> tuple[Note, ...]:
    """Note what the figures include and what they do not, once for all that say the same."""
    sentences = dict.fromkeys(
        sentence
        for memory in memories
        for sentence in (*_METHODS[memory.method], *describe_allocator(memory.device), *_describe(memory))
    )
    return tuple(
        Note(text="{sentence}", figures={"sentence": Figure("text", sentence)}) for sentence in sentences
    )


_METHODS = {
    "shapes": ("MiB are 2²⁰ bytes. Exact by tensor, from a pass on shapes in which nothing was computed.",),
    "real": ("MiB are 2²⁰ bytes. Exact by tensor, from a pass that was run on the CPU.",),
    "trace": ("MiB are 2²⁰ bytes. Worked out by rules from a stored trace.",),
}


def _describe(memory: Memory) -> tuple[str, ...]:
    """Describe what was assumed, in sentences."""
    notes = [f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in memory.notes]
    if memory.checkpointing:
        notes.append(f"Checkpointed: {_list_some(memory.checkpointing)}.")
    return tuple(notes)


def _list_some(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
