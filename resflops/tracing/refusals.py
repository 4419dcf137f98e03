"""What a call that torch refuses in a pass on shapes says of the model.

Torch has no exception type for a function that refuses tensors without values. So the function is asked
again, alone, on small real tensors of the same shapes and strides. Where that works, it was for want of
values that it refused. Where it fails in the same words, the model itself is wrong.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch._ops import HigherOrderOperator
from torch.utils._pytree import tree_leaves, tree_map_only

from resflops.errors import DataDependentError, TraceError
from resflops.tracing.call_through import call_through
from resflops.tracing.failures import UndecidedError, make_layout_error, make_op_error
from resflops.tracing.generators import preserve_generators
from resflops.tracing.meta import find_tensors

__all__ = ["judge_refusal"]

_MOST_BYTES = 1 << 28
"""How much memory the real tensors may take. Beyond it the function is not asked."""


def judge_refusal(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    layer: str,
    error: Exception,
    *,
    knows_layouts: bool,
) -> tuple[TraceError, bool]:
    """Judge a call that failed on meta.

    Args:
        func: the function.
        args: its arguments, on meta.
        kwargs: those by keyword.
        layer: the layer that called it.
        error: what it raised.
        knows_layouts: whether the tensors have the strides that they would have in a real run.

    Returns:
        The error that the trace ends with, and whether a real run would raise what the function has raised.
    """
    described = make_op_error(func, layer, args, error)
    if isinstance(described, DataDependentError):
        return described, False
    real_errors = list(_call_on_values(func, args, kwargs))
    if None in real_errors:
        return DataDependentError(str(described)), False
    if not knows_layouts:
        return make_layout_error(func, layer), False
    if any(type(each) is type(error) and str(each) == str(error) for each in real_errors):
        return described, True
    return UndecidedError(str(described)), False


def _call_on_values(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Exception | None]:
    """Call a function on zeros, and then on ones, which lengths may well be; give what it raised, or None.

    It is not called at all if its tensors are too large, or if it would call the user's code.
    """
    tensors = list(find_tensors((args, kwargs)))
    if any(map(_calls_back, (func, *tree_leaves((args, kwargs))))) or not all(map(_is_plain, tensors)):
        return
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > _MOST_BYTES:
        return
    for value in (0, 1):
        # What it draws here is no draw of the model's.
        with DisableTorchFunction(), unseen_by_dispatch_modes(), preserve_generators():
            try:
                real_args, real_kwargs = tree_map_only(Tensor, _make_filler(value), (args, kwargs))
                # A function that was asked for a tensor on another device would make it there.
                real_args, real_kwargs = tree_map_only(torch.device, lambda _: _CPU, (real_args, real_kwargs))
                call_through(func, real_args, real_kwargs)
            except Exception as error:  # noqa: BLE001 - it may raise anything, as it did on meta
                yield error
            else:
                yield None
                return


_CPU = torch.device("cpu")


def _make_filler(value: int) -> Callable[[Tensor], Tensor]:
    def fill(tensor: Tensor) -> Tensor:
        # As much memory as the strides span: an expanded tensor has more elements than that.
        spanned = 1 + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
        whole = torch.full((spanned if tensor.numel() else 0,), value, dtype=tensor.dtype, device=_CPU)
        return whole.as_strided(tensor.shape, tensor.stride())

    return fill


def _calls_back(argument: object) -> bool:
    """Whether an argument is code that is not torch's own."""
    if isinstance(argument, HigherOrderOperator):
        return True
    home = str(getattr(argument, "__module__", None) or "torch")
    return callable(argument) and not isinstance(argument, Tensor) and not home.startswith("torch")


def _is_plain(tensor: Tensor) -> bool:
    return (
        type(tensor) in (Tensor, torch.nn.Parameter)
        and tensor.is_meta
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and not tensor.is_quantized
    )
