"""What attention keeps for its gradient, by the kernel that runs it."""

from resflops.peak_memory.attention import choose_on_gpu
from resflops.peak_memory.from_traces.dataflow import Node
from resflops.peak_memory.from_traces.kept import Kept
from resflops.peak_memory.options import Attention, Options

__all__ = ["choose_kernel", "keep_attention"]

_ROW_SIZE = 4
"""Bytes of what a fused kernel keeps of each row of scores: its logarithm of the sum, in float32."""


def keep_attention(node: Node, options: Options) -> Kept:
    """A fused kernel keeps its operands, its output and a number for each query; else the scores stay."""
    if choose_kernel(node, options) == "math":
        return _keep_scores(node)
    rows = node.elements // max(node.record.output_shape[-1], 1)
    return Kept(operands=(0, 1, 2), outputs=(0,), hidden=(rows * _ROW_SIZE,))


def choose_kernel(node: Node, options: Options) -> Attention:
    """Choose the kernel that was asked for, or that torch chooses on the device."""
    attributes, (query, key, *_) = node.record.attributes, node.record.input_shapes
    grouped = bool(attributes.get("grouped")) and query[-3:-2] != key[-3:-2]
    masked = bool(attributes.get("masked"))
    if options.device == "cpu":
        if options.attention == "math" or attributes.get("dropout"):
            return "math"
        return "math" if masked and attributes.get("mask_dims") not in (2, 4) else "flash"
    if options.attention is not None and not (options.attention == "flash" and masked):
        return options.attention
    small = node.record.dtype in ("float16", "bfloat16") or options.dtype in ("float16", "bfloat16")
    widths = query[-1], node.record.output_shape[-1]
    return choose_on_gpu(small=small, masked=masked, widths=widths, grouped=grouped)


def _keep_scores(node: Node) -> Kept:
    """Without a fused kernel query and key are scaled, and copied if they lie in another order.

    Kept are these, the weights, and with dropout what it multiplies by and the weights after it.
    """
    record = node.record
    item = node.output_sizes[0] // max(node.elements, 1)
    scores = node.elements // max(record.output_shape[-1], 1) * record.input_shapes[1][-2] * item
    query, key, value = node.sizes[:3]
    if record.attributes.get("grouped") and (heads := record.input_shapes[1][-3]):
        repeats = record.input_shapes[0][-3] // heads
        key, value = key * repeats, value * repeats
    copies = value != node.sizes[2] or not node.in_order[2]
    times = 3 if record.attributes.get("dropout") else 1
    hidden = (query, key, *((value,) if copies else ()), *(scores,) * times)
    return Kept(operands=() if copies else (2,), hidden=hidden, passing=(scores,), backward=(scores,) * times)
