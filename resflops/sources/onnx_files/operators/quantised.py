"""Quantised operators: each is the op that it is on the numbers that its integers stand for.

That the result is scaled to integers again is part of the operator and not counted, as in torch's quantised
layers. What quantises and dequantises by nodes of its own is counted there.
"""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, operator
from resflops.sources.onnx_files.operators.convolution import read_convolution
from resflops.sources.onnx_files.tensors import GraphTensor


@operator("QuantizeLinear")
def read_quantised(node: OperatorCall) -> Call:
    """Read what turns numbers into integers, by one scale or several."""
    several = node.require(1).numel() > 1
    return node.call(f"quantize_per_{'channel' if several else 'tensor'}", (node.require(0),))


@operator("DynamicQuantizeLinear")
def read_dynamically_quantised(node: OperatorCall) -> Steps:
    """Read what finds the scale of a tensor in the tensor itself: its extremes, then all as with a scale."""
    tensor = node.require(0)
    yield Call("aminmax", (tensor,), ())
    return node.call("quantize_per_tensor", (tensor,))


@operator("DequantizeLinear")
def read_dequantised(node: OperatorCall) -> Call:
    """Read what turns integers into the numbers that they stand for."""
    return node.call("dequantize", (node.require(0),))


@operator("QLinearConv")
def read_quantised_convolution(node: OperatorCall) -> Call:
    """Read a convolution between whose operands their scales and zero points stand."""
    return mark(read_convolution(node, weight=3, bias=8))


@operator("ConvInteger")
def read_integer_convolution(node: OperatorCall) -> Call:
    """Read a convolution of integers, whose result is left as it is."""
    return mark(read_convolution(node, bias=None))


@operator("QLinearMatMul")
def read_quantised_product(node: OperatorCall) -> Call:
    """Read a product between whose factors their scales and zero points stand."""
    return multiply(node, node.require(0), node.require(3))


@operator("MatMulInteger")
def read_integer_product(node: OperatorCall) -> Call:
    """Read a product of integers, whose result is left as it is."""
    return multiply(node, node.require(0), node.require(1))


def multiply(node: OperatorCall, left: GraphTensor, right: GraphTensor) -> Call:
    """Read the product of two tensors of integers."""
    return mark(node.call("matmul", (left, right)))


def mark(call: Call) -> Call:
    """Mark a call as one on integers, through which no gradient passes."""
    call.attributes["quantised"] = True
    return call
