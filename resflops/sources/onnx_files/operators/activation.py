"""Activation functions."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, bind, operator
from resflops.sources.onnx_files.tensors import GraphTensor

bind({
    "Celu": "celu", "Elu": "elu", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish",
    "LeakyRelu": "leaky_relu", "Mish": "mish", "PRelu": "prelu", "Relu": "relu", "Selu": "selu",
    "Sigmoid": "sigmoid", "Softplus": "softplus", "Softsign": "softsign", "Tanh": "tanh",
    "ThresholdedRelu": "threshold",
})  # fmt: skip


@operator("Gelu")
def read_gelu(node: OperatorCall) -> Call:
    """Read GELU, by the error function or by its tanh approximation."""
    return node.call("gelu_tanh" if node.attributes.get("approximate") == "tanh" else "gelu")


@operator("Shrink")
def read_shrink(node: OperatorCall) -> Call:
    """Read what sets small elements to zero, and without a bias leaves the others as they are."""
    return node.call("softshrink" if node.attributes.get("bias", 0.0) else "hardshrink")


@operator("Swish")
def read_swish(node: OperatorCall) -> Call | Steps:
    """Read ``x·σ(αx)``, where the factor is 1 but for a few models."""
    return node.call("silu") if _is_plain(node) else _scale_swish(node, node.require(0))


@operator("SwiGLU")
def read_swiglu(node: OperatorCall) -> Steps:
    """Read a gate's swish times another tensor."""
    gate, value = node.require(0), node.require(1)
    if _is_plain(node):
        gated = yield Call("silu", (gate,), gate.shape)
    else:
        gated = yield (yield from _scale_swish(node, gate))
    return node.call("mul", (gated, value))


def _is_plain(node: OperatorCall) -> bool:
    return bool(node.attributes.get("alpha", 1.0) == 1.0)


def _scale_swish(node: OperatorCall, tensor: GraphTensor) -> Steps:
    scaled = yield Call("mul", (tensor,), tensor.shape)
    gate = yield Call("sigmoid", (scaled,), tensor.shape)
    return node.call("mul", (tensor, gate))
