"""Masks of ``torch.nn.attention.bias``, which in torch 2.6 answer for attention alone.

There such a mask raises on any other question, its layout among them, and a recorder asks that of every
operand. Later versions answer, and so does a mask in a trace.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any

from torch._C import DisableTorchFunctionSubclass
from torch.nn.functional import scaled_dot_product_attention

from resflops.tracing.redirections import find_recorder, redirect_value

__all__ = ["answer_as_a_tensor"]


@redirect_value("torch.nn.attention.bias", "CausalBias.__torch_function__")
def answer_as_a_tensor(own: Callable[..., Any]) -> Callable[..., Any]:
    """Let the masks speak for attention, and be plain tensors to all else."""

    def answer(
        cls: type,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is scaled_dot_product_attention or find_recorder() is None:
            return own(func, types, args, kwargs)
        with DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    # Torch wants a method of the class, and this one is the same each time that it is looked up.
    return MethodType(answer, own.__self__)  # type: ignore[attr-defined]
