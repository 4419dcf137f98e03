"""Attention as onnxruntime's own operators have it: with the projections around it, or with earlier keys."""

from collections.abc import Generator

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._attending import (
    Scores,
    attend,
    join_past,
    rotate,
    split_heads,
)
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, operator
from resflops.sources.onnx_files.operators.attention import turn
from resflops.sources.onnx_files.operators.matmul import transpose
from resflops.sources.onnx_files.operators.quantised import mark
from resflops.sources.onnx_files.tensors import GraphTensor

Tensors = Generator[Call, GraphTensor, tuple[GraphTensor, ...]]
"""Some of the ops of a node, and the tensors that they come to."""


@operator("com.microsoft.Attention")
def read_attention(node: OperatorCall) -> Steps | None:
    """Read an attention with the projection of its query, key and value in front.

    One whose earlier keys lie in a buffer has as many as a value says that a pass gives.
    """
    if node.attributes.get("past_present_share_buffer", 0):
        return None
    masks = (node.input(3), node.input(5))
    return _attend_projected(node, _project(node, node.require(0)), masks, node.input(4))


@operator("com.microsoft.QAttention")
def read_quantised_attention(node: OperatorCall) -> Steps | None:
    """Read an attention whose projection is of integers."""
    if node.attributes.get("past_present_share_buffer", 0):
        return None
    projection = mark(_project(node, node.require(0)))
    return _attend_projected(node, projection, (node.input(5),), node.input(8))


@operator("com.microsoft.PackedAttention")
def read_packed_attention(node: OperatorCall) -> Steps:
    """Read an attention of sequences without padding.

    Only values tell how long each is: attention counts all in the length of the longest.
    """
    joined = yield _project(node, node.require(0))
    batch, length = node.require(3).shape
    padded = yield Call("getitem", (joined,), (batch, length, joined.shape[-1]))
    query, key, value = yield from _cut(node, padded)
    return (yield from attend(node, query, key, value, Scores(masks=(node.input(5),))))


@operator("com.microsoft.MultiHeadAttention")
def read_multi_head_attention(node: OperatorCall) -> Steps:
    """Read an attention whose query, key and value come one by one, or two or three of them in one tensor."""
    operands = yield from _unpack(node)
    heads = int(node.attributes["num_heads"])
    query, key, value = yield from _split_all(operands, (heads,) * 3)
    if node.input(3) is not None:
        query, key, value = yield from _shift((query, key, value))
    key = yield from join_past(node.input(6), key)
    value = yield from join_past(node.input(7), value)
    scores = Scores(
        masks=(node.input(4), node.input(5)), causal=bool(node.attributes.get("unidirectional", 0))
    )
    return (yield from attend(node, query, key, value, scores))


@operator("com.microsoft.GroupQueryAttention")
def read_group_query_attention(node: OperatorCall) -> Steps:
    """Read an attention in which several heads of the query share a key and a value.

    How many keys there are is the total length, where shapes tell it, else those before and those that are
    new. A window counts in full, as every mask.
    """
    heads, shared = int(node.attributes["num_heads"]), int(node.attributes["kv_num_heads"])
    operands: tuple[GraphTensor | None, ...] = (node.require(0), node.input(1), node.input(2))
    if operands[1] is None:
        width = node.require(0).shape[-1] // (heads + 2 * shared)
        operands = yield from _cut_along(node.require(0), (heads * width, shared * width, shared * width))
    query, key, value = yield from _split_all(operands, (heads, shared, shared))
    if node.input(14) is not None:
        query = yield _normalise(query, node.input(14))
        key = yield _normalise(key, node.input(15))
    if node.attributes.get("do_rotary", 0):
        query = yield from rotate(query, _find_width(node, query))
        key = yield from rotate(key, _find_width(node, key))
    total = node.input(6)
    length = None if total is None or total.value is None else int(total.value.flat[0])
    key = yield from join_past(node.input(3), key, length)
    value = yield from join_past(node.input(4), value, length)
    scores = Scores(
        masks=(node.input(10),),
        causal=bool(node.attributes.get("causal", 1)),
        capped=node.attributes.get("softcap", 0.0) > 0,
        sink=node.input(11) is not None or node.attributes.get("smooth_softmax", 0) > 0,
    )
    return (yield from attend(node, query, key, value, scores))


@operator("com.microsoft.RotaryEmbedding")
def read_rotation(node: OperatorCall) -> Steps:
    """Read the rotation of a query or key by its positions."""
    return turn(node, node.require(2))


def _project(node: OperatorCall, stream: GraphTensor) -> Call:
    """Read the projection of query, key and value by weights side by side: (features, columns)."""
    weight, shift = node.require(1), node.input(2)
    if stream.shape[-1] != weight.shape[0]:
        raise Mismatch(f"takes {weight.shape[0]} features, but its input has {stream.shape[-1]}")
    return Call(
        "linear",
        (stream, transpose(weight)),
        (*stream.shape[:-1], weight.shape[1]),
        {"bias": shift is not None},
        dtype=node.outputs[0].dtype,
        affine=(shift,),
    )


def _attend_projected(
    node: OperatorCall, projection: Call, masks: tuple[GraphTensor | None, ...], past: GraphTensor | None
) -> Steps:
    joined = yield projection
    query, key, value = yield from _cut(node, joined)
    if node.attributes.get("do_rotary", 0):
        query = yield from rotate(query, _find_width(node, query))
        key = yield from rotate(key, _find_width(node, key))
    if past is not None:
        earlier = past.view(*past.shape[1:])
        key = yield from join_past(earlier, key)
        value = yield from join_past(earlier, value)
    scores = Scores(masks=masks, causal=bool(node.attributes.get("unidirectional", 0)))
    return (yield from attend(node, query, key, value, scores))


def _cut(node: OperatorCall, joined: GraphTensor) -> Tensors:
    """Cut what was projected together into query, key and value, each by heads."""
    widths = tuple(node.attributes.get("qkv_hidden_sizes") or (joined.shape[-1] // 3,) * 3)
    parts = yield from _cut_along(joined, widths)
    return (yield from _split_all(parts, (int(node.attributes["num_heads"]),) * 3))


def _cut_along(joined: GraphTensor, widths: tuple[int, ...]) -> Tensors:
    parts = []
    for width in widths:
        part = yield Call("getitem", (joined,), (*joined.shape[:-1], width))
        parts.append(part)
    return tuple(parts)


def _split_all(tensors: tuple[GraphTensor | None, ...], heads: tuple[int, ...]) -> Tensors:
    parts = []
    for tensor, number in zip(tensors, heads, strict=True):
        if tensor is None:
            raise Mismatch("has a key, but no value")
        part = yield from split_heads(tensor, number)
        parts.append(part)
    return tuple(parts)


def _unpack(node: OperatorCall) -> Tensors:
    """Take apart a query of (batch, length, heads, 3, width), or such a key with 2 in place of 3."""
    query, key, value = node.require(0), node.input(1), node.input(2)
    if key is None:
        return (yield from _take_apart(query))
    if value is None:
        parts = yield from _take_apart(key)
        return (query, *parts)
    return query, key, value


def _take_apart(packed: GraphTensor) -> Tensors:
    if packed.dim() != 5:
        raise Mismatch("has neither keys nor a tensor that holds them together with what else it takes")
    batch, length, heads, count, width = packed.shape
    parts = []
    for _ in range(count):
        part = yield Call("getitem", (packed,), (batch, heads, length, width))
        parts.append(part)
    return tuple(parts)


def _shift(tensors: tuple[GraphTensor, ...]) -> Tensors:
    """Add a bias to each."""
    parts = []
    for tensor in tensors:
        part = yield Call("add", (tensor,), tensor.shape)
        parts.append(part)
    return tuple(parts)


def _normalise(tensor: GraphTensor, weight: GraphTensor | None) -> Call:
    groups = tensor.numel() // tensor.shape[-1]
    attributes = {"groups": groups, "weight": weight is not None, "bias": False}
    return Call("rms_norm", (tensor,), tensor.shape, dict(attributes), affine=(weight, None))


def _find_width(node: OperatorCall, tensor: GraphTensor) -> int:
    return int(node.attributes.get("rotary_embedding_dim", 0)) or tensor.shape[-1]
