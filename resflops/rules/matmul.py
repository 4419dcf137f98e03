"""Matrix products in all their forms."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import Factors, rule


def product_factors(record: OpRecord) -> Factors:
    """Every element of the output is a dot product along the dimension summed over."""
    left = record.input_shapes[0]
    points = tuple(size for size in record.output_shape[:-1] if size != 1) + record.output_shape[-1:]
    return points, (left[-1],)


@rule("linear", factors=product_factors)
def linear(record: OpRecord) -> Work:
    """One MAC per input feature and output element; one bias add per output element.

    >>> from resflops.records import OpRecord
    >>> linear(OpRecord(op="linear", layer="fc", attributes={"bias": True},
    ...     input_shapes=((1, 512), (1000, 512)), output_shapes=((1, 1000),))).macs
    512000
    """
    points = prod(record.output_shape)
    return Work(
        macs=points * record.input_shapes[0][-1],
        bias_adds=points if record.attributes.get("bias") else 0,
    )


@rule("linear_relu", factors=product_factors)
def linear_with_relu(record: OpRecord) -> Work:
    """A quantised linear layer fused with its activation: one comparison per output more."""
    work = linear(record)
    return Work(macs=work.macs, bias_adds=work.bias_adds, comparisons=prod(record.output_shape))


@rule(
    "matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "_int_mm", "_scaled_mm", "_weight_int8pack_mm",
    "_weight_int4pack_mm", factors=product_factors,
)  # fmt: skip
def matrix_product(record: OpRecord) -> Work:
    """One MAC per element of the output and of the dimension summed over.

    Broadcast batch dimensions need no term: the output already has them.
    """
    return Work(macs=prod(record.output_shape) * record.input_shapes[0][-1])


@rule("addmm", "addmv", "baddbmm", factors=product_factors)
def matrix_product_with_bias(record: OpRecord) -> Work:
    """The matrix product of the first two inputs, and one bias add per output element."""
    points = prod(record.output_shape)
    return Work(macs=points * record.input_shapes[0][-1], bias_adds=points)


@rule("addbmm")
def summed_products(record: OpRecord) -> Work:
    """One MAC per element of each product in the batch and of the dimension summed over; then the bias.

    The batch's products are summed as one longer dimension, which takes no further additions.
    """
    left, right = record.input_shapes[:2]
    return Work(macs=prod(left) * right[-1], bias_adds=prod(record.output_shape))


@rule("addr")
def outer_product_with_bias(record: OpRecord) -> Work:
    """Per element a product and an addition: of an outer product nothing is accumulated."""
    return Work(arithmetic=2 * prod(record.output_shape))


@rule("_grouped_mm")
def grouped_product(record: OpRecord) -> Work:
    """Every row meets the matrix of its group only, as in a mixture of experts.

    Rows (tokens, inner) and one matrix a group (groups, inner, columns) give (tokens,
    columns). Of two matrices cut along the dimension summed over, each part has a product
    of its own, and the parts together are as long as that dimension.
    """
    left, right = record.input_shapes[:2]
    points = record.output_shape
    if len(left) == len(right) == 2:
        points = points[1:]
    return Work(macs=prod(points) * left[-1])


def bilinear_factors(record: OpRecord) -> Factors:
    """Every output, times both of its products."""
    first, second = record.input_shapes[:2]
    return tuple(size for size in record.output_shape if size != 1) or (1,), (first[-1] + 1, second[-1])


@rule("bilinear", factors=bilinear_factors)
def bilinear(record: OpRecord) -> Work:
    """Per output: input 1 by its matrix, N1·N2 MACs, and that by input 2, N2 more; a bias add.

    ``y_o = x1 · W_o · x2`` from left to right, the order in which torch runs it
    (``at::_trilinear``).
    """
    first, second = record.input_shapes[:2]
    points = prod(record.output_shape)
    return Work(
        macs=points * (first[-1] + 1) * second[-1],
        bias_adds=points if record.attributes.get("bias") else 0,
    )


@rule("_euclidean_dist")
def distances_by_product(record: OpRecord) -> Work:
    """Distances of P points to R others in M dimensions as one matrix product, P·R·(M + 2) MACs.

    ``|x|² + |y|² - 2·x·y``: torch appends the squares, and a one to meet them, to the
    points (``at::_euclidean_dist``; from 25 points on, or when asked). Besides: a square
    and an addition per coordinate, a doubling per coordinate of x, a limit and a root per
    distance.
    """
    left, right = record.input_shapes[:2]
    pairs = prod(record.output_shape)
    return Work(
        macs=pairs * (left[-1] + 2),
        arithmetic=3 * prod(left) + 2 * prod(right),
        comparisons=pairs,
        transcendental=pairs,
    )


@rule("_cdist_forward", "_pdist_forward")
def distances(record: OpRecord) -> Work:
    """Per pair of points and coordinate: subtract, square (or raise), add; one root per distance."""
    pairs = prod(record.output_shape)
    power = record.attributes.get("p", 2.0)
    terms = pairs * record.input_shapes[0][-1]
    if power in (1, 2):
        return Work(arithmetic=3 * terms, transcendental=pairs if power == 2 else 0)
    return Work(arithmetic=2 * terms, transcendental=terms + pairs)
