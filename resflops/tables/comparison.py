"""The comparison: one row a model, with the published figures beside the exact ones."""

from collections.abc import Sequence
from fractions import Fraction

from msgspec import to_builtins

from resflops.cost import Cost
from resflops.cost.convention import Convention
from resflops.errors import pluralize
from resflops.tables.entries import Entry, Failed, build_entry, find_batch_size, list_input_shapes
from resflops.tables.published_figures import (
    FigureVerdict,
    describe_figure,
    encode_verdict,
    is_about,
    judge_all,
    note_verdict,
)
from resflops.tables.sparsity import build_nonzero_column, note_nonzero
from resflops.tables.stored import build_stored_columns, note_stored
from resflops.tables.table import (
    Audience,
    Column,
    Figure,
    Note,
    Row,
    Table,
    format_cost_heading,
    list_uncounted_ops,
    note_convention,
    show_people_if,
)
from resflops.tables.training import (
    TRAINING_FIGURES,
    build_training_cells,
    build_training_columns,
    note_training,
)

__all__ = [
    "COLUMN_NAMES",
    "Entry",
    "Failed",
    "build_comparison",
    "build_entry",
    "note_interrupt",
    "note_trace",
    "note_uncounted",
]  # fmt: skip


def build_comparison(results: Sequence[Entry | Failed], *, notes: Sequence[Note] = ()) -> Table:
    """Build the table of ``resflops table``, models in the given order.

    Args:
        results: at least one entry; all costs under one convention.
        notes: what else to say under it.
    """
    entries = [result for result in results if isinstance(result, Entry)]
    convention = entries[0].cost.priced_by
    most_expensive = max(entries, key=lambda one: one.cost.total).cost
    judged = judge_all(entries)
    verdicts = iter(judged)
    rows = tuple(
        _build_row(result, most_expensive, next(verdicts))
        if isinstance(result, Entry)
        else _build_failed_row(result)
        for result in results
    )
    return Table(
        title=f"Cost under the convention {convention.name}",
        convention=convention.name,
        caption=_build_caption(rows, convention),
        label="cost",
        columns=_build_columns(rows, format_cost_heading(convention), most_expensive.model),
        rows=rows,
        notes=(
            note_convention(convention),
            *_note_batches(rows),
            *note_training([one.cost for one in entries]),
            *note_nonzero([one.cost for one in entries]),
            *_keep_first(
                [
                    *(_note_variant(one) for one in entries if one.variant),
                    *(
                        note
                        for one, given in zip(entries, judged, strict=True)
                        for verdict in given
                        for note in note_verdict(verdict, one)
                    ),
                    *(note for one in entries for note in note_trace(one.cost)),
                    *(note_uncounted(one.cost) for one in entries if not one.cost.complete),
                ]
            ),
            *note_stored(dict.fromkeys((one.cost.model, one.stored) for one in entries)),
            *notes,
        ),
    )


def _keep_first(notes: Sequence[Note]) -> list[Note]:
    """Keep each note once: a model on several inputs has the same to say of each."""
    return list({repr(note): note for note in notes}.values())


def _build_caption(rows: Sequence[Row], convention: Convention) -> Note:
    """Build what a printed table says over its rows, which has no place for other notes."""
    inputs = {row["input"] for row in rows if row["input"]}
    same = " on an input of {input}" if len(inputs) == 1 else ""
    return Note(
        text=f"Cost of models{same}. {{what}}: {{counts}}.",
        figures={
            "input": Figure("shapes", next(iter(inputs), ())),
            "what": Figure("text", format_cost_heading(convention)),
            "counts": Figure("text", convention.counts),
        },
    )


