"""What is said when a forward pass fails: the layer, the function, the shapes, and why."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from resflops.errors import DataDependentError, ShapeError, TraceError
from resflops.records import Shape
from resflops.tracing.meta import tensors_in

__all__ = ["failed", "leaving", "mismatched", "name_of", "needs_values", "too_large"]

_NEEDS_VALUES = frozenset(
    getattr(torch.Tensor, name)
    for name in (
        "item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "__contains__",
        "nonzero", "unique", "masked_select",
    )
)  # fmt: skip
"""Functions whose result depends on the elements and not only on the shapes."""


def name_of(func: Callable[..., Any]) -> str:
    """The name of a torch function, for a message."""
    return str(getattr(func, "__name__", func))


def _where(layer: str) -> str:
    return layer or "the model's own forward"


def _sizes(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "a scalar"


def mismatched(func: Callable[..., Any], layer: str, error: Exception) -> ShapeError:
    """A function does not take these shapes, as its description says."""
    return ShapeError(f"{_where(layer)}: {name_of(func)}: {error}")


def failed(func: Callable[..., Any], layer: str, args: tuple[Any, ...], error: Exception) -> TraceError:
    """Torch itself has refused a function."""
    shapes = ", ".join(_sizes(tensor.shape) for tensor in tensors_in(args))
    reason = str(error).strip().partition("\n")[0].partition(". ")[0]
    kind = DataDependentError if func in _NEEDS_VALUES or needs_values(error) else TraceError
    return kind(f"{_where(layer)}: {name_of(func)} on {shapes or 'no tensor'}: {reason}")


def leaving(func: Callable[..., Any], layer: str, args: tuple[Any, ...]) -> DataDependentError:
    """A tensor's elements are asked for by what is not torch."""
    return DataDependentError(
        f"{_where(layer)}: {name_of(func)} on {_sizes(args[0].shape)} takes its elements"
    )


def needs_values(error: BaseException) -> bool:
    """Whether an error says that shapes alone do not tell what happens."""
    # Torch tells it only in its messages: an op has no meta version, or it reads elements; and
    # scripted code reports whatever goes wrong in it as a failure of its interpreter.
    words = ("meta tensor", "meta device", "meta()", "fake impl", "data-dependent", "torchscript interpreter")
    return isinstance(error, NotImplementedError) or any(word in str(error).lower() for word in words)


def too_large(layer: str, op: str, shape: Shape) -> ShapeError:
    """An op's output is beyond what torch can address."""
    return ShapeError(
        f"{_where(layer)}: {op} would make a tensor of {_sizes(shape)}, "
        "more than torch can address; give a smaller input"
    )
