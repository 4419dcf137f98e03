"""Folds whose places are given by indices or values: scattered sums and histograms."""

from math import prod

from resflops.ops._declaration import ANSWERS, moved_gradient, op, stopped_gradient
from resflops.records import OpRecord, Work

FAMILY = "scattering"


def scattered_sum(record: OpRecord) -> Work:
    """One addition (or other fold) per element of the source."""
    return Work(arithmetic=prod(record.input_shapes[-1]))


# The gradient of a scattered sum is looked up for each element of the source.
SCATTER_ADD = op(
    "scatter_add", family=FAMILY, work=scattered_sum, gradient=moved_gradient(), saves=("indices",)
)
INDEX_ADD = op("index_add", family=FAMILY, work=scattered_sum, gradient=moved_gradient())
SCATTER_REDUCE = op("scatter_reduce", family=FAMILY, work=scattered_sum)
INDEX_REDUCE = op("index_reduce", family=FAMILY, work=scattered_sum)
SEGMENT_REDUCE = op("segment_reduce", family=FAMILY, work=scattered_sum)


_BIN_OPERATIONS = {"histc": 3, "bincount": 1}


def histogram(record: OpRecord) -> Work:
    """Per element: two operations to find its bin (none for whole numbers), and one to count it."""
    return Work(arithmetic=prod(record.input_shapes[0]) * _BIN_OPERATIONS[record.op])


for _name in _BIN_OPERATIONS:
    op(_name, family=FAMILY, work=histogram, gradient=stopped_gradient(ANSWERS), saves=())
