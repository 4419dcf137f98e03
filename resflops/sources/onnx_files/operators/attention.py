"""Attention and the rotation of its operands by their positions."""

from resflops.ops import Mismatch
from resflops.sources.onnx_files.operators._attending import Scores, attend, join_past, rotate, split_heads
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, operator
from resflops.sources.onnx_files.tensors import GraphTensor

_MASK, _PAST_KEY, _PAST_VALUE = 3, 4, 5


@operator("Attention")
def read_attention(node: OperatorCall) -> Steps:
    """Read attention by heads, whose query, key and value have a dimension for these or do not."""
    attributes = node.attributes
    query_heads = int(attributes.get("q_num_heads", 0))
    query = yield from split_heads(node.require(0), query_heads)
    key = yield from split_heads(node.require(1), int(attributes.get("kv_num_heads", 0)))
    value = yield from split_heads(node.require(2), int(attributes.get("kv_num_heads", 0)))
    key = yield from join_past(node.input(_PAST_KEY), key)
    value = yield from join_past(node.input(_PAST_VALUE), value)
    scores = Scores(
        masks=(node.input(_MASK),),
        causal=bool(attributes.get("is_causal", 0)),
        capped=bool(attributes.get("softcap", 0.0)),
    )
    return (yield from attend(node, query, key, value, scores))


@operator("RotaryEmbedding")
def read_rotation(node: OperatorCall) -> Steps:
    """Read the rotation of a query or key by its positions."""
    return turn(node, node.require(1))


def turn(node: OperatorCall, cosines: GraphTensor) -> Steps:
    """Read the rotation of heads, each of which is as wide as two cosines if their number is not given."""
    tensor = node.require(0)
    width = int(node.attributes.get("rotary_embedding_dim", 0))
    heads = int(node.attributes.get("num_heads", 0))
    if tensor.dim() == 3:
        if not heads and width:
            raise Mismatch("has no num_heads, which says where a head begins")
        tensor = yield from split_heads(tensor, heads or tensor.shape[-1] // (2 * cosines.shape[-1]))
    result = yield from rotate(tensor, width or tensor.shape[-1])
    return node.call("reshape", (result,))
