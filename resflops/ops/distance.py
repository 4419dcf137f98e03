"""Distances between points."""

from math import prod

from resflops.ops._attributes import Attributes
from resflops.ops._declaration import each_gradient, op
from resflops.records import OpRecord, Work

FAMILY = "distance"

_TAKES = (0, 1)


class Norm(Attributes, frozen=True):
    """The norm that a distance is measured by."""

    p: float
    """Its order: 2 is the Euclidean norm."""


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


def product_distance_gradient(record: OpRecord, operand: int) -> Work:
    """Per pair a division, and per coordinate a MAC: the product of the ratios and the points.

    ``x' = Σ d'/d·(x - y)`` over the points y.
    """
    del operand
    pairs, size = prod(record.output_shape), record.input_shapes[0][-1]
    return Work(macs=pairs * size, arithmetic=pairs)


op(
    "_euclidean_dist",
    family=FAMILY,
    work=distances_by_product,
    gradient=each_gradient(product_distance_gradient, takes=_TAKES),
    saves=("input", "other", "output"),
)


def distances(record: OpRecord, attributes: Norm) -> Work:
    """Per pair of points and coordinate: subtract, square (or raise), add; one root per distance."""
    pairs = prod(record.output_shape)
    terms = pairs * record.input_shapes[0][-1]
    if attributes.p in (1, 2):
        return Work(arithmetic=3 * terms, transcendental=pairs if attributes.p == 2 else 0)
    return Work(arithmetic=2 * terms, transcendental=terms + pairs)


def distance_gradient(record: OpRecord, attributes: Norm, operand: int) -> Work:
    """Per pair a division, and per coordinate 3 arithmetic.

    ``x' = Σ d'/d·(x - y)`` over the points y.
    """
    del attributes, operand
    pairs, size = prod(record.output_shape), record.input_shapes[0][-1]
    return Work(arithmetic=3 * pairs * size + pairs)


op(
    "_cdist_forward",
    family=FAMILY,
    attributes=Norm,
    work=distances,
    gradient=each_gradient(distance_gradient, takes=_TAKES),
    saves=("input", "other", "output"),
)

op("_pdist_forward", family=FAMILY, attributes=Norm, work=distances, saves=("input", "output"))
