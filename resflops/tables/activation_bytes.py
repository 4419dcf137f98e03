"""The bytes that layers and models write, and those that the backward pass finds of them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from resflops.cost import Cost
from resflops.peak_memory.from_traces import count_op_bytes
from resflops.tables.table import Column, Note, Row, Table

__all__ = ["add_bytes_of_layers", "add_bytes_of_models"]

_COLUMNS = (
    Column(key="written_bytes", heading="bytes written", kind="bytes", detail=2),
    Column(key="kept_bytes", heading="kept for backward", kind="bytes", detail=1),
)
_NOTE = Note(
    text="Bytes written are those of what an op makes anew: a view and a write in place take none. Kept for "
    "backward are those of them that training finds when the backward pass begins; by rules, from the trace."
)


def add_bytes_of_layers(table: Table, cost: Cost, *, depth: int | None = None) -> Table:
    """Add to the table of ``resflops layers`` what each row writes and keeps."""
    by_op = count_op_bytes(cost.trace)
    written, kept = Counter[object](), Counter[object]()
    for (layer, op), (all_bytes, kept_bytes) in by_op.items():
        key: object = (layer, op) if depth is None else ".".join(layer.split(".")[:depth])
        written[key] += all_bytes
        kept[key] += kept_bytes

    def add(row: Row) -> Row:
        key: object = (row["name"], row["op"]) if depth is None else row["name"]
        return {**row, "written_bytes": written[key], "kept_bytes": kept[key]}

    total = None if table.total is None else {**table.total, **_sum(by_op.values())}
    return _add_columns(replace(table, rows=tuple(map(add, table.rows)), total=total))


def add_bytes_of_models(table: Table, costs: Sequence[Cost | None]) -> Table:
    """Add to the table of ``resflops table`` what each model writes and keeps; None for one that failed.

    Args:
        table: the table.
        costs: the cost behind each of its rows.
    """
    rows = tuple(
        {**row, **(_sum(count_op_bytes(cost.trace).values()) if cost is not None else _UNKNOWN)}
        for row, cost in zip(table.rows, costs, strict=True)
    )
    return _add_columns(replace(table, rows=rows))


_UNKNOWN: Row = {"written_bytes": None, "kept_bytes": None}


def _sum(sizes: Iterable[tuple[int, int]]) -> Row:
    pairs = tuple(sizes)
    return {
        "written_bytes": sum(written for written, _ in pairs),
        "kept_bytes": sum(kept for _, kept in pairs),
    }


def _add_columns(table: Table) -> Table:
    """Add the columns behind those of the cost, where a narrow screen still has them."""
    keys = [column.key for column in table.columns]
    place = keys.index("share" if "share" in keys else "ratio" if "ratio" in keys else keys[-1])
    columns = (*table.columns[:place], *_COLUMNS, *table.columns[place:])
    return replace(table, columns=columns, notes=(*table.notes, _NOTE))
