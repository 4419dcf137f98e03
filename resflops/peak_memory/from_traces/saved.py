"""What each op keeps for its gradient, and what it takes beside its outputs.

The declarations of the ops say it in words. Here the words become memory. Where what is kept depends on how
the op is called, the table at the end says how.
"""

from collections.abc import Callable
from math import prod

from msgspec.structs import replace

from resflops.ops import OPS
from resflops.peak_memory.from_traces.dataflow import Node
from resflops.peak_memory.from_traces.kept import Kept
from resflops.peak_memory.from_traces.saved_by_attention import keep_attention
from resflops.peak_memory.options import Options

__all__ = ["find_kept"]


Rule = Callable[[Node, Options], Kept]

_INDEX_SIZE, _STATISTIC_SIZE = 8, 4

_OPERANDS = {
    "input": 0, "query": 0, "grid": 1, "key": 1, "other": 1, "boxes": 1, "tensor1": 1, "tensor2": 2,
    "value": 2, "offset": 1, "weight": 1,
}  # fmt: skip


def find_kept(node: Node, options: Options) -> Kept:
    """Find what an op keeps if a gradient of it is needed, and what it takes beside its outputs."""
    kept = (_BY_OP.get(node.record.op) or _read_declaration)(node, options)
    if 0 in kept.operands and _is_in_place(node) and node.record.op not in _FROM_OUTPUT:
        # What it is about to overwrite is copied first.
        others = tuple([at for at in kept.operands if at])
        return replace(kept, operands=others, hidden=(*kept.hidden, node.sizes[0]))
    return kept


def _is_in_place(node: Node) -> bool:
    """Whether an op writes into its first operand."""
    declared = OPS.get(node.record.op)
    shares = declared is not None and declared.shares
    return bool(node.outputs) and not node.makes and not shares and node.outputs[0] == node.read[0] >= 0


_FROM_OUTPUT = frozenset(("leaky_relu", "elu", "celu", "selu", "relu6", "hardtanh", "threshold", "rrelu"))
"""Activations that keep their output instead of their input where they are called in place."""


def _read_declaration(node: Node, options: Options) -> Kept:
    """Read the words of an op's declaration."""
    del options
    record = node.record
    declared = OPS.get(record.op)
    if declared is None or declared.saves is None:
        if declared is not None and (declared.free or declared.shares):
            return Kept()
        # The safe side: everything that the op has seen.
        return Kept(
            operands=tuple(range(len(node.operands))), outputs=tuple(range(len(node.outputs))), known=False
        )
    operands: list[int] = []
    outputs: list[int] = []
    for word in declared.saves:
        if word == "output":
            outputs.append(0)
        elif word == "indices" and len(node.outputs) > 1:
            outputs.append(1)
        elif word in ("indices", "mask") and len(record.producers) > 1:
            operands.append(len(record.producers) - 1)
        elif (at := _OPERANDS.get(word)) is not None and at < len(record.producers):
            operands.append(at)
    return Kept(operands=tuple(operands), outputs=tuple(outputs))


def _keep_factors(node: Node, options: Options) -> Kept:
    """A factor is kept if the gradient of the other is needed."""
    del options
    if len(node.record.producers) < 2:
        return Kept()
    return Kept(operands=tuple([at for at in (0, 1) if 1 - at in node.needs]))


def _keep_quotient(node: Node, options: Options) -> Kept:
    del options
    if len(node.record.producers) < 2:
        return Kept()
    return Kept(operands=(0, 1) if 1 in node.needs else (1,))


def _keep_matrices(node: Node, options: Options) -> Kept:
    """Batches of matrices whose elements lie in another order are copied, and the copies are kept."""
    kept = _keep_factors(node, options)
    if len(node.record.input_shapes[0]) < 3:
        return kept
    copied = [at for at in (0, 1) if not node.in_order[at]]
    hidden = tuple([node.sizes[at] for at in copied if at in kept.operands])
    passing = tuple([node.sizes[at] for at in copied if at not in kept.operands])
    return Kept(
        operands=tuple([at for at in kept.operands if at not in copied]), hidden=hidden, passing=passing
    )


def _keep_layer(node: Node, options: Options) -> Kept:
    """A linear layer keeps its input, or the copy that it makes of one in another order."""
    del options
    operands = tuple([at for at in (0, 1) if 1 - at in node.needs])
    if node.in_order[0] or len(node.record.input_shapes[0]) < 3:
        return Kept(operands=operands)
    copy = (node.sizes[0],)
    if 0 not in operands:
        return Kept(operands=operands, passing=copy)
    return Kept(operands=tuple([at for at in operands if at]), hidden=copy)


def _keep_pooled(node: Node, options: Options) -> Kept:
    """A maximum keeps its input and where the maxima are, which it works out in any case."""
    del options
    if len(node.outputs) > 1:
        return Kept(operands=(0,), outputs=(1,))
    return Kept(operands=(0,), hidden=(node.elements * _INDEX_SIZE,))


def _keep_batch_norm(node: Node, options: Options) -> Kept:
    """Batch norm keeps the mean and the spread of each channel in training."""
    training = options.training or node.record.attributes.get("training") is True
    shape = node.record.output_shape
    channels = shape[1] if len(shape) > 1 else 1
    size = _STATISTIC_SIZE * channels
    return Kept(operands=(0,), hidden=(size, size) if training else ())


def _keep_layer_norm(node: Node, options: Options) -> Kept:
    del options
    groups = node.record.attributes.get("groups")
    size = 0
    if isinstance(groups, int) and (recorded := prod(node.record.output_shape)):
        size = _STATISTIC_SIZE * (groups * node.elements // recorded)
    return Kept(operands=(0,), hidden=(size, size))


def _keep_mask(node: Node, options: Options) -> Kept:
    """Dropout keeps what it multiplies by: a factor on the CPU, a byte on a GPU."""
    if node.record.attributes.get("training") is not True or not node.output_sizes:
        return Kept()
    return Kept(hidden=(node.elements if options.device == "cuda" else node.output_sizes[0],))


def _keep_base(node: Node, options: Options) -> Kept:
    """A power keeps its base; with an exponent that is a tensor also that and the result."""
    del options
    if len(node.record.producers) < 2:
        return Kept(operands=(0,))
    return Kept(operands=(0, 1), outputs=(0,) if 1 in node.needs else ())


def _keep_looked_up(node: Node, options: Options) -> Kept:
    """A lookup keeps where it has looked."""
    del node, options
    return Kept(operands=(0,))


_BY_OP: dict[str, Rule] = {
    **dict.fromkeys(("mul", "multiply"), _keep_factors),
    **dict.fromkeys(("div", "true_divide"), _keep_quotient),
    **dict.fromkeys(("matmul", "bmm", "mm"), _keep_matrices),
    "linear": _keep_layer,
    "pow": _keep_base,
    "embedding": _keep_looked_up,
    "scaled_dot_product_attention": keep_attention,
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d"), _keep_pooled),
    "batch_norm": _keep_batch_norm,
    **dict.fromkeys(("layer_norm", "group_norm"), _keep_layer_norm),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), _keep_mask),
}
"""The ops for which words do not suffice."""
