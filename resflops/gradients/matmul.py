"""Gradients of matrix products and of embeddings."""

from math import prod

from resflops.gradients.registry import gradient_rule
from resflops.ops import OPS
from resflops.records import OpRecord, Shape, Work

_LEFT, _RIGHT = 0, 1


@gradient_rule("linear", "addmm", "addmv", "baddbmm", "addbmm")
def product_gradient(record: OpRecord, operand: int) -> Work:
    """Either factor: as many MACs as forward; bias: one addition per output element.

    ``Y = X·W`` gives ``X' = Y'·Wᵀ`` and ``W' = Xᵀ·Y'``, over the same three sizes. A bias of
    the output's own shape takes nothing: its gradient is the output's.
    """
    if operand in (_LEFT, _RIGHT):
        return Work(macs=OPS[record.op].work(record).macs)
    own = operand < len(record.input_shapes) and record.input_shapes[operand] == record.output_shape
    return Work() if own else Work(arithmetic=prod(record.output_shape))


@gradient_rule("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "_grouped_mm", takes=(0, 1))
def matrix_product_gradient(record: OpRecord, operand: int) -> Work:
    """Either factor: as many MACs as forward; one whose batch was broadcast is added up besides.

    A single matrix against a batch needs no such sum: the batch is folded into its rows,
    and the product itself runs over it.
    """
    forward = OPS[record.op].work(record).macs
    left, right = record.input_shapes[:2]
    if len(left) < 3 or len(right) < 3 or record.op == "_grouped_mm":
        return Work(macs=forward)
    return Work(macs=forward, arithmetic=_added_up(record.input_shapes[operand], record.output_shape))


def _added_up(operand: Shape, output: Shape) -> int:
    """Additions that fold the gradients of a whole batch into those of what was broadcast to it."""
    matrix = prod(operand[-2:])
    return (prod(output[:-2]) - prod(operand[:-2])) * matrix


@gradient_rule("addr")
def outer_product_gradient(record: OpRecord, operand: int) -> Work:
    """A factor: one MAC per output element; what is added to: nothing, or a sum if it is smaller.

    The factors stand first and the bias last, as in every product with a bias.
    """
    points = prod(record.output_shape)
    if operand in (_LEFT, _RIGHT):
        return Work(macs=points)
    return Work(arithmetic=points - prod(record.input_shapes[operand]))


@gradient_rule("bilinear")
def bilinear_gradient(record: OpRecord, operand: int) -> Work:
    """Per output, an input: its product with the matrix, N1·N2 MACs, and its own size more; weight: N1·N2.

    ``y_o = x1·W_o·x2`` gives ``x1' = Σ y_o'·W_o·x2`` and ``x2' = Σ y_o'·x1·W_o``, and the weight's
    gradient is the outer product of ``y_o'·x1`` (N1 multiplications) and x2. Bias: one
    addition per output element.
    """
    first, second = record.input_shapes[:2]
    points, matrix = prod(record.output_shape), first[-1] * second[-1]
    if operand in (_LEFT, _RIGHT):
        return Work(macs=points * (matrix + record.input_shapes[operand][-1]))
    if operand == 2:
        return Work(macs=points * matrix, arithmetic=points * first[-1])
    return Work(arithmetic=points)


@gradient_rule("_euclidean_dist", "_cdist_forward", takes=(_LEFT, _RIGHT))
def distance_gradient(record: OpRecord, operand: int) -> Work:
    """Per pair a division, and per coordinate 3 arithmetic, or a MAC where it was a matrix product.

    ``x' = Σ d'/d·(x - y)`` over the points y; as a product, it is one of the ratios and the points.
    """
    del operand
    pairs, size = prod(record.output_shape), record.input_shapes[0][-1]
    if record.op == "_euclidean_dist":
        return Work(macs=pairs * size, arithmetic=pairs)
    return Work(arithmetic=3 * pairs * size + pairs)


@gradient_rule("embedding", takes=(1,))
def embedding_gradient(record: OpRecord, operand: int) -> Work:
    """Weight: one addition per output element, which puts each row's gradient back in its place."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


@gradient_rule("embedding_bag", takes=(1,))
def embedding_bag_gradient(record: OpRecord, operand: int) -> Work:
    """Weight: one addition per element of every row looked up; a division for a mean, a product for weights.

    Of a maximum one row per element has the gradient.
    """
    del operand
    width, bags = record.output_shape[-1], record.output_shape[0]
    rows = prod(record.input_shapes[0])
    if record.attributes.get("mode") == "max":
        return Work(arithmetic=bags * width)
    weighted = rows * width if record.attributes.get("weighted") else 0
    means = bags * width if record.attributes.get("mode") == "mean" else 0
    return Work(arithmetic=rows * width + weighted + means)
