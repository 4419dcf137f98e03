"""Products with sparse matrices, and what makes and takes apart sparse tensors.

A sparse tensor is counted by what its format stores: each stored element is multiplied, also where it is
zero, and each element of a stored block. A tensor that is stored densely is counted densely, however many
zeros it has.
"""

from functools import partial
from math import prod

from resflops.ops._attributes import Attributes
from resflops.ops._declaration import Factors, each_gradient, moved_gradient, op, stopped_gradient
from resflops.ops._free import COPY, VIEW, declare_free
from resflops.records import OpRecord, Work

FAMILY = "sparse"

BY_NAME = {
    "mm": ("mm", 0), "mv": ("mm", 0), "bmm": ("mm", 0), "matmul": ("mm", 0), "spmm": ("mm", 0),
    "_sparse_mm": ("mm", 0), "_sparse_sparse_matmul": ("mm", 0), "_sparse_mm_reduce_impl": ("mm", 0),
    "addmm": ("addmm", 1), "addmv": ("addmm", 1), "_sparse_addmm": ("addmm", 1), "sspaddmm": ("addmm", 1),
    "sparse_sampled_addmm": ("sampled", 0), "_spdiags": ("", 0),
}  # fmt: skip
"""How the dispatcher reads a product with a sparse operand: its kind, and the place of its first factor."""


class StoredElements(Attributes, frozen=True):
    """How many elements a sparse factor stores."""

    stored: int
    """Elements that the format stores, those of its blocks included."""
    uses: int
    """How often each of them is multiplied, such as once per column of a dense factor."""
    bias: bool
    """Whether another tensor is added."""


def sparse_product(record: OpRecord, attributes: StoredElements) -> Work:
    """One MAC per stored element and column of the other factor; one addition per output element of a bias.

    >>> from resflops.records import OpRecord
    >>> record = OpRecord(op="sparse_mm", layer="", input_shapes=((20, 20), (20, 16)),
    ...     output_shapes=((20, 16),))
    >>> sparse_product(record, StoredElements(stored=30, uses=16, bias=False))
    Work(macs=480, bias_adds=0, arithmetic=0, comparisons=0, transcendental=0)
    """
    added = prod(record.output_shape) if attributes.bias else 0
    return Work(macs=attributes.stored * attributes.uses, bias_adds=added)


def sparse_factors(record: OpRecord, attributes: StoredElements) -> Factors:
    """Each stored element is multiplied as often as the other factor has columns."""
    del record
    return (attributes.uses,), (attributes.stored,)


def sparse_gradient(record: OpRecord, attributes: StoredElements, operand: int) -> Work:
    """Either factor: as many MACs as forward, the sparse one's only where it has stored elements."""
    del record, operand
    return Work(macs=attributes.stored * attributes.uses)


op(
    "sparse_mm",
    family=FAMILY,
    attributes=StoredElements,
    work=sparse_product,
    factors=sparse_factors,
    gradient=each_gradient(sparse_gradient, takes=(0, 1)),
    saves=("input", "other"),
    cause="matmul",
)
op(
    "sparse_sampled_addmm",
    family=FAMILY,
    attributes=StoredElements,
    work=sparse_product,
    summary="One MAC per stored element and column of the first factor; no other product is computed.",
    factors=sparse_factors,
    gradient=each_gradient(sparse_gradient, takes=(1, 2)),
    saves=("other",),
    cause="matmul",
)

_declare = partial(declare_free, family=FAMILY, saves=())
_declare(
    "_sparse_coo_tensor_unsafe", "_sparse_coo_tensor_with_dims_and_tensors", "sparse_compressed_tensor",
    "sparse_coo_tensor", "_indices", "_values", "ccol_indices", "col_indices", "crow_indices", "indices",
    "row_indices", "values", "_coalesced",
    reason=VIEW,
    gradient=moved_gradient(),
)  # fmt: skip
_declare(
    "_to_sparse", "_to_sparse_bsc", "_to_sparse_bsr", "_to_sparse_csc", "_to_sparse_csr", "sparse_mask",
    "to_sparse",
    reason=COPY,
    gradient=moved_gradient(),
)  # fmt: skip
_declare(
    "_dimI", "_dimV", "_nnz", "dense_dim", "is_coalesced", "sparse_dim", "_validate_sparse_coo_tensor_args",
    reason="bookkeeping: it computes no element",
    gradient=stopped_gradient("bookkeeping: it computes no element"),
)  # fmt: skip


def coalesce(record: OpRecord) -> Work:
    """One addition per stored element at most: elements of one place are added up."""
    return Work(arithmetic=prod(record.input_shapes[0]))


op(
    "_coalesce",
    family=FAMILY,
    work=coalesce,
    gradient=moved_gradient(),
    saves=(),
    cause="arithmetic",
)
