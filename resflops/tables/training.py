"""The backward pass beside the forward pass, as columns, notes and a table."""

from collections.abc import Sequence

from msgspec import to_builtins
from msgspec.structs import asdict

from resflops.cost import Cost
from resflops.cost.backward import Backward, GradientRow
from resflops.tables.table import Column, Figure, Note, Row, Table, format_cost_heading, list_uncounted_ops

__all__ = [
    "TRAINING_FIGURES",
    "build_backward_table",
    "build_training_cells",
    "build_training_columns",
    "note_training",
]

TRAINING_FIGURES = (
    "backward_macs", "backward_input_macs", "backward_weight_macs", "backward_total", "training_total",
    "backward_complete", "training_complete", "backward_uncounted",
)  # fmt: skip
"""The keys that a row of the comparison has besides, where the backward pass is known."""


def build_training_cells(cost: Cost) -> Row:
    """Build the cells of the backward pass and of both passes; none if it was not counted."""
    if cost.backward is None:
        return {}
    backward = cost.backward
    return {
        "backward_macs": backward.macs,
        "backward_input_macs": backward.input_macs,
        "backward_weight_macs": backward.weight_macs,
        "backward_total": backward.total,
        "training_total": cost.total + backward.total,
        "backward_complete": backward.complete,
        "training_complete": cost.complete and backward.complete,
        "backward_uncounted": to_builtins(backward.uncounted),
    }


def build_training_columns(heading: str, *, batched: bool = False) -> tuple[Column, ...]:
    """Build the columns of the backward pass and of both passes.

    Args:
        heading: the heading of a cost under the convention.
        batched: whether there is a batch, beside which one sample has its own figure.
    """
    parts = ("backward_macs", "backward_input_macs", "backward_weight_macs")
    return (
        *(
            Column(key=key, heading=key.replace("_", " "), kind="count", audience="programs", measures="cost")
            for key in parts
        ),
        Column(
            key="backward_total",
            heading=f"backward {heading}",
            kind="count",
            exact_if="backward_complete",
            detail=2,
            measures="cost",
        ),
        Column(
            key="training_total",
            heading=f"both {heading}",
            kind="count",
            exact_if="training_complete",
            measures="cost",
        ),
        Column(
            key="training_per_sample",
            heading=f"both {heading} per sample",
            kind="quotient",
            audience="all" if batched else "asked",
            exact_if="training_complete",
            detail=3,
            measures="cost",
        ),
        Column(key="backward_complete", heading="backward complete", audience="programs"),
        Column(key="training_complete", heading="training complete", audience="programs"),
        Column(key="backward_uncounted", heading="backward uncounted", kind="data", audience="programs"),
    )


def note_training(costs: Sequence[Cost]) -> tuple[Note, ...]:
    """Note what the backward figures count, and what they lack."""
    passes = [(cost.model, cost.backward) for cost in costs if cost.backward]
    if not passes:
        return ()
    return (_SCOPE, *(_note_uncounted(model, found) for model, found in passes if not found.complete))


_SCOPE = Note(
    qualifies=True,
    text="Backward is the gradients of all trainable parameters and of everything between them and the "
    "outputs, not those of the model's input, frozen parameters and buffers. The modules are in the mode, "
    "training or eval, in which they are built. Loss, optimiser and recomputation are not counted.",
)


def _note_uncounted(model: str, backward: Backward) -> Note:
    return Note(
        qualifies=True,
        text="{model}, backward, is incomplete (≥): these ops have no gradient rule: {ops}.",
        figures={
            "model": Figure("text", model),
            "ops": Figure("text", list_uncounted_ops(backward.uncounted)),
        },
    )


def build_backward_table(backward: Backward, *, depth: int | None, everything: bool) -> Table:
    """Build the table of the backward pass, the gradients for activations and for parameters apart.

    Args:
        backward: the backward pass of a model.
        depth: add layers up to this depth of the module tree; None gives every layer.
        everything: show people also the rows that cost nothing under the convention.
    """
    rows = [asdict(row) for row in backward.layers] if depth is None else _fold_rows(backward.layers, depth)
    idle = [place for place, row in enumerate(rows) if row["counted"] and not row["total"]]
    by = "layer" if depth is None else f"module, depth {depth}"
    return Table(
        name="backward",
        long=depth is None,
        label=f"{backward.trace.model}-backward",
        title=f"{backward.trace.model}, backward pass by {by}, convention {backward.convention}",
        convention=backward.convention,
        columns=_build_columns(backward, whole=depth is None),
        rows=tuple(rows),
        hidden=frozenset() if everything else frozenset(idle),
        total={
            "name": "total",
            **{figure: getattr(backward, figure) for figure in _SUMMED},
            "counted": backward.complete,
        },
    )


_SUMMED = ("input_macs", "weight_macs", "macs", "input_total", "weight_total", "total")


def _fold_rows(rows: Sequence[GradientRow], depth: int) -> list[Row]:
    groups: dict[str, list[GradientRow]] = {}
    for row in rows:
        groups.setdefault(".".join(row.name.split(".")[:depth]), []).append(row)
    return [
        {
            "name": name,
            **{figure: sum(getattr(row, figure) for row in group) for figure in _SUMMED},
            "counted": all(row.counted for row in group),
        }
        for name, group in groups.items()
    ]


def _build_columns(backward: Backward, *, whole: bool) -> tuple[Column, ...]:
    heading = format_cost_heading(backward.priced_by)
    of_layers = (
        Column(key="op", heading="op"),
        Column(key="calls", heading="calls", kind="count", audience="programs"),
        Column(key="input_shape", heading="input", kind="shape", detail=4, folds=False, prints=False),
        Column(key="output_shape", heading="output", kind="shape", detail=3, folds=False),
    )
    totals = (("input_total", "for inputs"), ("weight_total", "for weights"), ("total", heading))
    return (
        Column(key="name", heading="layer" if whole else "module", empty="(the model itself)"),
        *(of_layers if whole else ()),
        *(
            Column(key=key, heading=key.replace("_", " "), kind="count", audience="programs", measures="cost")
            for key in ("input_macs", "weight_macs", "macs")
        ),
        *(
            Column(
                key=key,
                heading=text,
                kind="count",
                exact_if="counted",
                detail=0 if key == "total" else 1,
                measures="cost",
            )
            for key, text in totals
        ),
        Column(key="counted", audience="programs"),
    )
