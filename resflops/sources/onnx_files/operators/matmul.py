"""Matrix products."""

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator
from resflops.sources.onnx_files.tensors import GraphTensor

bind({"MatMul": "matmul"})


@operator("Gemm")
def read_gemm(node: OperatorCall) -> Call:
    """Read ``alpha·A·B + beta·C``: a linear layer if B is transposed or C a row, else a product.

    The factors are part of the product's last step, as in torch's ``addmm``.
    """
    return read_product(node, node.require(0), node.require(1), node.input(2))


def read_product(node: OperatorCall, left: GraphTensor, right: GraphTensor, bias: GraphTensor | None) -> Call:
    """Read the product of two matrices, each of which may be transposed, with or without a bias."""
    if node.attributes.get("transA", 0):
        left = transpose(left)
    transposed = node.attributes.get("transB", 0)
    # A linear layer has its weight transposed.
    weight = right if transposed else transpose(right)
    if left.shape[1] != weight.shape[1]:
        raise Mismatch(f"takes {weight.shape[1]} input features, but its input has {left.shape[1]}")
    if (transposed and bias is None) or (bias is not None and bias.dim() == 1):
        return node.call("linear", (left, weight), {"bias": bias is not None}, affine=(bias,))
    if bias is None:
        return node.call("matmul", (left, transpose(weight)))
    return node.call("addmm", (left, transpose(weight), bias))


def transpose(tensor: GraphTensor) -> GraphTensor:
    """See a tensor with its last two sizes exchanged."""
    *outer, rows, columns = tensor.shape
    return tensor.view(*outer, columns, rows)
