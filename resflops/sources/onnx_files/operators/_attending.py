"""Attention by heads, as the operators that attend have in common."""

from collections.abc import Mapping

from msgspec import Struct

from resflops.ops import Call, Mismatch
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, Part, Steps
from resflops.sources.onnx_files.tensors import GraphTensor

__all__ = ["Scores", "attend", "join_past", "rotate", "split_heads"]


class Scores(Struct, frozen=True, kw_only=True):
    """What is done to the scores of an attention."""

    masks: tuple[GraphTensor | None, ...] = ()
    """What is added to them, where it is given."""
    causal: bool = False
    capped: bool = False
    """Whether they are limited by a hyperbolic tangent."""
    sink: bool = False
    """Whether a further score, which has no value, takes part in each softmax."""

    def list_masks(self) -> list[GraphTensor]:
        """List what is added to them."""
        return [mask for mask in self.masks if mask is not None]


def split_heads(tensor: GraphTensor, heads: int) -> Part:
    """See a tensor of (batch, length, heads · width) as one of (batch, heads, length, width)."""
    if tensor.dim() == 4:
        return tensor
    batch, length, width = tensor.shape
    if not heads or width % heads:
        raise Mismatch(f"has {heads} heads, which do not divide its width of {width}")
    return (yield Call("reshape", (tensor,), (batch, heads, length, width // heads)))


def join_past(past: GraphTensor | None, tensor: GraphTensor, length: int | None = None) -> Part:
    """Join keys or values with those of earlier steps.

    Args:
        past: those, (batch, heads, length, width), if there are any.
        tensor: the new ones.
        length: how many all are, if that is told; what holds the earlier ones may be longer.
    """
    batch, heads, new, width = tensor.shape
    total = (past.shape[2] + new if length is None else length) if past is not None else new
    if past is None or total == new:
        return tensor
    return (yield Call("cat", (past, tensor), (batch, heads, total, width), {"dim": 2}))


def rotate(tensor: GraphTensor, width: int) -> Part:
    """Turn pairs of elements by angles whose cosines and sines are given.

    For each pair that takes four products, a difference and a sum. What is beyond ``width`` in the last
    dimension stays.
    """
    half = (*tensor.shape[:-1], width // 2)
    cosines = yield Call("mul", (tensor,), half)
    sines = yield Call("mul", (tensor,), half)
    first = yield Call("sub", (cosines, sines), half)
    sines = yield Call("mul", (tensor,), half)
    cosines = yield Call("mul", (tensor,), half)
    second = yield Call("add", (sines, cosines), half)
    return (yield Call("cat", (first, second), tensor.shape, {"dim": -1}))


def attend(
    node: OperatorCall, query: GraphTensor, key: GraphTensor, value: GraphTensor, scores: Scores
) -> Steps:
    """Attend from every query to every key, and give the output as the node has it.

    Args:
        node: the node, whose first output it is.
        query: (batch, heads, queries, width).
        key: (batch, heads, keys, width), whose heads may be shared.
        value: (batch, heads, keys, width).
        scores: what is done to the scores.
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise Mismatch("the shapes of its query, key and value do not match")
    if query.shape[1] % key.shape[1]:
        raise Mismatch(f"its {key.shape[1]} heads of keys do not divide the {query.shape[1]} of queries")
    out, masks = (*query.shape[:-1], value.shape[-1]), scores.list_masks()
    if scores.capped or scores.sink:
        weights = yield from _weigh(query, key, scores)
        value = yield from _repeat(value, query.shape[1])
        call = Call("matmul", (weights, value), out)
    else:
        # Of several masks, those beside the first are an addition each of their own.
        for mask in masks[1:]:
            yield Call("add", (mask,), (*query.shape[:-1], key.shape[-2]))
        attributes: Mapping[str, Attribute] = {
            "masked": bool(masks),
            "mask_dims": masks[0].dim() if masks else 0,
            "causal": scores.causal,
            "grouped": query.shape[1] != key.shape[1],
            "dropout": False,
        }
        call = Call("scaled_dot_product_attention", (query, key, value), out, dict(attributes))
    if node.outputs[0].shape == out:
        return call
    result = yield call
    return node.call("reshape", (result,))


def _weigh(query: GraphTensor, key: GraphTensor, scores: Scores) -> Part:
    """Give the weights of the values, step by step, where no op of torch's has all of them."""
    key = yield from _repeat(key, query.shape[1])
    *outer, keys, width = key.shape
    transposed = yield Call("permute", (key,), (*outer, width, keys))
    shape = (*query.shape[:-1], keys)
    weights = yield Call("matmul", (query, transposed), shape)
    weights = yield Call("mul", (weights,), shape)
    if scores.capped:
        for op in ("div", "tanh", "mul"):
            weights = yield Call(op, (weights,), shape)
    for mask in scores.list_masks():
        weights = yield Call("add", (weights, mask), shape)
    if not scores.sink:
        return (yield Call("softmax", (weights,), shape, {"dim": -1}))
    wider = (*shape[:-1], keys + 1)
    weights = yield Call("cat", (weights,), wider, {"dim": -1})
    weights = yield Call("softmax", (weights,), wider, {"dim": -1})
    return (yield Call("getitem", (weights,), shape))


def _repeat(tensor: GraphTensor, heads: int) -> Part:
    batch, own, *rest = tensor.shape
    if own == heads:
        return tensor
    return (yield Call("repeat_interleave", (tensor,), (batch, heads, *rest)))
