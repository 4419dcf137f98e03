"""What a law is looked for in: the figures of each counted point, and what layers and sizes make them."""

from collections import Counter

from msgspec import Struct

from resflops.cost import Cost
from resflops.sweeps.curves.polynomials import Number

__all__ = ["Observation", "observe"]

Place = tuple[str, str, int]
"""A layer, an op, and which of its calls there it is."""


class Observation(Struct, frozen=True, kw_only=True):
    """What was counted at one value of the variable."""

    value: Number
    figures: dict[str, int]
    """``total``, ``params`` and, if it was counted, ``backward``."""
    parts: dict[str, dict[tuple[str, str], int]]
    """Of ``total`` and ``backward``, what each op of each layer costs; of ``params``, each parameter."""
    sizes: dict[tuple[Place, int, int], int]
    """The size of each dimension of each output of each call."""


def observe(value: Number, cost: Cost) -> Observation:
    """Take from a cost what a law may be made of."""
    calls: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    sizes: dict[tuple[Place, int, int], int] = {}
    for record, price in zip(cost.trace.ops, cost.prices, strict=True):
        unit = (record.layer, record.op)
        place = (*unit, calls[unit])
        calls[unit] += 1
        total[unit] += price or 0
        for output, shape in enumerate(record.output_shapes):
            for dimension, size in enumerate(shape):
                sizes[place, output, dimension] = size
    figures = {"total": cost.total, "params": cost.params}
    parts = {"total": dict(total), "params": _list_parameters(cost)}
    if cost.backward is not None:
        figures["backward"] = cost.backward.total
        backward: Counter[tuple[str, str]] = Counter()
        for row in cost.backward.layers:
            backward[row.name, row.op] += row.total
        parts["backward"] = dict(backward)
    return Observation(value=value, figures=figures, parts=parts, sizes=sizes)


def _list_parameters(cost: Cost) -> dict[tuple[str, str], int]:
    return {
        (module.path, tensor.name): tensor.elements
        for module in cost.trace.modules
        for tensor in module.parameters
        if not tensor.tied_to
    }
