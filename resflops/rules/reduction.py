"""Sums, means, maxima and softmax: ops that fold a dimension."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule


def _row_length(record: OpRecord) -> int:
    shape = record.input_shapes[0]
    dim = record.attributes.get("dim", -1)
    return shape[dim] if shape and isinstance(dim, int) else 1


def _folds(record: OpRecord) -> int:
    return max(prod(record.input_shapes[0]) - prod(record.output_shape), 0)


@rule("sum", "nansum", "prod", "cumsum", "cumprod")
def total(record: OpRecord) -> Work:
    """Inputs less outputs: n-1 additions (or multiplications) to fold n elements into one."""
    if record.op.startswith("cum"):
        return Work(arithmetic=prod(record.output_shape))
    return Work(arithmetic=_folds(record))


@rule("mean", "nanmean")
def mean(record: OpRecord) -> Work:
    """n-1 additions and one division to fold n elements into one."""
    return Work(arithmetic=_folds(record) + prod(record.output_shape))


@rule("var", "std", "var_mean", "std_mean")
def variance(record: OpRecord) -> Work:
    """Per element: an addition for the mean; a subtraction, a product and an addition for the square."""
    points = prod(record.input_shapes[0])
    roots = prod(record.output_shape) if record.op.startswith("std") else 0
    return Work(arithmetic=4 * points, transcendental=roots)


@rule("amax", "amin", "aminmax", "argmax", "argmin", "max", "min", "all", "any", "count_nonzero")
def extremum(record: OpRecord) -> Work:
    """n-1 comparisons to fold n elements into one; one per element when two tensors are compared."""
    if len(record.input_shapes) > 1:
        return Work(comparisons=prod(record.output_shape))
    return Work(comparisons=_folds(record))


@rule("logsumexp")
def logsumexp(record: OpRecord) -> Work:
    """Per element: comparison, subtraction, exponential, addition; one logarithm and addition per output."""
    points, out = prod(record.input_shapes[0]), prod(record.output_shape)
    return Work(
        comparisons=_folds(record), arithmetic=points + _folds(record) + out, transcendental=points + out
    )


@rule("norm", "linalg_vector_norm")
def vector_norm(record: OpRecord) -> Work:
    """Per element: a multiplication, and an addition to fold; one root per output."""
    return Work(
        arithmetic=prod(record.input_shapes[0]) + _folds(record), transcendental=prod(record.output_shape)
    )


def _ordered(record: OpRecord) -> tuple[int, int]:
    """How many rows an op puts in order, and how long they are."""
    length = max(_row_length(record), 1)
    return prod(record.input_shapes[0]) // length, length


@rule("sort", "median", "nanmedian", "kthvalue", "mode")
def sort(record: OpRecord) -> Work:
    """n·⌈log₂ n⌉ comparisons a row of n: a merge sort's, at most.

    The median and its kin are counted as a sort too, which is how torch finds them.
    """
    rows, length = _ordered(record)
    return Work(comparisons=rows * length * (length - 1).bit_length())


@rule("unique", "unique_consecutive")
def unique(record: OpRecord) -> Work:
    """n·⌈log₂ n⌉ comparisons for n elements, to sort them; of neighbours alone, n-1.

    How many are left depends on the values; what it takes to find out does not.
    """
    elements = prod(record.input_shapes[0])
    if record.op == "unique_consecutive":
        return Work(comparisons=max(elements - 1, 0))
    return Work(comparisons=elements * max(elements - 1, 0).bit_length())


@rule("topk")
def topk(record: OpRecord) -> Work:
    """n·⌈log₂(k + 1)⌉ comparisons a row of n: each element at most goes down a heap of k."""
    rows, length = _ordered(record)
    kept = record.attributes.get("k", 1)
    return Work(comparisons=rows * length * (kept if isinstance(kept, int) else 1).bit_length())


@rule("searchsorted", "bucketize")
def search(record: OpRecord) -> Work:
    """⌈log₂(m + 1)⌉ comparisons to find a place among m: by halves."""
    sizes = [shape[-1] for shape in record.input_shapes if shape]
    boundaries = sizes[0 if record.op == "searchsorted" else -1] if sizes else 0
    return Work(comparisons=prod(record.output_shape) * boundaries.bit_length())


@rule("cummax", "cummin")
def cumulative_extremum(record: OpRecord) -> Work:
    """One comparison per element."""
    return Work(comparisons=prod(record.output_shape))


@rule("logcumsumexp")
def cumulative_logsumexp(record: OpRecord) -> Work:
    """Per element the sum of two logarithms: a comparison, 3 operations, an exponential, a logarithm."""
    points = prod(record.output_shape)
    return Work(comparisons=points, arithmetic=3 * points, transcendental=2 * points)


@rule("scatter_add", "index_add", "scatter_reduce", "index_reduce", "segment_reduce")
def scattered_sum(record: OpRecord) -> Work:
    """One addition (or other fold) per element of the source."""
    return Work(arithmetic=prod(record.input_shapes[-1]))


@rule("histc", "bincount")
def histogram(record: OpRecord) -> Work:
    """Per element: two operations to find its bin (none for whole numbers), and one to count it."""
    return Work(arithmetic=prod(record.input_shapes[0]) * (3 if record.op == "histc" else 1))


@rule("linalg_cross")
def cross(record: OpRecord) -> Work:
    """Per element two multiplications and a subtraction."""
    return Work(arithmetic=3 * prod(record.output_shape))


@rule("trace")
def matrix_trace(record: OpRecord) -> Work:
    """An addition per element of the diagonal."""
    return Work(arithmetic=min(record.input_shapes[0]))
