"""The summary of one model: a row for each module of its tree, down to a depth, as torchinfo's."""

from collections.abc import Sequence
from typing import Any

from resflops.cost import Cost
from resflops.cost.layers import LayerRow, list_ancestors
from resflops.errors import UsageError, suggest
from resflops.records import ModuleRecord
from resflops.tables.comparison import note_trace, note_uncounted
from resflops.tables.table import Column, Figure, Note, Row, Table, format_cost_heading, note_convention
from resflops.tables.training import note_training

__all__ = ["build_summary"]

_OTHER_NAMES = {
    "input_size": "input_shape",
    "output_size": "output_shape",
    "kernel_size": "kernel",
    "num_params": "params",
    "mult_adds": "macs",
}
"""What torchinfo calls a column, and its name here."""


def build_summary(cost: Cost, *, depth: int, columns: Sequence[str] = ()) -> Table:
    """Build the summary of a model.

    Args:
        cost: the model's cost.
        depth: how deep into the module tree to go; 1 shows the model's own children.
        columns: the columns to show after the module's name, by their keys; the usual ones if none is given.

    Raises:
        UsageError: there is no such column, or the depth is not above 0.
    """
    if not isinstance(depth, int) or depth < 1:
        raise UsageError(f"depth must be a whole number of at least 1, got {depth!r}")
    chosen = _choose_columns(cost, columns)
    shapes = Figure("shapes", tuple(given.shape for given in cost.trace.inputs))
    rows = _build_rows(cost, depth)
    return Table(
        title=f"{cost.model} by module, down to depth {depth}, convention {cost.convention}",
        convention=cost.convention,
        intro=(Note(text="input {input}", figures={"input": shapes}),),
        facts={"model": cost.model, "input": shapes},
        columns=(Column(key="name", heading="module", empty="(the model itself)"), *chosen),
        rows=rows,
        long=True,
        total={**rows[0], "name": "total", "cls": "", "input_shape": None, "output_shape": None},
        hidden=frozenset([0]),
        notes=(
            Note(
                text="{trainable} parameters are trainable, {frozen} are frozen; "
                "buffers hold {buffers} elements.",
                figures={
                    name: Figure("count", getattr(cost, name)) for name in ("trainable", "frozen", "buffers")
                },
            ),
            note_convention(cost.priced_by),
            *([] if cost.complete else [note_uncounted(cost)]),
            *note_trace(cost),
            *note_training([cost]),
        ),
    )


def _list_columns(cost: Cost) -> dict[str, Column]:
    heading = format_cost_heading(cost.priced_by)
    macs = heading if cost.convention == "macs" else "MACs"
    known = (
        Column(key="cls", heading="class"),
        Column(key="input_shape", heading="input", kind="shape", detail=2),
        Column(key="output_shape", heading="output", kind="shape"),
        Column(key="kernel", heading="kernel", kind="shape"),
        Column(key="params", heading="parameters", kind="count", measures="parameters"),
        Column(key="trainable", heading="trainable", kind="count"),
        Column(key="frozen", heading="frozen", kind="count"),
        Column(key="buffers", heading="buffers", kind="count"),
        Column(
            key="macs",
            heading=macs,
            kind="count",
            exact_if="counted",
            measures="cost",
        ),
        Column(key="total", heading=heading, kind="count", exact_if="counted", measures="cost"),
        Column(key="share", heading="share", kind="share", detail=1),
    )
    return {column.key: column for column in known}


def _choose_columns(cost: Cost, names: Sequence[str]) -> tuple[Column, ...]:
    known = _list_columns(cost)
    figure = "macs" if cost.convention == "macs" else "total"
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    chosen = []
    for name in names or ("cls", "output_shape", "params", figure, "share"):
        key = "cls" if name == "class" else _OTHER_NAMES.get(name, name)
        if key not in known:
            there_are = ["class", *list(known)[1:]]
            raise UsageError(
                f"no column named {name!r}{suggest(name, there_are)}; available: {', '.join(there_are)}"
            )
        chosen.append(known[key])
    return tuple(dict.fromkeys(chosen))


_SUMMED = ("params", "trainable", "frozen", "buffers", "macs", "total")


def _build_rows(cost: Cost, depth: int) -> tuple[Row, ...]:
    """Build a row for each module, with all that is in it, in the order of the modules; the model's first."""
    rows = {
        module.path: _begin_row(module)
        for module in cost.trace.modules
        if not module.path or module.path.count(".") < depth
    }
    for layer in cost.layers:
        for path in list_ancestors(layer.name):
            if path in rows:
                _add_layer(rows[path], layer)
    for row in rows.values():
        row["share"] = row["total"] / cost.total if cost.total else 0.0
        # A kernel is that of one layer, and not of a block of several.
        if row["several"]:
            row["kernel"] = None
    return tuple(rows.values())


def _begin_row(module: ModuleRecord) -> dict[str, Any]:
    return {
        "name": module.path,
        "cls": module.cls,
        "input_shape": None,
        "output_shape": None,
        "kernel": None,
        "counted": True,
        "several": not module.leaf,
        **dict.fromkeys(_SUMMED, 0),
    }


def _add_layer(row: dict[str, Any], layer: LayerRow) -> None:
    for figure in _SUMMED:
        row[figure] += getattr(layer, figure)
    row["counted"] = row["counted"] and layer.counted
    row["kernel"] = row["kernel"] or layer.kernel
    if layer.op:
        row["input_shape"] = row["input_shape"] or layer.input_shape
        row["output_shape"] = layer.output_shape