def _build_row(one: Entry, most_expensive: Cost, judged: tuple[FigureVerdict, ...]) -> Row:
    cost = one.cost
    return {
        "model": cost.model,
        "spec": one.spec or cost.model,
        "input": list_input_shapes(cost),
        "params": cost.params,
        "macs": cost.macs,
        "total": cost.total,
        "rounded": cost.total,
        **_build_sample_cells(cost),
        "trainable": cost.trainable,
        "frozen": cost.frozen,
        "buffers": cost.buffers,
        "ratio": cost.total / most_expensive.total if most_expensive.total else None,
        "complete": cost.complete,
        "uncounted": to_builtins(cost.uncounted),
        "variant": one.variant,
        "execution": cost.trace.execution,
        "stored": one.stored,
        "upper_bound": cost.trace.upper_bound,
        "nonzero_macs": cost.nonzero_macs,
        "error": "",
        "published": [encode_verdict(verdict) for verdict in judged],
        "published_macs": tuple(describe_figure(v) for v in judged if is_about(v, "macs")),
        "published_params": tuple(describe_figure(v) for v in judged if is_about(v, "params")),
        **build_training_cells(cost),
    }


def _build_failed_row(failed: Failed) -> Row:
    # Every key, with None: columns are looked up in each row.
    shape = None if failed.input_shape is None else (failed.input_shape,)
    return {
        **dict.fromkeys(_FIGURES),
        "model": failed.model,
        "spec": failed.spec or failed.model,
        "input": shape,
        "complete": False,
        "error": failed.reason,
        "tone": "bad",
    }


_FIGURES = (
    "input", "batch", "params", "macs", "total", "rounded", "total_per_sample",
    "trainable", "frozen", "buffers", "ratio", "uncounted", "variant",
    "execution", "stored", "upper_bound", "nonzero_macs", "published", "published_macs", "published_params",
    "training_per_sample", *TRAINING_FIGURES,
)  # fmt: skip
"""The keys that have a value only where a model could be counted."""


def _build_sample_cells(cost: Cost) -> Row:
    """Build the cells of one sample of a batch: exact quotients, which need not be whole."""
    batch = find_batch_size(cost)
    if batch == 1:
        return {"batch": 1, "total_per_sample": cost.total, "training_per_sample": None}
    both = cost.total + cost.backward.total if cost.backward else None
    return {
        "batch": batch,
        "total_per_sample": Fraction(cost.total, batch),
        "training_per_sample": None if both is None else Fraction(both, batch),
    }


def _note_batches(rows: tuple[Row, ...]) -> tuple[Note, ...]:
    """Note what a figure per sample is, and which ones are no whole number."""
    if not any((row["batch"] or 1) > 1 for row in rows):
        return ()
    broken = [row["model"] for row in rows if not _is_whole(row["total_per_sample"])]
    text = "Per sample is the figure of the whole batch divided by its size, the first dimension of the input"
    if not broken:
        return (Note(text=f"{text}."),)
    return (
        Note(
            text=f"{text}; that of {{models}} is a fraction, since not every op runs once for each sample.",
            figures={"models": Figure("names", tuple(broken))},
        ),
    )


def _is_whole(value: int | Fraction | None) -> bool:
    return value is None or Fraction(value).denominator == 1


COLUMN_NAMES = (
    "model", "spec", "input", "batch", "params", "trainable", "frozen", "buffers", "macs", "total", "rounded",
    "total_per_sample", "nonzero_macs", "backward_macs", "backward_input_macs",
    "backward_weight_macs", "backward_total", "backward_complete", "training_total", "training_complete",
    "training_per_sample", "ratio", "published_macs", "published_params", "complete", "variant", "execution",
    "stored", "upper_bound", "error",
)  # fmt: skip
"""The columns of a comparison that ``--columns`` and ``--sort`` take; some need another option."""


