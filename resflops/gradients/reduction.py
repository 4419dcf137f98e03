"""Gradients of sums, means, maxima and softmax."""

from math import prod

from resflops.gradients.registry import gradient_rule, moves_gradient
from resflops.records import OpRecord, Work


def _points(record: OpRecord) -> int:
    return prod(record.input_shapes[0])


# A sum hands its gradient to every element; a scattered one looks each source's up.
moves_gradient("sum", "trace")
moves_gradient("scatter_add", "index_add")


@gradient_rule("nansum", "amax", "amin", "aminmax")
def masked_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element one comparison, which tells whether it has a part in the result."""
    del operand
    return Work(comparisons=_points(record))


@gradient_rule("max", "min")
def extremum_gradient(record: OpRecord, operand: int) -> Work:
    """One comparison per element of the result between two tensors, or of the input if all is folded.

    Along a dimension nothing: the indices that the forward pass gives say where it goes.
    """
    if len(record.input_shapes) > 1:
        points = prod(record.output_shape)
        return Work(comparisons=points, arithmetic=points - prod(record.input_shapes[operand]))
    return Work() if len(record.output_shapes) > 1 else Work(comparisons=_points(record))


@gradient_rule("mean")
def mean_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


@gradient_rule("nanmean")
def nanmean_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output, one comparison per input element."""
    del operand
    return Work(arithmetic=prod(record.output_shape), comparisons=_points(record))


@gradient_rule("prod", "cumprod")
def product_of_all_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element 2 arithmetic (times the product, over the element), 3 for running products."""
    del operand
    return Work(arithmetic=(3 if record.op == "cumprod" else 2) * _points(record))


@gradient_rule("cumsum")
def running_sum_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element: the running sum from the other end."""
    del operand
    return Work(arithmetic=_points(record))


@gradient_rule("var", "std", "var_mean", "std_mean")
def variance_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element 2 (subtract the mean, scale), 3 with a mean's; per output 1, 3 for a deviation."""
    del operand
    each = 3 if record.op.endswith("_mean") else 2
    outputs = 3 if record.op.startswith("std") else 1
    return Work(arithmetic=each * _points(record) + outputs * prod(record.output_shape))


@gradient_rule("logsumexp")
def logsumexp_gradient(record: OpRecord, operand: int) -> Work:
    """Per element: subtract the result, exponential, times the gradient."""
    del operand
    return Work(arithmetic=2 * _points(record), transcendental=_points(record))


@gradient_rule("norm", "linalg_vector_norm")
def vector_norm_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output, one multiplication per input element: those of the Euclidean norm."""
    del operand
    return Work(arithmetic=_points(record) + prod(record.output_shape))


@gradient_rule("linalg_cross")
def cross_gradient(record: OpRecord, operand: int) -> Work:
    """Per element 3 arithmetic: another cross product for each factor."""
    del operand
    return Work(arithmetic=3 * prod(record.output_shape))


moves_gradient("sort", "median", "nanmedian", "kthvalue", "mode", "topk", takes=(0,))


@gradient_rule("cummax", "cummin", takes=(0,))
def running_extremum_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element, to where the extremum was found."""
    del operand
    return Work(arithmetic=_points(record))
