"""Which memory the gradients of an op's operands take: their own, or that of the gradient that arrives."""

from math import prod

from resflops.ops import OPS
from resflops.peak_memory.from_traces.dataflow import Node

__all__ = ["passes_on"]

_GATHERED = frozenset((
    "getitem", "select", "narrow", "slice", "diagonal", "unfold", "as_strided", "split", "chunk", "unbind",
    "split_with_sizes", "hsplit", "vsplit", "tensor_split",
))  # fmt: skip
"""Views of a part, whose gradient is put back into a tensor of the whole."""

_PASSED = frozenset(
    ("add", "sub", "cat", "concat", "concatenate", "sum", "clone", "contiguous", "to", "copy")
)
"""Ops whose gradient is the one that arrives, or a part of it."""


def passes_on(node: Node, operand: int) -> bool:
    """Whether the gradient of an operand lies in the memory of the one that arrives."""
    record = node.record
    if record.op in ("cat", "concat", "concatenate", "stack", "sum"):
        return True
    declared = OPS.get(record.op)
    views = declared is not None and bool(declared.shares)
    if record.op in _GATHERED or not (views or record.op in _PASSED or _does_nothing(node)):
        return False
    if record.op == "sub" and operand == 1:
        return False
    # What was spread out is added up.
    shapes = record.input_shapes
    return operand < len(shapes) and prod(shapes[operand]) == prod(record.output_shape or (1,))


def _does_nothing(node: Node) -> bool:
    """Whether an op gave the tensor itself, as a dropout that drops nothing does."""
    return node.record.attributes.get("training") is False and node.record.op.endswith(
        ("dropout", "dropout1d", "dropout2d", "dropout3d")
    )
