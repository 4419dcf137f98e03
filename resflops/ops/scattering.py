"""Folds whose places are given by indices or values: scattered sums and histograms."""

from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call
from resflops.ops._complex import SUMS
from resflops.ops._declaration import ANSWERS, each_gradient, moved_gradient, op, stopped_gradient
from resflops.records import OpRecord, Work

FAMILY = "scattering"


def scattered_sum(record: OpRecord) -> Work:
    """One addition (or other fold) per element of the source."""
    return Work(arithmetic=prod(record.input_shapes[-1]))


# The gradient of a scattered sum is looked up for each element of the source.
SCATTER_ADD = op(
    "scatter_add",
    family=FAMILY,
    work=scattered_sum,
    on_complex=SUMS,
    gradient=moved_gradient(),
    saves=("indices",),
)
INDEX_ADD = op("index_add", family=FAMILY, work=scattered_sum, on_complex=SUMS, gradient=moved_gradient())


class Adding(Attributes, frozen=True):
    """An addition to elements at given places."""

    written: int
    """How many elements are added, of a source that may be broadcast to them."""


def added_elements(record: OpRecord, attributes: Adding) -> Work:
    """One addition per element that is added."""
    del record
    return Work(arithmetic=attributes.written)


def added_elements_gradient(record: OpRecord, attributes: Adding, operand: int) -> Work:
    """Nothing: it is read where the element went; n-1 additions for a source that was broadcast."""
    if not operand:
        return Work()
    return Work(arithmetic=max(attributes.written - prod(record.input_shapes[operand]), 0))


def _read_masked(given: dict[str, Any]) -> Call:
    """Read an addition that a mask of the same shape turns into one of zeros at some places."""
    tensor, values = given["self"], given["values"]
    return Call(
        "index_put_accumulate", (tensor, values), tuple(tensor.shape), {"written": given["mask"].numel()}
    )


INDEX_PUT_ACCUMULATE = op(
    "index_put_accumulate",
    family=FAMILY,
    attributes=Adding,
    aten={"_unsafe_masked_index_put_accumulate": _read_masked},
    work=added_elements,
    on_complex=SUMS,
    gradient=each_gradient(added_elements_gradient),
    saves=("indices",),
)
SCATTER_REDUCE = op("scatter_reduce", family=FAMILY, work=scattered_sum)
INDEX_REDUCE = op("index_reduce", family=FAMILY, work=scattered_sum)
SEGMENT_REDUCE = op("segment_reduce", family=FAMILY, work=scattered_sum)


_BIN_OPERATIONS = {"histc": 3, "bincount": 1}


def histogram(record: OpRecord) -> Work:
    """Per element: two operations to find its bin (none for integers), and one to count it."""
    return Work(arithmetic=prod(record.input_shapes[0]) * _BIN_OPERATIONS[record.op])


for _name in _BIN_OPERATIONS:
    op(_name, family=FAMILY, work=histogram, gradient=stopped_gradient(ANSWERS), saves=())
