"""Operators to which onnxruntime fuses a sum, a function or a transposition."""

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, bind, operator
from resflops.sources.onnx_files.operators._standard import activate, read_as, read_channels_last
from resflops.sources.onnx_files.operators.convolution import read_convolution
from resflops.sources.onnx_files.operators.matmul import read_product, transpose
from resflops.sources.onnx_files.tensors import GraphTensor


@operator("com.microsoft.FusedConv")
def read_fused_convolution(node: OperatorCall) -> Call | Steps | None:
    """Read a convolution, the sum with a tensor if there is one, and a function."""
    return activate(node, read_convolution(node), node.input(3))


@operator("com.microsoft.FusedGemm")
def read_fused_gemm(node: OperatorCall) -> Call | Steps | None:
    """Read a product with a bias, and a function."""
    return activate(node, read_product(node, node.require(0), node.require(1), node.input(2)))


@operator("com.microsoft.FusedMatMul", "com.microsoft.FusedMatMulActivation", "com.microsoft.TransposeMatMul")
def read_fused_product(node: OperatorCall) -> Call | Steps | None:
    """Read a product of tensors, each of which may be transposed, times a number."""
    left = _turn(node.require(0), node, "A")
    right = _turn(node.require(1), node, "B")
    # The factor is part of the product's last step, as in torch's ``baddbmm``.
    return activate(node, node.call("matmul", (left, right)))


def _turn(tensor: GraphTensor, node: OperatorCall, side: str) -> GraphTensor:
    if tensor.dim() > 1 and node.attributes.get(f"transBatch{side}", 0):
        batch, *rest, width = tensor.shape
        tensor = tensor.view(*rest, batch, width)
    return transpose(tensor) if tensor.dim() > 1 and node.attributes.get(f"trans{side}", 0) else tensor


@operator("com.microsoft.GemmFastGelu")
def read_product_with_gelu(node: OperatorCall) -> Steps:
    """Read a product, a bias if there is one, and GELU by its tanh approximation."""
    left, right, bias = node.require(0), node.require(1), node.input(2)
    result = yield read_linear(node, left, right, bias)
    return node.call("gelu_tanh", (result,))


def read_linear(node: OperatorCall, left: GraphTensor, right: GraphTensor, bias: GraphTensor | None) -> Call:
    """Read a product by a matrix of (features, columns), with or without a bias, as a linear layer."""
    if left.shape[-1] != right.shape[0]:
        raise Mismatch(f"takes {right.shape[0]} features, but its input has {left.shape[-1]}")
    return node.call("linear", (left, transpose(right)), {"bias": bias is not None}, affine=(bias,))


@operator("com.microsoft.NhwcFusedConv")
def read_channels_last_convolution(node: OperatorCall) -> Call | Steps | None:
    """Read a convolution whose channels come last, the sum with a tensor if there is one, and a function."""
    return activate(node, _CONVOLVE(node), node.input(3))


_CONVOLVE = read_channels_last("Conv", 0, 1, 2, always=True)
bind({
    "com.microsoft.Gelu": "gelu",
    "com.microsoft.NhwcConv": _CONVOLVE,
    "com.microsoft.NhwcMaxPool": read_channels_last("MaxPool", 0, always=True),
})  # fmt: skip


@operator("com.microsoft.BiasGelu", "com.microsoft.FastGelu")
def read_shifted_gelu(node: OperatorCall) -> Call | Steps:
    """Read GELU, after the sum with a bias if there is one."""
    op = "gelu" if node.op_type.endswith("BiasGelu") else "gelu_tanh"
    bias = node.input(1)
    return node.call(op, (node.require(0),)) if bias is None else _shift(node, op, bias)


def _shift(node: OperatorCall, op: str, bias: GraphTensor) -> Steps:
    shifted = yield node.call("add", (node.require(0), bias))
    return node.call(op, (shifted,))


@operator("com.microsoft.QuickGelu")
def read_quick_gelu(node: OperatorCall) -> Call | Steps | None:
    """Read ``x·σ(αx)``."""
    return read_as(node, "Swish", (node.require(0),), {"alpha": node.attributes.get("alpha", 1.702)})


@operator("com.microsoft.BiasSplitGelu")
def read_gated_gelu(node: OperatorCall) -> Steps:
    """Read a sum with a bias, whose first half is multiplied by GELU of the second."""
    tensor = node.require(0)
    shifted = yield Call("add", (tensor, node.require(1)), tensor.shape)
    halves = []
    for _ in range(2):
        half = yield node.call("getitem", (shifted,))
        halves.append(half)
    gate = yield node.call("gelu", (halves[1],))
    return node.call("mul", (halves[0], gate))
