"""The breakdown of one model: one row a layer, a part of the module tree or a stage."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from msgspec.structs import asdict

from resflops.cost import Cost
from resflops.cost.layers import LayerRow, StageRow, sum_by_depth, sum_by_stage
from resflops.ops import OPS
from resflops.tables.comparison import note_trace, note_uncounted
from resflops.tables.entries import find_batch_size
from resflops.tables.sparsity import build_nonzero_column, note_nonzero
from resflops.tables.stored import note_stored
from resflops.tables.table import (
    Column,
    Figure,
    Note,
    Row,
    Table,
    format_cost_heading,
    note_convention,
    show_people_if,
)
from resflops.tables.training import build_backward_table, note_training

__all__ = ["COLUMN_NAMES", "build_breakdown"]


def build_breakdown(
    cost: Cost,
    *,
    depth: int | None = None,
    everything: bool = False,
    stored: str = "",
    spec: str = "",
    hidden_rows: str = "--all",
) -> Table:
    """Build the table of ``resflops layers``, with the stages below it where the model names any.

    Args:
        cost: the model's cost.
        depth: add layers up to this depth of the module tree; None gives every layer.
        everything: show people also the rows that cost nothing and hold no parameters.
        stored: where the model's trace was stored, in words; ``""`` if it was taken now.
        spec: the spec of a model that goes by a label.
        hidden_rows: what shows the rows that people are not shown here.
    """
    layers: Sequence[LayerRow | StageRow] = cost.layers
    if depth is not None:
        layers = sum_by_depth(cost.layers, depth=depth)
    idle = frozenset() if everything else frozenset(n for n, row in enumerate(layers) if _is_idle(row))
    shown = [row for n, row in enumerate(layers) if n not in idle]
    shape = Figure("shapes", tuple(given.shape for given in cost.trace.inputs))
    by = "layer" if depth is None else f"module, depth {depth}"
    return Table(
        title=f"{cost.model} by {by}, convention {cost.convention}",
        convention=cost.convention,
        long=depth is None,
        caption=_build_caption(cost, by),
        label=f"{cost.model}-layers" if depth is None else f"{cost.model}-modules",
        intro=(Note(text="input {input}", figures={"input": shape}),),
        facts={
            "model": cost.model,
            **({"spec": spec} if spec else {}),
            "input": shape,
            **({"stored": stored} if stored else {}),
        },
        columns=_build_layer_columns(cost, shown) if depth is None else _build_part_columns(cost, "module"),
        rows=tuple(_build_layer_row(row) if isinstance(row, LayerRow) else asdict(row) for row in layers),
        # Hidden and not dropped: programs get every row.
        hidden=idle,
        total=_build_total(cost),
        notes=(
            note_convention(cost.priced_by),
            *([_note_hidden_rows([layers[n] for n in sorted(idle)], hidden_rows)] if idle else []),
            *_note_sample(cost),
            *([] if cost.complete else [note_uncounted(cost)]),
            *note_trace(cost),
            *_note_whole_fields(cost),
            *note_training([cost]),
            *note_nonzero([cost]),
            *note_stored([(cost.model, stored)]),
        ),
        below=(
            *([_build_stage_table(cost)] if cost.trace.stages else []),
            *(
                [build_backward_table(cost.backward, depth=depth, everything=everything)]
                if cost.backward
                else []
            ),
        ),
    )


def _build_stage_table(cost: Cost) -> Table:
    return Table(
        name="stages",
        title=f"{cost.model} by stage, convention {cost.convention}",
        caption=_build_caption(cost, "stage"),
        label=f"{cost.model}-stages",
        convention=cost.convention,
        columns=_build_part_columns(cost, "stage"),
        rows=tuple(asdict(row) for row in sum_by_stage(cost.trace, cost.layers)),
        total=_build_total(cost),
    )


def _note_sample(cost: Cost) -> tuple[Note, ...]:
    """Note what one sample of a batch costs."""
    batch = find_batch_size(cost)
    if batch == 1:
        return ()
    return (
        Note(
            text="Per sample, of a batch of {batch}: {each} {what}.",
            figures={
                "batch": Figure("count", batch),
                "each": Figure("quotient", Fraction(cost.total, batch)),
                "what": Figure("text", format_cost_heading(cost.priced_by)),
            },
        ),
    )


def _note_whole_fields(cost: Cost) -> tuple[Note, ...]:
    """Note which ops see the whole map at every position, so that their receptive fields do not surprise."""
    fields = dict.fromkeys(
        row.op
        for row in cost.layers
        if row.receptive_field and row.op in OPS and OPS[row.op].window == "spans"
    )
    ops = tuple(op for op in fields if op != "batch_norm")
    if not ops:
        return ()
    return (
        Note(
            text="The receptive field of {ops} and of what follows is the whole map: it includes the points "
            "that the statistics are taken over.",
            figures={"ops": Figure("names", ops)},
        ),
    )


def _build_caption(cost: Cost, by: str) -> Note:
    """Build what a printed table says over its rows, which has no place for other notes."""
    return Note(
        text=f"{{model}} by {by}, on an input of {{input}}. {{what}}: {{counts}}.",
        figures={
            "model": Figure("text", cost.model),
            "input": Figure("shapes", tuple(given.shape for given in cost.trace.inputs)),
            "what": Figure("text", format_cost_heading(cost.priced_by)),
            "counts": Figure("text", cost.priced_by.counts),
        },
    )


def _is_idle(row: LayerRow | StageRow) -> bool:
    # A row that is not counted is always shown: its cost is unknown, which is not zero.
    return row.counted and not row.total and not row.params


def _build_layer_row(row: LayerRow) -> Row:
    return {**asdict(row), "window": (row.kernel, row.stride, row.padding, row.groups)}


def _build_total(cost: Cost) -> Row:
    return {
        "name": "total",
        "params": cost.params,
        "trainable": cost.trainable,
        "frozen": cost.frozen,
        "buffers": cost.buffers,
        "macs": cost.macs,
        "nonzero_macs": cost.nonzero_macs,
        "total": cost.total,
        "share": 1.0,
        "counted": cost.complete,
    }


def _note_hidden_rows(rows: Sequence[LayerRow | StageRow], where: str) -> Note:
    """Note how many rows were left out, and what is in them."""
    if any(isinstance(row, LayerRow) for row in rows):
        ops = Counter(row.op for row in rows if isinstance(row, LayerRow))
        what = ", ".join(f"{op} {count}" for op, count in ops.most_common())
    else:
        what = ", ".join(row.name or "the model itself" for row in rows)
    hidden = (
        "1 row that costs nothing under this convention and holds no parameters ({what}); {where} shows it."
        if len(rows) == 1
        else "{count} rows that cost nothing under this convention and hold no parameters ({what}); "
        "{where} shows them."
    )
    return Note(
        text=f"Left out: {hidden}",
        figures={
            "count": Figure("count", len(rows)),
            "what": Figure("text", what),
            "where": Figure("text", where),
        },
        audience="people",
    )


def _build_cost_columns(cost: Cost) -> tuple[Column, ...]:
    """Build the columns of parameters, buffers, MACs, and the total where it is another number."""
    macs = cost.convention == "macs"
    heading = format_cost_heading(cost.priced_by)
    return (
        Column(key="params", heading="parameters", kind="count", detail=2, measures="parameters"),
        Column(
            key="trainable", heading="trainable", kind="count", audience="programs", measures="parameters"
        ),
        Column(
            key="frozen",
            heading="frozen",
            kind="count",
            audience=show_people_if(cost.frozen),
            detail=5,
            folds=False,
            measures="parameters",
        ),
        Column(
            key="buffers",
            heading="buffers",
            kind="count",
            audience=show_people_if(cost.buffers),
            detail=6,
            folds=False,
            prints=False,
            measures="parameters",
        ),
        Column(
            key="macs",
            heading=heading if macs else "MACs",
            kind="count",
            exact_if="counted",
            measures="cost",
            detail=0 if macs else 3,
            folds=macs,
        ),
        build_nonzero_column(asked=cost.nonzero_macs is not None),
        Column(
            key="total",
            heading=heading,
            kind="count",
            audience="programs" if macs else "all",
            exact_if="counted",
            measures="cost",
        ),
        Column(key="share", heading="share", kind="share", detail=1, prints=False),
    )


def _build_part_columns(cost: Cost, part: str) -> tuple[Column, ...]:
    return (
        Column(key="name", heading=part, empty=f"(in no {part})"),
        Column(key="output_shape", heading="output", kind="shape", detail=4, folds=False),
        *_build_cost_columns(cost),
        Column(key="counted", audience="programs"),
    )


COLUMN_NAMES = (
    "name", "op", "calls", "input_shape", "output_shape", "window", "kernel", "stride", "padding", "groups",
    "params", "trainable", "frozen", "buffers", "macs", "nonzero_macs", "total", "share", "receptive_field",
    "effective_stride", "formula", "counted",
)  # fmt: skip
"""The columns of a breakdown that ``--columns`` and ``--sort`` take; some are of layers alone."""


def _build_layer_columns(cost: Cost, shown: Sequence[LayerRow | StageRow]) -> tuple[Column, ...]:
    repeated = any(isinstance(row, LayerRow) and row.calls > 1 for row in shown)
    return (
        Column(key="name", heading="layer", empty="(the model itself)"),
        Column(key="op", heading="op", empty="(no op of its own)", detail=4, folds=False),
        Column(
            key="calls",
            heading="calls",
            kind="count",
            audience=show_people_if(repeated),
            detail=4,
            folds=False,
        ),
        Column(key="input_shape", heading="input", kind="shape", detail=7, folds=False, prints=False),
        Column(key="output_shape", heading="output", kind="shape", detail=4, folds=False),
        Column(key="window", heading="window", kind="window", audience="people", detail=5, folds=False),
        *(Column(key=key, kind="shape", audience="programs") for key in ("kernel", "stride", "padding")),
        Column(key="groups", kind="count", audience="programs"),
        *_build_cost_columns(cost),
        Column(
            key="receptive_field",
            heading="receptive field",
            kind="shape",
            detail=8,
            folds=False,
            prints=False,
        ),
        Column(
            key="effective_stride",
            heading="effective stride",
            kind="step",
            detail=8,
            folds=False,
            prints=False,
        ),
        Column(key="formula", heading="formula", detail=9, folds=False, prints=False),
        Column(key="counted", audience="programs"),
    )
