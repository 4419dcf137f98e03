"""Tensors made from no other tensor, or filled: only sizes and element types matter."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from resflops.ops._call import Call, NotDescribed, TensorLike, is_tensor
from resflops.ops._declaration import binding, moved_gradient, stopped_gradient
from resflops.ops._free import declare_free
from resflops.records import Shape

FAMILY = "creation"

_declare = partial(
    declare_free,
    family=FAMILY,
    reason="creation: a constant or random tensor is filled, no input is computed on",
    gradient=stopped_gradient("it makes a tensor that depends on no input"),
    saves=(),
)
# Autograd passes zeros on to what was in the tensor, and what made that works on them.
_OVERWRITES = moved_gradient()


def _read_sizes(given: Sequence[Any], named: Any) -> Shape:
    """Read sizes that are given one by one, as one sequence, or by the keyword ``size``."""
    if named is not None:
        given = (*given, named)
    if len(given) == 1 and not isinstance(given[0], int):
        given = given[0]
    if any(not isinstance(size, int) for size in given):
        raise NotDescribed
    return tuple(given)


def _create(op: str, shape: Shape, dtype: Any, out: Any = None) -> Call:
    if out is not None:
        raise NotDescribed
    return Call(op, (), shape, {}, dtype or "default")


# In the functions below, ``more`` takes keywords such as ``device``, which change neither shape nor type.
def _infer_sized(op: str) -> Callable[..., Call]:
    def infer_sized(*sizes: Any, dtype: Any = None, out: Any = None, **more: Any) -> Call:
        """Make a tensor of given sizes."""
        return _create(op, _read_sizes(sizes, more.get("size")), dtype, out)

    return infer_sized


def _infer_like(op: str) -> Callable[..., Call]:
    def infer_like(input: TensorLike, *value: Any, dtype: Any = None, **more: Any) -> Call:
        """Make a tensor of another tensor's sizes and type."""
        return _create(op, tuple(input.shape), dtype or input.dtype)

    return infer_like


def _infer_new(op: str) -> Callable[..., Call]:
    def infer_new(input: TensorLike, *sizes: Any, dtype: Any = None, **more: Any) -> Call:
        """Make a tensor of another tensor's type."""
        return _create(op, _read_sizes(sizes, more.get("size")), dtype or input.dtype)

    return infer_new


def infer_full(size: Any, fill_value: Any, *, dtype: Any = None, out: Any = None, **more: Any) -> Call:
    """Make a tensor of one value, which decides the type if none is given."""
    if is_tensor(fill_value):
        raise NotDescribed
    kind = {bool: "bool", int: "int64"}.get(type(fill_value))
    return _create("full", _read_sizes((size,), None), dtype or kind, out)


def infer_new_full(input: TensorLike, size: Any, fill_value: Any, *, dtype: Any = None, **more: Any) -> Call:
    """Make a tensor of one value and of another tensor's type."""
    return _create("new_full", _read_sizes((size,), None), dtype or input.dtype)


def infer_arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, out: Any = None, **more: Any
) -> Call:
    """Make a range of numbers in even steps."""
    if end is None:
        start, end = 0, start
    if any(type(number) is not int for number in (start, end, step)):
        raise NotDescribed
    return _create("arange", (len(range(start, end, step)),), dtype or "int64", out)


def infer_linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, out: Any = None, **more: Any
) -> Call:
    """Make a given number of numbers in even steps."""
    if is_tensor(start) or is_tensor(end):
        raise NotDescribed
    return _create("linspace", (steps,), dtype, out)


def _infer_filled(op: str) -> Callable[..., Call]:
    def infer_filled(input: TensorLike, *value: Any, **named_value: Any) -> Call:
        """Fill the tensor itself with other values."""
        return Call(op, (input,), tuple(input.shape), in_place=True)

    return infer_filled


for _op in ("zeros", "ones", "empty", "rand", "randn"):
    _declare(_op, bindings=binding(_infer_sized(_op), _op), factories=(f"*.{_op}",))
for _op in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like"):
    _declare(_op, bindings=binding(_infer_like(_op), _op), factories=(f"*.{_op}",))
for _op in ("new_zeros", "new_ones", "new_empty"):
    _declare(_op, bindings=binding(_infer_new(_op), f"Tensor.{_op}"), factories=(f"Tensor.{_op}",))
_declare("full", bindings=binding(infer_full, "full"), factories=("*.full",))
_declare("new_full", bindings=binding(infer_new_full, "Tensor.new_full"), factories=("Tensor.new_full",))
_declare("arange", bindings=binding(infer_arange, "arange"), factories=("*.arange",))
_declare("linspace", bindings=binding(infer_linspace, "linspace"), factories=("*.linspace",))
for _op in ("eye", "randint", "randperm"):
    _declare(_op, factories=(f"*.{_op}",))
_declare(
    "_efficientzerotensor", "_new_zeros_with_same_feature_meta",
    "blackman_window", "empty_permuted", "empty_strided", "hamming_window", "hann_window", "logspace",
    "multinomial", "new_empty_strided", "poisson", "randint_like", "scalar_tensor", "tensor", "tril_indices",
    "triu_indices",
)  # fmt: skip

for _op in ("zero", "fill", "normal", "uniform", "bernoulli"):
    _declare(_op, bindings=binding(_infer_filled(_op), f"Tensor.{_op}_"), gradient=_OVERWRITES)
_declare(
    "cauchy", "exponential", "geometric", "log_normal", "random", gradient=_OVERWRITES
)  # fmt: skip
