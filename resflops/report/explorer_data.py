"""What the explorer page knows of models: their layers under every convention, and who feeds whom.

The page's scripts read it as JSON. A number stands for each text, as many layers share theirs, and figures
beyond what JavaScript can hold go as text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.cost.layers import LayerRow
from resflops.counters import CONVENTIONS
from resflops.records import OpRecord, Shape, Trace
from resflops.render.formats import format_window, shape
from resflops.report.block_labels import KINDS, classify_op, describe_attributes, describe_op
from resflops.report.graph import build_graph
from resflops.tables.table import format_cost_heading, list_uncounted_ops

__all__ = ["OWN_CONVENTIONS", "build_page_data"]

OWN_CONVENTIONS = ("macs", "formula", "flops")
"""The conventions that are not another counter's."""

LARGEST_EXACT = 2**53 - 1
"""Beyond it JavaScript reads a number as its neighbour; the page gets the digits as text."""

COLUMNS = (
    "name", "op", "stage", "calls", "input", "output", "window", "field", "params", "buffers",
    "activations", "counted", "label", "kind", "totals", "formulas",
)  # fmt: skip
"""The fields of a layer's row; totals and formulas have one entry a convention."""

NODE_COLUMNS = ("row", "layer", "op", "label", "kind", "inputs", "outputs", "attributes", "dtype", "sources")
"""The fields of a node of the graph; row is -1 for an op that has no row."""


def build_page_data(costs: Sequence[Cost], *, stored: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Build what the page's scripts read; figures are exact, those beyond 2⁵³ as text.

    Args:
        costs: what the models cost.
        stored: for a model whose trace was stored, where.
    """
    texts = Texts()
    models = [_build_model_data(cost, texts, (stored or {}).get(cost.model, "")) for cost in costs]
    return {
        "conventions": [
            {
                "name": name,
                "heading": format_cost_heading(find_convention(name)),
                "counts": each.counts,
                "source": each.source,
            }
            for name, each in CONVENTIONS.items()
        ],
        "kinds": KINDS,
        "columns": COLUMNS,
        "nodeColumns": NODE_COLUMNS,
        "texts": list(texts.numbers),
        "models": models,
    }


class Texts:
    """Numbers for texts, in the order in which they are first met."""

    def __init__(self) -> None:
        """Start with the empty text, which is 0."""
        self.numbers: dict[str, int] = {"": 0}

    def number(self, text: str) -> int:
        """Find the number of a text, or give it the next."""
        return self.numbers.setdefault(text, len(self.numbers))


def _build_model_data(cost: Cost, texts: Texts, stored: str) -> dict[str, Any]:
    by_convention = [_key_rows(cost.under(name).layers) for name in CONVENTIONS]
    usual = _key_rows(cost.under(DEFAULT_CONVENTION).layers)
    # A convention may charge for what is free under another, and then has a row more.
    fullest = max(by_convention, key=len)
    keys = list(dict.fromkeys([*fullest, *(key for rows in by_convention for key in rows)]))
    of_ops = list(_key_ops(cost.trace.ops))
    # Backwards, so that the first op of each row stays.
    first_ops = dict(zip(reversed(of_ops), reversed(cost.trace.ops), strict=True))
    return {
        "name": cost.model,
        "input": ", ".join(shape(given.shape) for given in cost.trace.inputs),
        "uncounted": "" if cost.complete else list_uncounted_ops(cost.uncounted),
        "notes": [*cost.trace.notes, *([stored] if stored else [])],
        "classes": [
            [texts.number(module.path), texts.number(module.cls.rpartition(".")[2])]
            for module in cost.trace.modules
        ],
        "rows": [
            _build_row(
                cost, usual.get(key), [rows.get(key) for rows in by_convention], first_ops.get(key), texts
            )
            for key in keys
        ],
        "graph": _build_graph_data(cost.trace, of_ops, keys, texts),
    }


Key = tuple[str, str, Shape, Shape, int]
"""Layer, op, shapes, and how many rows with these have come before."""


def _key_rows(rows: Sequence[LayerRow]) -> dict[Key, LayerRow]:
    # Rows alike in name, op and shapes are told apart by their order.
    seen: Counter[tuple[str, str, Shape, Shape]] = Counter()
    keyed = {}
    for row in rows:
        start = (row.name, row.op, row.input_shape, row.output_shape)
        keyed[(*start, seen[start])] = row
        seen[start] += 1
    return keyed


def _key_ops(ops: Iterable[OpRecord]) -> Iterator[Key]:
    """Find for each op the key of the row that it is in; a row has the calls of one op on the same shapes."""
    seen: Counter[tuple[str, str, Shape, Shape]] = Counter()
    known: dict[tuple[str, str, tuple[Shape, ...], Shape], Key] = {}
    for record in ops:
        group = (record.layer, record.op, record.input_shapes, record.output_shape)
        if group not in known:
            taken = record.input_shapes[0] if record.input_shapes else ()
            start = (record.layer, record.op, taken, record.output_shape)
            known[group] = (*start, seen[start])
            seen[start] += 1
        yield known[group]


def _build_row(
    cost: Cost,
    usual: LayerRow | None,
    rows: Sequence[LayerRow | None],
    record: OpRecord | None,
    texts: Texts,
) -> list[Any]:
    """Build the row of one layer.

    Args:
        cost: the model's cost.
        usual: the row under the default convention, where a module's parameters stand in its
            first row; None for an op that is free under it.
        rows: that under each convention; None where there is none.
        record: its first op; None for a module that ran none.
        texts: the numbers of the texts so far; new texts are added.
    """
    row = usual or next(each for each in rows if each is not None)
    return [
        texts.number(row.name),
        texts.number(row.op),
        texts.number(cost.trace.stage_of(row.name)),
        row.calls,
        texts.number(shape(row.input_shape)),
        texts.number(shape(row.output_shape)),
        texts.number(format_window((row.kernel, row.stride, row.padding, row.groups))),
        texts.number(shape(row.receptive_field or ())),
        _encode_count(usual.params if usual else 0),
        _encode_count(usual.buffers if usual else 0),
        # An op that is free by default makes nothing new: a view, a copy.
        _encode_count(usual.activations if usual else 0),
        row.counted,
        texts.number(describe_op(record) if record else ""),
        KINDS.index(classify_op(record) if record else "other"),
        [_encode_count(each.total if each else 0) for each in rows],
        [texts.number(each.formula if each else "") for each in rows],
    ]


def _build_graph_data(
    trace: Trace, of_ops: Sequence[Key], keys: Sequence[Key], texts: Texts
) -> dict[str, Any]:
    graph = build_graph(trace)
    places = {key: place for place, key in enumerate(keys)}
    return {
        "complete": graph.complete,
        "outputs": graph.outputs,
        "nodes": [
            [places.get(of_ops[node.op], -1), *_describe_node(trace.ops[node.op], texts), node.sources]
            for node in graph.nodes
        ],
    }


def _describe_node(record: OpRecord, texts: Texts) -> list[int]:
    return [
        texts.number(record.layer),
        texts.number(record.op),
        texts.number(describe_op(record)),
        KINDS.index(classify_op(record)),
        texts.number(", ".join(map(shape, record.input_shapes))),
        texts.number(", ".join(map(shape, record.output_shapes))),
        texts.number(describe_attributes(record)),
        texts.number(record.dtype),
    ]


def _encode_count(count: int) -> int | str:
    return count if count <= LARGEST_EXACT else str(count)
