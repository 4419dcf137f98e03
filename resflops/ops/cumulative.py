"""Running sums, products and extrema."""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._call import Call, TensorLike
from resflops.ops._complex import SUMS
from resflops.ops._declaration import binding, each_gradient, op
from resflops.records import OpRecord, Work

FAMILY = "cumulative"


def _infer_running(name: str) -> Callable[..., Call]:
    def infer_running(input: TensorLike, dim: int, *, dtype: Any = None) -> Call:
        """Fold what stands before each element into it; integers and truth values become long integers."""
        if dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
            dtype = "int64"
        return Call(name, (input,), tuple(input.shape), {"dim": dim}, dtype)

    return infer_running


def running_total(record: OpRecord) -> Work:
    """One addition (or multiplication) per element."""
    return Work(arithmetic=prod(record.output_shape))


def complex_running_product(record: OpRecord) -> Work:
    """One multiplication of complex numbers per element, 6 operations each."""
    return Work(arithmetic=6 * prod(record.output_shape))


def running_sum_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element: the running sum from the other end."""
    del operand
    return Work(arithmetic=prod(record.input_shapes[0]))


def running_product_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element 3 arithmetic: times the product, a running sum from the other end, over it."""
    del operand
    return Work(arithmetic=3 * prod(record.input_shapes[0]))


CUMSUM = op(
    "cumsum",
    family=FAMILY,
    bindings=binding(_infer_running("cumsum"), "*.cumsum"),
    aten={"cumsum": {"input": "self"}},
    work=running_total,
    on_complex=SUMS,
    gradient=each_gradient(running_sum_gradient),
    saves=(),
)

CUMPROD = op(
    "cumprod",
    family=FAMILY,
    bindings=binding(_infer_running("cumprod"), "*.cumprod"),
    aten={"cumprod": {"input": "self"}},
    work=running_total,
    on_complex=complex_running_product,
    gradient=each_gradient(running_product_gradient),
    saves=("input", "output"),
)


def running_extremum(record: OpRecord) -> Work:
    """One comparison per element."""
    return Work(comparisons=prod(record.output_shape))


def running_extremum_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element, to where the extremum was found."""
    del operand
    return Work(arithmetic=prod(record.input_shapes[0]))


for _name in ("cummax", "cummin"):
    op(
        _name,
        family=FAMILY,
        work=running_extremum,
        gradient=each_gradient(running_extremum_gradient, takes=(0,)),
        saves=("input", "indices"),
        gives_indices=True,
    )


def running_logsumexp(record: OpRecord) -> Work:
    """Per element the sum of two logarithms: a comparison, 3 operations, an exponential, a logarithm."""
    points = prod(record.output_shape)
    return Work(comparisons=points, arithmetic=3 * points, transcendental=2 * points)


LOGCUMSUMEXP = op("logcumsumexp", family=FAMILY, work=running_logsumexp, saves=("input", "output"))
