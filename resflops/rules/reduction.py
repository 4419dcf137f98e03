"""Sums, means, maxima and softmax: ops that fold a dimension."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule


def softmax_work(*, rows: int, length: int) -> Work:
    """The work of a numerically safe softmax over rows of a length."""
    inside = rows * length
    folds = rows * max(length - 1, 0)
    return Work(comparisons=folds, arithmetic=2 * inside + folds, transcendental=inside)


def _row_length(record: OpRecord) -> int:
    shape = record.input_shapes[0]
    dim = record.attributes.get("dim", -1)
    return shape[dim] if shape and isinstance(dim, int) else 1


@rule("softmax", "softmin")
def softmax(record: OpRecord) -> Work:
    """Per element: subtract, exponential, divide; per row of n: n-1 comparisons and n-1 additions."""
    length = _row_length(record)
    points = prod(record.input_shapes[0])
    return softmax_work(rows=points // length if length else 0, length=length)


@rule("log_softmax")
def log_softmax(record: OpRecord) -> Work:
    """As softmax, with a subtraction in place of the division and one logarithm per row."""
    work = softmax(record)
    length = _row_length(record)
    rows = prod(record.input_shapes[0]) // length if length else 0
    return Work(
        comparisons=work.comparisons, arithmetic=work.arithmetic, transcendental=work.transcendental + rows
    )


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


@rule("amax", "amin", "aminmax", "argmax", "argmin", "max", "min", "all", "any")
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
