"""Putting elements in order, and finding some by their order."""

from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, Mismatch, NotDescribed, TensorLike, wrap_dimension
from resflops.ops._declaration import ANSWERS, binding, moved_gradient, op, stopped_gradient
from resflops.ops._rows import count_rows, reduce_shape
from resflops.records import OpRecord, Work

FAMILY = "sorting"


class Ordered(Attributes, frozen=True):
    """An op that puts rows in order."""

    dim: int | None
    """The dimension along which the rows run; None takes the whole tensor as one row."""


class Largest(Attributes, frozen=True):
    """An op that takes the first elements of each row in order."""

    dim: int
    k: int
    """How many elements it takes."""


def infer_topk(input: TensorLike, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Call:
    """Find the largest elements along a dimension, and their indices."""
    shape = list(input.shape)
    place = wrap_dimension(dim, len(shape))
    if not isinstance(k, int):
        raise NotDescribed
    if not 0 <= k <= shape[place]:
        raise Mismatch(f"takes the first {k} elements of rows that have {shape[place]}")
    shape[place] = k
    out = tuple(shape)
    return Call("topk", (input,), out, {"dim": dim, "k": k}, others=((out, "int64"),), pack="topk")


def infer_sort(input: TensorLike, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Call:
    """Sort elements along a dimension, and return where they stood."""
    shape = tuple(input.shape)
    wrap_dimension(dim, max(len(shape), 1))
    return Call("sort", (input,), shape, {"dim": dim}, others=((shape, "int64"),), pack="sort")


def infer_argsort(
    input: TensorLike, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Call:
    """Return where the sorted elements stood."""
    return Call("sort", (input,), tuple(input.shape), {"dim": dim}, "int64")


def _read_argsort(given: dict[str, Any]) -> Call:
    return infer_argsort(given["self"], given["dim"])


def _read_msort(given: dict[str, Any]) -> Call:
    return infer_sort(given["self"], 0)


def sort(record: OpRecord, attributes: Ordered) -> Work:
    """n·⌈log₂ n⌉ comparisons per row of n: at most those of a merge sort.

    The median and the like are counted as a sort, too, because torch finds them by sorting.
    """
    if attributes.dim is None:
        rows, length = 1, prod(record.input_shapes[0])
    else:
        rows, length = count_rows(record, attributes.dim)
    # The bit length of n-1 is ⌈log₂ n⌉, exact for every n, as a floating-point logarithm is not.
    return Work(comparisons=rows * length * max(length - 1, 0).bit_length())


SORT = op(
    "sort",
    family=FAMILY,
    attributes=Ordered,
    bindings=(binding(infer_sort, "*.sort"), binding(infer_argsort, "*.argsort")),
    aten={"sort": {"input": "self"}, "argsort": _read_argsort, "msort": _read_msort},
    work=sort,
    gradient=moved_gradient(takes=(0,)),
    saves=("indices",),
    gives_indices=True,
)


def _read_median(name: str) -> Any:
    def read(given: dict[str, Any]) -> Call:
        """Read the middle of each row and its index, or the middle of all."""
        tensor, dim = given["self"], given.get("dim")
        if dim is None:
            return Call(name, (tensor,), (), {"dim": None})
        shape = reduce_shape(tuple(tensor.shape), dim, keepdim=given["keepdim"])
        return Call(name, (tensor,), shape, {"dim": dim}, others=((shape, "int64"),))

    return read


for _name in ("median", "nanmedian"):
    op(
        _name,
        family=FAMILY,
        attributes=Ordered,
        aten={_name: _read_median(_name)},
        work=sort,
        gradient=moved_gradient(takes=(0,)),
        gives_indices=True,
    )

for _name in ("kthvalue", "mode"):
    op(
        _name,
        family=FAMILY,
        attributes=Ordered,
        work=sort,
        gradient=moved_gradient(takes=(0,)),
        saves=("indices",),
        gives_indices=True,
    )


def topk(record: OpRecord, attributes: Largest) -> Work:
    """n·⌈log₂(k + 1)⌉ comparisons per row of n: at most, each element sinks through a heap of k."""
    rows, length = count_rows(record, attributes.dim)
    return Work(comparisons=rows * length * attributes.k.bit_length())


TOPK = op(
    "topk",
    family=FAMILY,
    attributes=Largest,
    bindings=binding(infer_topk, "*.topk"),
    aten={"topk": {"input": "self"}},
    work=topk,
    gradient=moved_gradient(takes=(0,)),
    saves=("indices",),
    gives_indices=True,
)


def unique(record: OpRecord) -> Work:
    """n·⌈log₂ n⌉ comparisons for n elements, to sort them.

    How many are left depends on the values, but the comparisons to find out do not.
    """
    elements = prod(record.input_shapes[0])
    return Work(comparisons=elements * max(elements - 1, 0).bit_length())


def unique_consecutive(record: OpRecord) -> Work:
    """n-1 comparisons for n elements, each with its neighbour."""
    return Work(comparisons=max(prod(record.input_shapes[0]) - 1, 0))


UNIQUE = op(
    "unique",
    family=FAMILY,
    aten=("_unique2", "unique_dim"),
    work=unique,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)

UNIQUE_CONSECUTIVE = op(
    "unique_consecutive",
    family=FAMILY,
    work=unique_consecutive,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)


def _search(boundaries: tuple[int, ...], places: int) -> Work:
    size = boundaries[-1] if boundaries else 0
    return Work(comparisons=places * size.bit_length())


def searchsorted(record: OpRecord) -> Work:
    """⌈log₂(m + 1)⌉ comparisons to find a place among m, by bisection."""
    return _search(record.input_shapes[0], prod(record.output_shape))


def bucketize(record: OpRecord) -> Work:
    """⌈log₂(m + 1)⌉ comparisons to find a place among m, by bisection."""
    return _search(record.input_shapes[-1], prod(record.output_shape))


SEARCHSORTED = op(
    "searchsorted", family=FAMILY, work=searchsorted, gradient=stopped_gradient(ANSWERS), saves=()
)
BUCKETIZE = op("bucketize", family=FAMILY, work=bucketize, gradient=stopped_gradient(ANSWERS), saves=())
