"""Softmax and its logarithm."""

from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, TensorLike
from resflops.ops._declaration import binding, each_gradient, op
from resflops.ops._rows import count_rows
from resflops.records import OpRecord, Work

FAMILY = "softmax"


class Along(Attributes, frozen=True):
    """An op along one dimension."""

    dim: int


def infer_softmax(input: TensorLike, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Call:
    """Divide exponentials by their sum along a dimension."""
    return _infer("softmax", input, dim, _stacklevel, dtype)


def infer_log_softmax(
    input: TensorLike, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None
) -> Call:
    """Compute the logarithm of softmax."""
    return _infer("log_softmax", input, dim, _stacklevel, dtype)


def _infer(op: str, tensor: TensorLike, dim: Any, second: Any, dtype: Any) -> Call:
    # Without a dimension torch chooses one itself, with a warning.
    if not isinstance(dim, int):
        raise NotDescribed
    # The Tensor method takes the dtype second, where the function takes the stack level.
    kind = dtype if isinstance(second, int) else second
    return Call(op, (tensor,), tuple(tensor.shape), {"dim": dim}, kind)


def softmax_work(*, rows: int, length: int) -> Work:
    """Count the work of a softmax over rows of a length, which subtracts the largest element for safety."""
    inside = rows * length
    folds = rows * max(length - 1, 0)
    return Work(comparisons=folds, arithmetic=2 * inside + folds, transcendental=inside)


def softmax_gradient_work(*, rows: int, length: int) -> Work:
    """Count the work of a softmax's gradient over rows of a length: ``y·(y' - Σ y·y')``."""
    inside = rows * length
    return Work(arithmetic=3 * inside + rows * max(length - 1, 0))


def softmax(record: OpRecord, attributes: Along) -> Work:
    """Per element: subtract, exponential, divide; per row of n: n-1 comparisons and n-1 additions."""
    rows, length = count_rows(record, attributes.dim)
    return softmax_work(rows=rows, length=length)


def softmax_gradient(record: OpRecord, attributes: Along, operand: int) -> Work:
    """Per element 3 arithmetic (two products and a difference); per row of n: n-1 additions."""
    del operand
    rows, length = count_rows(record, attributes.dim)
    return softmax_gradient_work(rows=rows, length=length)


SOFTMAX = op(
    "softmax",
    family=FAMILY,
    attributes=Along,
    bindings=binding(infer_softmax, "*.softmax", repeated=True),
    aten={"_softmax": {"input": "self"}, "_safe_softmax": {"input": "self"}, "softmax": {"input": "self"}},
    work=softmax,
    gradient=each_gradient(softmax_gradient, takes=(0,)),
    saves=("output",),
)

# The tracer records no call as this, because torch runs it as a negation and a softmax. Traces from elsewhere
# may have it.
SOFTMIN = op(
    "softmin",
    family=FAMILY,
    attributes=Along,
    work=softmax,
    gradient=each_gradient(softmax_gradient, takes=(0,)),
    saves=("output",),
)


def log_softmax(record: OpRecord, attributes: Along) -> Work:
    """As softmax, with a subtraction in place of the division and one logarithm per row."""
    rows, length = count_rows(record, attributes.dim)
    work = softmax_work(rows=rows, length=length)
    return Work(
        comparisons=work.comparisons, arithmetic=work.arithmetic, transcendental=work.transcendental + rows
    )


def log_softmax_gradient(record: OpRecord, attributes: Along, operand: int) -> Work:
    """Per element an exponential, a product and a difference; per row of n: n-1 additions."""
    del operand
    rows, length = count_rows(record, attributes.dim)
    inside = rows * length
    return Work(arithmetic=2 * inside + rows * max(length - 1, 0), transcendental=inside)


LOG_SOFTMAX = op(
    "log_softmax",
    family=FAMILY,
    attributes=Along,
    bindings=binding(infer_log_softmax, "*.log_softmax"),
    aten={"_log_softmax": {"input": "self"}, "log_softmax": {"input": "self"}},
    work=log_softmax,
    gradient=each_gradient(log_softmax_gradient, takes=(0,)),
    saves=("output",),
)
