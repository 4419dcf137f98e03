"""Quantised operators: each is the op that it is on the numbers that its integers stand for.

That the result is scaled to integers again is part of the operator and not counted, as in torch's quantised
layers. What quantises and dequantises by nodes of its own is counted there.
"""

from resflops.ops import Call, Mismatch
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, Steps, bind, operator
from resflops.sources.onnx_files.operators._standard import read_as, read_channels_last, read_some
from resflops.sources.onnx_files.operators.convolution import read_convolution
from resflops.sources.onnx_files.operators.fused import read_linear
from resflops.sources.onnx_files.operators.matmul import read_product
from resflops.sources.onnx_files.operators.recurrent import read_network
from resflops.sources.onnx_files.tensors import GraphTensor

MICROSOFT = "com.microsoft."


@operator("QuantizeLinear", "com.microsoft.QuantizeLinear")
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


@operator("DequantizeLinear", "com.microsoft.DequantizeLinear")
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


@operator("com.microsoft.QGemm")
def read_quantised_gemm(node: OperatorCall) -> Call:
    """Read a product with a bias between whose operands their scales and zero points stand."""
    return mark(read_product(node, node.require(0), node.require(3), node.input(6)))


def _read_product_with_bias(bias: int) -> Read:
    """Make the reader of a product of integers that comes as numbers, with a bias if there is one."""

    def read(node: OperatorCall) -> Call:
        left, right = node.require(0), node.require(1)
        if node.input(bias) is None or right.dim() != 2:
            return multiply(node, left, right)
        return mark(read_linear(node, left, right, node.input(bias)))

    return read


@operator("com.microsoft.MatMulNBits", "com.microsoft.MatMulBnb4")
def read_packed_product(node: OperatorCall) -> Call:
    """Read a product by a weight that is packed: unpacking and scaling it is part of the operator."""
    rows, inner, columns = node.require(0), int(node.attributes["K"]), int(node.attributes["N"])
    if rows.shape[-1] != inner:
        raise Mismatch(f"takes {inner} features, but its input has {rows.shape[-1]}")
    bias = node.input(5)
    attributes: dict[str, Attribute] = {
        "rows": rows.numel() // inner,
        "inner": inner,
        "columns": columns,
        "bias": bias is not None,
    }
    return node.call("packed_product", (rows, node.require(1)), attributes, affine=(bias,))


@operator("com.microsoft.GatherBlockQuantized")
def read_packed_lookup(node: OperatorCall) -> Steps:
    """Read rows that are looked up in a table and then scaled."""
    rows = yield node.call("gather", (node.require(0), node.require(1)))
    return node.call("dequantize", (rows,))


bind({
    f"{MICROSOFT}DynamicQuantizeLSTM": read_network("LSTM", quantised=True),
    f"{MICROSOFT}DynamicQuantizeMatMul": _read_product_with_bias(4),
    f"{MICROSOFT}MatMulIntegerToFloat": _read_product_with_bias(6),
    f"{MICROSOFT}MulInteger": read_some("Mul", 0, 2),
    f"{MICROSOFT}QLinearAdd": read_some("Add", 0, 3),
    f"{MICROSOFT}QLinearAveragePool": read_channels_last("AveragePool", 0, always=False),
    f"{MICROSOFT}QLinearConv": read_channels_last("Conv", 0, 3, 8, always=False),
    f"{MICROSOFT}QLinearGlobalAveragePool": read_channels_last("GlobalAveragePool", 0, always=False),
    f"{MICROSOFT}QLinearLeakyRelu": read_some("LeakyRelu", 0),
    f"{MICROSOFT}QLinearMul": read_some("Mul", 0, 3),
    f"{MICROSOFT}QLinearReduceMean": read_some("ReduceMean", 0),
    f"{MICROSOFT}QLinearSigmoid": read_some("Sigmoid", 0),
    f"{MICROSOFT}QLinearWhere": read_some("Where", 0, 1, 4),
})  # fmt: skip


@operator("com.microsoft.QLinearSoftmax")
def read_quantised_softmax(node: OperatorCall) -> Call | Steps | None:
    """Read a softmax, which says by which opset it has its axis."""
    return read_as(node, "Softmax", (node.require(0),), version=int(node.attributes["opset"]))


@operator("com.microsoft.QLinearConcat")
def read_quantised_joined(node: OperatorCall) -> Call | Steps | None:
    """Read joined tensors: the scale and zero point of the result, and then three inputs for each of them."""
    return read_as(node, "Concat", node.inputs[2::3])
