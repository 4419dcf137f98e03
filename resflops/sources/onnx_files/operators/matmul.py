"""Matrix products."""

from msgspec.structs import replace

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator
from resflops.sources.onnx_files.tensors import GraphTensor

bind({"MatMul": "matmul"})


@operator("Gemm")
def read_gemm(node: OperatorCall) -> Call:
    """Read ``alpha·A·B + beta·C``: a linear layer if B is transposed and C a row, else a product.

    The factors are part of the product's last step, as in torch's ``addmm``.
    """
    left, right, bias = node.require(0), node.require(1), node.input(2)
    if node.attributes.get("transA", 0):
        left = transpose(left)
    transposed = node.attributes.get("transB", 0)
    taken = right.shape[1 if transposed else 0]
    if left.shape[1] != taken:
        raise Mismatch(f"takes {taken} input features, but its input has {left.shape[1]}")
    if transposed and (bias is None or bias.dim() == 1):
        return node.call("linear", (left, right), {"bias": bias is not None}, affine=(bias,))
    right = transpose(right) if transposed else right
    return node.call("mm", (left, right)) if bias is None else node.call("addmm", (left, right, bias))


def transpose(tensor: GraphTensor) -> GraphTensor:
    """Give the same tensor with its two sizes exchanged."""
    return replace(tensor, sizes=tensor.shape[::-1])
