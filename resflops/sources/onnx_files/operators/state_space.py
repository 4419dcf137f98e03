"""Convolutions over time and linear attention, whose states go from one call to the next."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator


@operator("CausalConvWithState")
def read_causal_convolution(node: OperatorCall) -> Call:
    """Read a convolution of every channel by itself, over what has been."""
    bias, activation = node.input(2), node.attributes.get("activation", "none")
    return node.call(
        "causal_conv1d",
        (node.require(0), node.require(1)),
        {"bias": bias is not None, "activation": activation != "none"},
        affine=(bias,),
    )


@operator("LinearAttention")
def read_linear_attention(node: OperatorCall) -> Call:
    """Read a recurrence: each query meets the state, and by the delta rule each key before it.

    The state itself is elementwise, as in the kernels that the op is declared after.
    """
    query, key, value = node.require(0), node.require(1), node.require(2)
    batch, steps, width = query.shape
    value_width = value.shape[-1] // int(node.attributes["kv_num_heads"])
    meetings = width * value_width
    if "delta" in node.attributes.get("update_rule", "gated_delta"):
        meetings += key.shape[-1] * value_width
    return node.call("chunk_scan", (query, key, value), {"macs": batch * steps * meetings})
