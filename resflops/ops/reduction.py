"""Reductions: sums, means, spreads and extrema, which fold dimensions."""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._call import (
    Call,
    Mismatch,
    NotDescribed,
    Promoted,
    TensorLike,
    broadcast,
    is_tensor,
    name_dtype,
    name_parts_dtype,
    wrap_dimension,
)
from resflops.ops._complex import SUMS
from resflops.ops._declaration import ANSWERS, binding, each_gradient, moved_gradient, op, stopped_gradient
from resflops.ops._elementwise import is_inexact
from resflops.ops._rows import name_dimensions, reduce_shape
from resflops.records import Attribute, OpRecord, Work

FAMILY = "reduction"


def _count_inputs(record: OpRecord) -> int:
    return prod(record.input_shapes[0])


def _count_folds(record: OpRecord) -> int:
    return max(_count_inputs(record) - prod(record.output_shape), 0)


def _infer_total(name: str) -> Callable[..., Call]:
    averages = name in ("mean", "nanmean")

    def infer_total(
        input: TensorLike, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None
    ) -> Call:
        """Fold by addition; integers and truth values add up to a long integer."""
        if dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
            # A quantised tensor has a mean, of its own type.
            if averages and ".q" not in str(input.dtype):
                raise Mismatch("the mean of integers is not defined; convert them to floating point first")
            dtype = None if averages else "int64"
        shape = reduce_shape(tuple(input.shape), axis if dim is None else dim, keepdim=keepdim)
        return Call(name, (input,), shape, {}, dtype)

    return infer_total


infer_sum = _infer_total("sum")


def total(record: OpRecord) -> Work:
    """Inputs minus outputs: n-1 additions (or multiplications) to fold n elements into one."""
    return Work(arithmetic=_count_folds(record))


def masked_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element one comparison, which tells whether it has a part in the result."""
    del operand
    return Work(comparisons=_count_inputs(record))


# A sum passes its gradient to every element.
SUM = op(
    "sum",
    family=FAMILY,
    bindings=binding(infer_sum, "*.sum"),
    aten={"sum": {"input": "self"}},
    work=total,
    on_complex=SUMS,
    gradient=moved_gradient(),
    cause="arithmetic",
    window="gathers",
    saves=(),
)

NANSUM = op(
    "nansum",
    family=FAMILY,
    bindings=binding(_infer_total("nansum"), "*.nansum"),
    aten={"nansum": {"input": "self"}},
    work=total,
    gradient=each_gradient(masked_gradient),
    saves=("input",),
)


def complex_product(record: OpRecord) -> Work:
    """Inputs less outputs: n-1 multiplications of complex numbers, 6 operations each."""
    return Work(arithmetic=6 * _count_folds(record))


def product_of_all_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element 2 arithmetic (times the product, over the element)."""
    del operand
    return Work(arithmetic=2 * _count_inputs(record))


op("hash_tensor", family=FAMILY, work=total, gradient=stopped_gradient(ANSWERS), saves=())

PROD = op(
    "prod",
    family=FAMILY,
    work=total,
    on_complex=complex_product,
    gradient=each_gradient(product_of_all_gradient),
    saves=("input", "output"),
)


def mean(record: OpRecord) -> Work:
    """n-1 additions and one division to fold n elements into one."""
    return Work(arithmetic=_count_folds(record) + prod(record.output_shape))


def mean_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


def nanmean(record: OpRecord) -> Work:
    """n-1 additions and one division to fold n elements into one.

    Outside eager mode torch runs it as a sum divided by how many elements are numbers. There it also
    compares, negates and adds up truth values, and each of these ops is counted.
    """
    return mean(record)