def _build_columns(rows: tuple[Row, ...], cost: str, most_expensive: str) -> tuple[Column, ...]:
    def show_if_any(key: str) -> Audience:
        return show_people_if(any(row[key] for row in rows))

    training = any("training_total" in row and row["training_total"] is not None for row in rows)
    batched: Audience = "all" if any((row["batch"] or 1) > 1 for row in rows) else "asked"
    named: Audience = "programs" if any(row["spec"] != row["model"] for row in rows) else "asked"
    several = show_people_if(len(rows) > 1)
    # On paper the input stands in the caption if it is the same for all.
    inputs = {row["input"] for row in rows if row["input"]}
    printed = (("published_macs", "published MACs", 6), ("published_params", "published parameters", 8))
    return (
        Column(key="model", heading="model"),
        Column(key="spec", heading="spec", audience=named),
        Column(key="input", heading="input", kind="shapes", detail=4, folds=False, prints=len(inputs) > 1),
        Column(
            key="batch", heading="batch", kind="count", audience="programs" if batched == "all" else "asked"
        ),
        Column(key="params", heading="parameters", kind="count", detail=2, measures="parameters"),
        *(
            Column(
                key=key,
                heading=key,
                kind="count",
                audience=show_if_any("frozen"),
                detail=3,
                prints=False,
                measures="parameters",
            )
            for key in ("trainable", "frozen")
        ),
        Column(
            key="buffers",
            heading="buffers",
            kind="count",
            audience=show_if_any("buffers"),
            detail=5,
            folds=False,
            prints=False,
            measures="parameters",
        ),
        Column(key="macs", heading="MACs", kind="count", audience="programs", measures="cost"),
        Column(
            key="total",
            heading=f"forward {cost}" if training else cost,
            kind="count",
            exact_if="complete",
            measures="cost",
        ),
        Column(
            key="rounded", heading="≈", kind="rounded", audience="people", detail=4, folds=False, prints=False
        ),
        Column(
            key="total_per_sample",
            heading=f"{cost} per sample",
            kind="quotient",
            audience=batched,
            exact_if="complete",
            detail=2,
            measures="cost",
        ),
        build_nonzero_column(asked=any(row["nonzero_macs"] is not None for row in rows)),
        *(build_training_columns(cost, batched=batched == "all") if training else ()),
        Column(
            key="ratio",
            heading=f"of {most_expensive}",
            kind="share",
            audience=several,
            detail=1,
            prints=False,
        ),
        *(
            Column(
                key=key,
                heading=heading,
                kind="lines",
                # JSON has the figures themselves, and a CSV file numbers alone.
                audience="people" if show_if_any(key) == "all" else "asked",
                wraps=True,
                detail=detail,
                folds=key == "published_macs",
                prints=False,
            )
            for key, heading, detail in printed
        ),
        Column(key="complete", heading="complete", audience="programs"),
        Column(key="uncounted", heading="uncounted", kind="data", audience="programs"),
        Column(key="variant", heading="variant", audience="programs"),
        Column(key="execution", heading="execution", audience="programs"),
        *build_stored_columns(rows),
        *(
            [Column(key="upper_bound", heading="upper bound", audience="programs")]
            if any(row["upper_bound"] for row in rows)
            else []
        ),
        Column(
            key="error",
            heading="could not be counted",
            audience=show_if_any("error"),
            wraps=True,
            detail=7,
            tone="tone",
        ),
        Column(key="published", heading="published", kind="data", audience="programs"),
    )


def _note_variant(one: Entry) -> Note:
    return Note(
        text="{model}: {variant}.",
        figures={"model": Figure("text", one.cost.model), "variant": Figure("text", one.variant)},
    )


def note_interrupt(left: int) -> Note:
    """Note how many models an interrupt left out."""
    return Note(
        text=f"Interrupted: {{left}} more {pluralize('model', left)} "
        f"{'was' if left == 1 else 'were'} not counted.",
        figures={"left": Figure("count", left)},
    )


def note_trace(cost: Cost) -> tuple[Note, ...]:
    """Note what a reader should know about how the model was traced."""
    model = Figure("text", cost.model)
    return tuple(
        Note(text="{model}: {note}.", figures={"model": model, "note": Figure("text", text)}, qualifies=True)
        for text in cost.trace.notes
    )


def note_uncounted(cost: Cost) -> Note:
    """Note the ops that the total lacks, those that touch most data first."""
    return Note(
        qualifies=True,
        text="{model} is incomplete (≥): these ops have no rule and are not in its figures: {ops}.",
        figures={
            "model": Figure("text", cost.model),
            "ops": Figure("text", list_uncounted_ops(cost.uncounted)),
        },
    )
