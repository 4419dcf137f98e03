"""Turns a cost into the workload that is set beside a time."""

from collections.abc import Sequence
from math import prod

from resflops.cost import Cost
from resflops.latency.measurements import Part, Workload
from resflops.ops import is_free, is_of_family
from resflops.records import PARAMETER, OpRecord

__all__ = ["summarize_workload"]


def summarize_workload(cost: Cost) -> Workload:
    """Summarize a cost as the figures that are set beside a time.

    Args:
        cost: the cost of the step's own input, batch included; with its backward pass if that is timed.
    """
    ops = tuple(zip(cost.trace.ops, cost.works, strict=True))
    layers: dict[str, int] = {}
    for row in cost.layers:
        layers[row.name] = layers.get(row.name, 0) + row.macs
    return Workload(
        macs=cost.macs,
        backward_macs=cost.backward.macs if cost.backward else None,
        complete=cost.complete and (cost.backward is None or cost.backward.complete),
        params=cost.params,
        weight_elements=cost.params + cost.buffers,
        activation_elements=sum(
            prod(shape) for record, _ in ops if not is_free(record.op) for shape in record.output_shapes
        ),
        parts=tuple(
            Part(
                work.macs,
                _count_elements(record),
                is_of_family(record.op, "convolution"),
                _count_weights(record, cost.trace.ops),
            )
            for record, work in ops
            if work and work.macs
        ),
        layer_macs=layers,
    )


def _count_elements(record: OpRecord) -> int:
    """Count the elements of an op's inputs, its weight among them, and outputs, each once."""
    return sum(map(prod, (*record.input_shapes, *record.output_shapes)))


def _count_weights(record: OpRecord, ops: Sequence[OpRecord]) -> int:
    """Count the elements of an op's inputs that are parameters, or views of parameters."""
    inputs = zip(record.input_shapes, record.producers, strict=False)
    return sum(prod(shape) for shape, producer in inputs if _is_parameter(producer, ops))


def _is_parameter(producer: int, ops: Sequence[OpRecord]) -> bool:
    while producer >= 0 and is_free(ops[producer].op) and ops[producer].producers:
        producer = ops[producer].producers[0]
    return producer <= PARAMETER