def nanmean_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output, one comparison per input element."""
    del operand
    return Work(arithmetic=prod(record.output_shape), comparisons=_count_inputs(record))


MEAN = op(
    "mean",
    family=FAMILY,
    bindings=binding(_infer_total("mean"), "*.mean"),
    aten={"mean": {"input": "self"}},
    work=mean,
    on_complex=SUMS,
    gradient=each_gradient(mean_gradient),
    cause="arithmetic",
    window="gathers",
    saves=(),
)

NANMEAN = op(
    "nanmean",
    family=FAMILY,
    bindings=binding(_infer_total("nanmean"), "*.nanmean"),
    aten={"nanmean": {"input": "self"}},
    work=nanmean,
    gradient=each_gradient(nanmean_gradient),
    saves=("input",),
)


def _infer_spread(name: str, *, pair: bool) -> Callable[..., Call]:
    def infer_spread(
        input: TensorLike,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Call:
        """Measure how far elements are from their mean; some functions return the mean as well."""
        if isinstance(dim, bool):
            raise NotDescribed
        shape = reduce_shape(tuple(input.shape), dim, keepdim=keepdim)
        attributes: dict[str, Attribute] = {"dim": name_dimensions(dim)}
        dtype = name_parts_dtype(input.dtype)
        if pair:
            return Call(name, (input,), shape, attributes, dtype, others=((shape, None),), pack=tuple)
        return Call(name, (input,), shape, attributes, dtype)

    return infer_spread


def variance(record: OpRecord) -> Work:
    """Per element: an addition for the mean; a subtraction, a product and an addition for the square."""
    return Work(arithmetic=4 * _count_inputs(record))


def complex_variance(record: OpRecord) -> Work:
    """Per element 8: 2 additions for the mean, 2 subtractions, 3 for the squared magnitude, an addition."""
    return Work(arithmetic=8 * _count_inputs(record))


def complex_deviation(record: OpRecord) -> Work:
    """As the variance, and one root per output."""
    return Work(arithmetic=8 * _count_inputs(record), transcendental=prod(record.output_shape))


def deviation(record: OpRecord) -> Work:
    """As the variance, and one root per output."""
    return Work(arithmetic=4 * _count_inputs(record), transcendental=prod(record.output_shape))


_SPREAD_GRADIENTS = {"var": (2, 1), "std": (2, 3), "var_mean": (3, 1), "std_mean": (3, 3)}
"""Arithmetic operations per input element, and per output element."""


def variance_gradient(record: OpRecord, operand: int) -> Work:
    """Per input element 2 (subtract the mean, scale), 3 with a mean's; per output 1, 3 for a deviation."""
    del operand
    per_input, per_output = _SPREAD_GRADIENTS[record.op]
    return Work(arithmetic=per_input * _count_inputs(record) + per_output * prod(record.output_shape))


for _name, _work, _saves in (
    ("var", variance, ("input",)),
    ("std", deviation, ("input", "output")),
    ("var_mean", variance, ("input",)),
    ("std_mean", deviation, ("input", "output")),
):
    op(
        _name,
        family=FAMILY,
        bindings=binding(_infer_spread(_name, pair=_name.endswith("_mean")), f"*.{_name}"),
        aten={_name: {"input": "self"}},
        work=_work,
        on_complex=complex_variance if _work is variance else complex_deviation,
        gradient=each_gradient(variance_gradient),
        saves=_saves,
    )


def _infer_extremum(name: str) -> Callable[..., Call]:
    def infer_extremum(input: TensorLike, dim: Any = None, keepdim: bool = False) -> Call:
        """Find the extremum of all, of each row with its index, or element by element of two tensors."""
        shape = tuple(input.shape)
        if is_tensor(dim):
            return Call(name, (input, dim), broadcast(shape, tuple(dim.shape)), {}, Promoted(input, dim))
        if dim is None:
            return Call(name, (input,), ())
        if not isinstance(dim, int):
            raise NotDescribed
        wrap_dimension(dim, max(len(shape), 1))
        out = reduce_shape(shape, dim, keepdim=keepdim)
        return Call(name, (input,), out, {"dim": dim}, others=((out, "int64"),), pack=name)

    return infer_extremum


