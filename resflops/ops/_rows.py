"""The rows that an op works along, from which its cost is counted, and the shape that is left of them."""

from math import prod
from typing import Any

from resflops.ops._call import NotDescribed, wrap_dimension
from resflops.records import OpRecord, Shape

__all__ = ["count_rows", "name_dimensions", "reduce_shape"]


def count_rows(record: OpRecord, dim: int) -> tuple[int, int]:
    """Count the rows of the first input along a dimension, and their length; a scalar is one row of one."""
    shape = record.input_shapes[0]
    length = shape[dim] if shape else 1
    return (prod(shape) // length if length else 0), length


def reduce_shape(shape: Shape, dim: Any, *, keepdim: bool) -> Shape:
    """Compute the shape that is left after folding dimensions; None or no dimension folds all of them.

    A scalar has no dimension, but torch folds one as if it had a dimension of one, and leaves a scalar.

    >>> reduce_shape((2, 8, 7, 7), (2, 3), keepdim=False), reduce_shape((2, 8), -1, keepdim=True)
    ((2, 8), (2, 1))
    >>> reduce_shape((), -1, keepdim=True)
    ()

    Raises:
        NotDescribed: there is no such dimension, or it is named twice; torch itself gives the best message.
    """
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return (1,) * len(shape) if keepdim else ()
    named = (dim,) if isinstance(dim, int) else dim
    folded = {wrap_dimension(place, max(len(shape), 1)) for place in named}
    if len(folded) < len(named):
        raise NotDescribed
    if keepdim:
        return tuple(1 if place in folded else size for place, size in enumerate(shape))
    return tuple(size for place, size in enumerate(shape) if place not in folded)


def name_dimensions(dim: Any) -> tuple[int, ...] | int | None:
    """Turn the dimensions that an op folds into an attribute: a tuple, one number, or None for all."""
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim
