"""The errors of a forward pass that failed: the layer, the function, the shapes, and the reason.

What a pass on shapes raises may be the model's own fault, or come of there being no values. Three classes
tell how much is known: a ``ShapeError`` would come of a real run, too; a ``DataDependentError`` would not;
of an ``UndecidedError`` only a real run can tell.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from resflops.errors import DataDependentError, ShapeError, TraceError
from resflops.records import OpRecord, Shape
from resflops.tracing.meta import find_tensors

__all__ = [
    "LayoutDependentError",
    "UndecidedError",
    "describe_shape",
    "make_exit_error",
    "make_layout_error",
    "make_mismatch_error",
    "make_op_error",
    "make_size_error",
    "make_weight_error",
    "name_function",
    "needs_values",
    "refuses_sizes",
]

_NEEDS_VALUES = frozenset(
    getattr(torch.Tensor, name)
    for name in (
        "item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "__contains__",
        "nonzero", "unique", "masked_select",
    )
)  # fmt: skip
"""Functions whose result depends on the elements and not only on the shapes."""


class LayoutDependentError(TraceError):
    """Something asked how a tensor lies in memory, in a pass whose tensors do not know it."""


class UndecidedError(TraceError):
    """A pass on shapes failed, and only a real run can tell whether the model would fail as well."""

    ops: Sequence[OpRecord] = ()
    """What the pass had recorded until then."""


def name_function(func: Callable[..., Any]) -> str:
    """Name a torch function in a message."""
    return str(getattr(func, "__name__", func))


def _name_layer(layer: str) -> str:
    return layer or "the model's own forward"


def _format_shape(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "a scalar"


def make_mismatch_error(func: Callable[..., Any], layer: str, error: Exception) -> ShapeError:
    """Build the error for shapes that a function does not take, according to its description."""
    return ShapeError(f"{_name_layer(layer)}: {name_function(func)}: {error}")


def make_op_error(
    func: Callable[..., Any], layer: str, args: tuple[Any, ...], error: Exception
) -> TraceError:
    """Build the error for a call that torch itself refused."""
    shapes = ", ".join(describe_shape(tensor) for tensor in find_tensors(args))
    # Torch's messages go on with advice and C++ traces; the first sentence says what is wrong.
    reason = str(error).strip().partition("\n")[0].partition(". ")[0]
    if "Long" in reason and any(tensor.is_floating_point() for tensor in find_tensors(args)):
        reason += "; resflops.shape(2, 8, dtype='int64') is a shape of whole numbers, such as tokens"
    kind = DataDependentError if func in _NEEDS_VALUES or needs_values(error) else TraceError
    return kind(f"{_name_layer(layer)}: {name_function(func)} on {shapes or 'no tensor'}: {reason}")


def describe_shape(tensor: Tensor) -> str:
    """Describe the shape of a tensor in a message."""
    # The strided kind of nested tensor has no shape to ask for.
    return "a nested tensor" if tensor.is_nested else _format_shape(tensor.shape)


def make_layout_error(func: Callable[..., Any], layer: str) -> LayoutDependentError:
    """Build the error for a question about strides or memory."""
    return LayoutDependentError(f"{_name_layer(layer)}: {name_function(func)} depends on a memory layout")


def make_exit_error(func: Callable[..., Any], layer: str, args: tuple[Any, ...]) -> DataDependentError:
    """Build the error for a call that takes a tensor's elements out of torch."""
    return DataDependentError(
        f"{_name_layer(layer)}: {name_function(func)} on {_format_shape(args[0].shape)} reads its elements"
    )


def make_weight_error(func: Callable[..., Any], layer: str) -> DataDependentError:
    """Build the error for a call that gives a tensor which the model holds another shape."""
    return DataDependentError(
        f"{_name_layer(layer)}: {name_function(func)} gives one of the model's own tensors another shape"
    )


def needs_values(error: BaseException) -> bool:
    """Whether an error means that the pass needs values, and not shapes alone."""
    # Torch has no exception type for this: only its messages say that an op has no meta kernel or
    # reads elements, and scripted code reports every error as a failure of its interpreter.
    words = ("meta tensor", "meta device", "meta()", "fake impl", "data-dependent", "torchscript interpreter")
    return isinstance(error, NotImplementedError) or any(word in str(error).lower() for word in words)


def refuses_sizes(error: BaseException) -> bool:
    """Whether torch._assert has refused sizes, as vision models do with an image of another size than theirs.

    Its condition was true or false by itself. One that follows from elements is a tensor, whose truth a pass
    on shapes does not know, so a real run of the model would end like this as well.
    """
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None or frame.tb_frame.f_code is not torch._assert.__code__:
        return False
    return type(frame.tb_frame.f_locals.get("condition")) is bool


def make_size_error(layer: str, op: str, shape: Shape) -> TraceError:
    """Build the error for an output that torch cannot make."""
    if not all(isinstance(size, int) for size in shape):
        return DataDependentError(f"{_name_layer(layer)}: {op} takes a size from a tensor")
    return ShapeError(
        f"{_name_layer(layer)}: {op} would make a tensor of {_format_shape(shape)}, "
        "more than torch can address; give a smaller input"
    )
