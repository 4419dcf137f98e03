"""torch's own multi-head attention as a GPU runs it.

It calls attention and dropout where no mode for functions sees them, and in inference it goes to one fused op
instead, which it does not do while such a mode is on.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

__all__ = ["replace_calls", "use_fused_attention"]

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def replace_calls(
    function: Callable[..., Any], replaced: dict[str, Callable[..., Any]]
) -> Callable[..., Any]:
    """Copy a function of Python's so that it calls others by some names; itself stays as it is."""
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function!r} has no code to copy")
    copied = FunctionType(
        function.__code__, {**function.__globals__, **replaced}, function.__name__,
        function.__defaults__, function.__closure__,
    )  # fmt: skip
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def use_fused_attention(model: nn.Module, attend: Attend) -> None:
    """Let the modules of a copy take the way in inference that they take on a GPU, wherever they can."""
    for module in model.modules():
        if (
            isinstance(module, nn.MultiheadAttention)
            and type(module).forward is nn.MultiheadAttention.forward
        ):
            vars(module)["forward"] = partial(_forward, module, module.forward, attend)


def _forward(
    module: nn.MultiheadAttention, own: Callable[..., Any], attend: Attend, query: Tensor, key: Tensor,
    value: Tensor, key_padding_mask: Tensor | None = None, need_weights: bool = True,  # noqa: FBT001, FBT002
    attn_mask: Tensor | None = None, *args: Any, **kwargs: Any,
) -> Any:  # fmt: skip
    if (
        need_weights
        or key_padding_mask is not None
        or attn_mask is not None
        or query is not key
        or key is not value
        or not _has_fused_op(module, query)
    ):
        return own(query, key, value, key_padding_mask, need_weights, attn_mask, *args, **kwargs)
    return _run_fused_op(module, attend, query), None


def _has_fused_op(module: nn.MultiheadAttention, query: Tensor) -> bool:
    """Say whether a GPU would run one op, by the conditions of the module's forward function."""
    return (
        torch.backends.mha.get_fastpath_enabled()
        and query.dim() == 3
        and module.batch_first
        and module._qkv_same_embed_dim
        and module.in_proj_bias is not None
        and query.dtype is module.in_proj_weight.dtype
        and not module.training
        and module.num_heads % 2 == 0
        and module.bias_k is None
        and not module.add_zero_attn
        and not torch.is_autocast_enabled("cpu")
        and not torch.is_grad_enabled()
    )


def _run_fused_op(module: nn.MultiheadAttention, attend: Attend, query: Tensor) -> Tensor:
    """Do what ``native_multi_head_attention_cuda`` does with a fused kernel, step by step.

    All that it makes is there until it ends.
    """
    batch, length, width = query.shape
    packed = linear(query, module.in_proj_weight, module.in_proj_bias)
    heads = [part.view(batch, length, module.num_heads, -1).transpose(1, 2) for part in packed.chunk(3, -1)]
    joined = attend(heads[0], heads[1], heads[2]).transpose(1, 2).reshape(batch, length, width)
    return linear(joined, module.out_proj.weight, module.out_proj.bias)