def _read_extremum(infer: Callable[..., Call]) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of the aten op, whose overloads have different names for what they compare with."""

    def read(given: dict[str, Any]) -> Call:
        return infer(given["self"], given.get("other", given.get("dim")), given.get("keepdim", False))

    return read


def _infer_place(name: str) -> Callable[..., Call]:
    def infer_place(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Call:
        """Find the index of the extremum."""
        return Call(
            name, (input,), reduce_shape(tuple(input.shape), dim, keepdim=keepdim), {"dim": dim}, "int64"
        )

    return infer_place


def _infer_fold(name: str) -> Callable[..., Call]:
    def infer_fold(input: TensorLike, dim: Any = None, keepdim: bool = False) -> Call:
        """Fold dimensions by the operation that the op is named after."""
        shape = reduce_shape(tuple(input.shape), dim, keepdim=keepdim)
        return Call(name, (input,), shape, {"dim": name_dimensions(dim)})

    return infer_fold


def _infer_answer(name: str) -> Callable[..., Call]:
    def infer_answer(input: TensorLike, dim: Any = None, keepdim: bool = False) -> Call:
        """Fold dimensions into truth values; torch leaves them in unsigned bytes where they came so."""
        call = _infer_fold(name)(input, dim, keepdim)
        call.dtype = None if name_dtype(input.dtype) == "uint8" else "bool"
        return call

    return infer_answer


def infer_logsumexp(input: TensorLike, dim: Any, keepdim: bool = False) -> Call:
    """Fold dimensions into the logarithm of the sum of exponentials; integers give torch's default type."""
    call = _infer_fold("logsumexp")(input, dim, keepdim)
    if not is_inexact(input):
        call.dtype, call.once = "default", True
    return call


def extremum(record: OpRecord) -> Work:
    """n-1 comparisons to fold n elements into one; one per element when two tensors are compared."""
    if len(record.input_shapes) > 1:
        return Work(comparisons=prod(record.output_shape))
    return Work(comparisons=_count_folds(record))


def extremum_gradient(record: OpRecord, operand: int) -> Work:
    """One comparison per element of the result between two tensors, or of the input if all is folded.

    Along a dimension it takes nothing: the indices from the forward pass say where it goes.
    """
    if len(record.input_shapes) > 1:
        points = prod(record.output_shape)
        return Work(comparisons=points, arithmetic=points - prod(record.input_shapes[operand]))
    return Work() if len(record.output_shapes) > 1 else Work(comparisons=_count_inputs(record))


for _name in ("max", "min"):
    _infer = _infer_extremum(_name)
    op(
        _name,
        family=FAMILY,
        bindings=binding(_infer, f"*.{_name}"),
        aten={_name: _read_extremum(_infer)},
        work=extremum,
        gradient=each_gradient(extremum_gradient),
        gives_indices=True,
    )
    op(
        f"arg{_name}",
        family=FAMILY,
        bindings=binding(_infer_place(f"arg{_name}"), f"*.arg{_name}"),
        aten={f"arg{_name}": {"input": "self"}},
        work=extremum,
        gradient=stopped_gradient(ANSWERS),
        saves=(),
    )
    op(
        f"a{_name}",
        family=FAMILY,
        bindings=binding(_infer_fold(f"a{_name}"), f"*.a{_name}"),
        aten={f"a{_name}": {"input": "self"}},
        work=extremum,
        gradient=each_gradient(masked_gradient),
        window="gathers",
        saves=("input", "output"),
    )

for _name in ("all", "any"):
    op(
        _name,
        family=FAMILY,
        bindings=binding(_infer_answer(_name), f"*.{_name}"),
        # The second is what isinf(x).all() and the like become where a truth is asked of them.
        aten={_name: {"input": "self"}, f"_is_{_name}_true": {"input": "self"}},
        work=extremum,
        on_complex=SUMS,
        gradient=stopped_gradient(ANSWERS),
        saves=(),
    )

COUNT_NONZERO = op(
    "count_nonzero",
    family=FAMILY,
    work=extremum,
    on_complex=SUMS,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)

AMINMAX = op(
    "aminmax",
    family=FAMILY,
    work=extremum,
    gradient=each_gradient(masked_gradient),
    saves=("input", "output"),
)


def logsumexp(record: OpRecord) -> Work:
    """Per element: comparison, subtraction, exponential, addition; one logarithm and addition per output."""
    points, out = _count_inputs(record), prod(record.output_shape)
    return Work(
        comparisons=_count_folds(record),
        arithmetic=points + _count_folds(record) + out,
        transcendental=points + out,
    )


def logsumexp_gradient(record: OpRecord, operand: int) -> Work:
    """Per element: subtract the result, exponential, times the gradient."""
    del operand
    return Work(arithmetic=2 * _count_inputs(record), transcendental=_count_inputs(record))


LOGSUMEXP = op(
    "logsumexp",
    family=FAMILY,
    bindings=binding(infer_logsumexp, "*.logsumexp"),
    aten={"logsumexp": {"input": "self"}},
    work=logsumexp,
    gradient=each_gradient(logsumexp_gradient),
    saves=("input", "output"),
)
