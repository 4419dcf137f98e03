"""Householder's reflections: a QR factorisation that keeps them, the matrix that they make, products with it.

Counts are LAPACK's own, as in ``linalg``; those of the product (ORMQR) are the ones of its successor
PLASMA (``flops.h``), which has the same formulas.
"""

from math import prod

from resflops.ops._attributes import Attributes
from resflops.ops._declaration import op
from resflops.ops._lapack import form_q_work, householder_work
from resflops.records import OpRecord, Work

FAMILY = "linalg"


class Side(Attributes, frozen=True):
    """A product with the matrix that reflections make."""

    left: bool
    """Whether that matrix stands on the left."""


def reflections(record: OpRecord) -> Work:
    """Per m×n matrix Householder's reflections (GEQRF); Q is not formed."""
    *batch, m, n = record.input_shapes[0]
    return Work(arithmetic=prod(batch) * householder_work(m, n))


GEQRF = op("geqrf", family=FAMILY, work=reflections, saves=())


def orthogonal_matrix(record: OpRecord) -> Work:
    """The first n columns of the m×m matrix that k reflections make (ORGQR)."""
    *batch, m, n = record.input_shapes[0]
    return Work(arithmetic=prod(batch) * form_q_work(m, n, record.input_shapes[1][-1]))


HOUSEHOLDER_PRODUCT = op(
    "linalg_householder_product",
    family=FAMILY,
    # In inference mode torch keeps the function whole that has the older name.
    aten=("orgqr",),
    work=orthogonal_matrix,
    saves=("input", "other", "output"),
)


def reflected_product(record: OpRecord, attributes: Side) -> Work:
    """For m×n and k reflections on the left 4nmk - 2nk² + 3nk, on the right with m and n exchanged (ORMQR).

    On the right it takes mk + nk - k²/2 + k/2 products and mk sums in place of the last term.
    """
    *batch, m, n = record.output_shape
    k = record.input_shapes[1][-1]
    if attributes.left:
        each = 4 * n * m * k - 2 * n * k**2 + 3 * n * k
    else:
        each = 4 * n * m * k - 2 * m * k**2 + 2 * m * k + n * k - (k**2 - k) // 2
    return Work(arithmetic=prod(batch) * each)


ORMQR = op(
    "ormqr", family=FAMILY, attributes=Side, work=reflected_product, saves=("input", "other", "output")
)
