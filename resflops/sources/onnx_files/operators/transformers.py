"""Parts of transformers that are one operator of onnxruntime: normalised sums, embeddings."""

from math import prod

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Part, Steps, bind, operator
from resflops.sources.onnx_files.operators._standard import finish, read_as
from resflops.sources.onnx_files.tensors import GraphTensor

# onnxruntime writes it in ONNX's own domain, where an opset from 23 on calls it RMSNormalization.
operator("SimplifiedLayerNormalization")(lambda node: read_as(node, "RMSNormalization", node.inputs))
bind({"com.microsoft.Inverse": "linalg_inv_ex"})


@operator("com.microsoft.SkipLayerNormalization")
def read_normalised_sum(node: OperatorCall) -> Steps:
    """Read a sum of two tensors, and of a bias if there is one, and its normalisation."""
    total = yield from _add(node, 1, 4)
    return _normalise(node, "layer_norm", total, node.input(2), node.input(3))


@operator("com.microsoft.SkipSimplifiedLayerNormalization")
def read_scaled_sum(node: OperatorCall) -> Steps:
    """Read a sum of two tensors, and of a bias if there is one, over the root of its mean square."""
    total = yield from _add(node, 1, 3)
    return _normalise(node, "rms_norm", total, node.input(2), None)


@operator("com.microsoft.EmbedLayerNormalization")
def read_embedding(node: OperatorCall) -> Steps:
    """Read a sum of the embeddings of words, positions and segments, and its normalisation."""
    shape, words = node.outputs[0].shape, node.require(2)
    total = yield Call("embedding", (node.require(0), words), shape, dtype=words.dtype)
    for place in (3, 4):
        if (table := node.input(place)) is not None:
            rows = yield Call("embedding", (node.require(0), table), shape, dtype=table.dtype)
            total = yield Call("add", (total, rows), shape)
    return _normalise(node, "layer_norm", total, node.input(5), node.input(6))


@operator("com.microsoft.BiasAdd")
def read_shifted_sum(node: OperatorCall) -> Steps:
    """Read a sum of a tensor, a bias and another tensor."""
    total = yield from _add(node, 1)
    return node.call("add", (total, node.require(2)))


@operator("com.microsoft.BiasSoftmax")
def read_masked_softmax(node: OperatorCall) -> Steps:
    """Read a softmax of what a mask was added to, over all dimensions from an axis on."""
    total = yield from _add(node, 1)
    shape = total.shape
    axis = int(node.attributes.get("axis", 1)) % len(shape)
    rows = (prod(shape[:axis]), prod(shape[axis:]))
    flat = yield Call("reshape", (total,), rows)
    result = yield Call("softmax", (flat,), rows, {"dim": 1})
    return node.call("reshape", (result,))


@operator("com.microsoft.GroupNorm")
def read_group_norm(node: OperatorCall) -> Call | Steps:
    """Read a normalisation of groups of channels, and SiLU if it is fused."""
    return _normalise_groups(node, node.require(0))


@operator("com.microsoft.SkipGroupNorm")
def read_sum_of_groups(node: OperatorCall) -> Steps:
    """Read a sum of two tensors, and of a bias if there is one, and the normalisation of its groups."""
    total = yield from _add(node, 3, 4)
    return (yield from finish(_normalise_groups(node, total)))


def _add(node: OperatorCall, *places: int) -> Part:
    total = node.require(0)
    for place in places:
        if (tensor := node.input(place)) is not None:
            total = yield Call("add", (total, tensor), node.outputs[0].shape)
    return total


def _normalise(
    node: OperatorCall, op: str, tensor: GraphTensor, weight: GraphTensor | None, bias: GraphTensor | None
) -> Call:
    attributes = {
        "groups": prod(tensor.shape[:-1]),
        "weight": weight is not None,
        "bias": bias is not None,
    }
    return node.call(op, (tensor,), attributes, affine=(weight, bias))


def _normalise_groups(node: OperatorCall, tensor: GraphTensor) -> Call | Steps:
    attributes = {
        "groups": tensor.shape[0] * int(node.attributes["groups"]),
        "weight": True,
        "bias": True,
    }
    call = node.call("group_norm", (tensor,), attributes, affine=(node.input(1), node.input(2)))
    return _activate(node, call) if node.attributes.get("activation", 0) else call


def _activate(node: OperatorCall, call: Call) -> Steps:
    result = yield call
    return node.call("silu", (result,))
