"""What eager code calls where a TorchScript graph has an op of torch's inside: the recorder describes that.

Tracing a module without gradients writes down the kernels that torch takes for whole attention layers. They
are counted as the ops of the layer, which is what the module itself is counted as.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from resflops.tracing.torchscript.values import find_dtype

__all__ = ["EAGER_FORMS"]


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,  # noqa: FBT001 - the order of the op's schema, here and below
    output_padding: list[int],
    groups: int,
    *_: bool,
) -> Tensor:
    name = f"conv{'_transpose' if transposed else ''}{weight.dim() - 2}d"
    convolve: Callable[..., Tensor] = getattr(functional, name)
    # In tuples, as layers have them.
    stride, padding, dilation = tuple(stride), tuple(padding), tuple(dilation)
    if transposed:
        return convolve(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return convolve(x, weight, bias, stride, padding, dilation, groups)


def _select(x: Tensor, dim: int, index: int) -> Tensor:
    return x[(slice(None),) * (dim % x.dim()) + (index,)]


def _slice(
    x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    return x[(slice(None),) * (dim % x.dim()) + (slice(start, end, step),)]


def _index(x: Tensor, indices: list[Tensor | None]) -> Tensor:
    return x[tuple(slice(None) if index is None else index for index in indices)]


def _make_tensor(
    data: Any,
    dtype: int | None = None,
    device: torch.device | None = None,
    requires_grad: bool = False,  # noqa: FBT001, FBT002
) -> Tensor:
    """Make a tensor of numbers. Torch's op fills it at once, and dies of one that has no memory."""
    return torch.tensor(data, dtype=find_dtype(dtype), device=device, requires_grad=requires_grad)


def _make_as_tensor(data: Any, dtype: int | None = None, device: torch.device | None = None) -> Tensor:
    return torch.as_tensor(data, dtype=find_dtype(dtype), device=device)


_PADDING_MASK = 1


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_heads: int,
    in_weight: Tensor,
    in_bias: Tensor,
    out_weight: Tensor,
    out_bias: Tensor,
    mask: Tensor | None = None,
    need_weights: bool = True,  # noqa: FBT001, FBT002
    average_attn_weights: bool = True,  # noqa: FBT001, FBT002
    mask_type: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Do what ``nn.MultiheadAttention`` does, batch first."""
    same = query is key and key is value
    query, key, value = (
        (query.transpose(1, 0),) * 3 if same else (x.transpose(1, 0) for x in (query, key, value))
    )
    out, weights = functional.multi_head_attention_forward(
        query, key, value, embed_dim, num_heads, in_weight, in_bias, None, None, False,  # noqa: FBT003
        0.0, out_weight, out_bias, training=False, need_weights=need_weights,
        key_padding_mask=mask if mask_type == _PADDING_MASK else None,
        attn_mask=None if mask_type == _PADDING_MASK else mask,
        average_attn_weights=average_attn_weights,
    )  # fmt: skip
    return out.transpose(1, 0), weights


def _encode(
    x: Tensor,
    embed_dim: int,
    num_heads: int,
    in_weight: Tensor,
    in_bias: Tensor,
    out_weight: Tensor,
    out_bias: Tensor,
    use_gelu: bool,  # noqa: FBT001
    norm_first: bool,  # noqa: FBT001
    eps: float,
    norm1_weight: Tensor,
    norm1_bias: Tensor,
    norm2_weight: Tensor,
    norm2_bias: Tensor,
    linear1_weight: Tensor,
    linear1_bias: Tensor,
    linear2_weight: Tensor,
    linear2_bias: Tensor,
    mask: Tensor | None = None,
    mask_type: int | None = None,
) -> Tensor:
    """Do what ``nn.TransformerEncoderLayer`` does."""

    def norm1(x: Tensor) -> Tensor:
        return functional.layer_norm(x, (embed_dim,), norm1_weight, norm1_bias, eps)

    def norm2(x: Tensor) -> Tensor:
        return functional.layer_norm(x, (embed_dim,), norm2_weight, norm2_bias, eps)

    def attend(x: Tensor) -> Tensor:
        return _attend(
            x, x, x, embed_dim, num_heads, in_weight, in_bias, out_weight, out_bias, mask, False,  # noqa: FBT003
            mask_type=mask_type,
        )[0]  # fmt: skip

    def feed_forward(x: Tensor) -> Tensor:
        activate = functional.gelu if use_gelu else functional.relu
        return functional.linear(
            activate(functional.linear(x, linear1_weight, linear1_bias)), linear2_weight, linear2_bias
        )

    if norm_first:
        x = x + attend(norm1(x))
        return x + feed_forward(norm2(x))
    x = norm1(x + attend(x))
    return norm2(x + feed_forward(x))


EAGER_FORMS: dict[str, Callable[..., Any]] = {
    "_convolution": _convolve,
    "select": _select,
    "slice": _slice,
    "index": _index,
    "set_grad_enabled": torch._C._set_grad_enabled,
    "is_grad_enabled": torch.is_grad_enabled,
    "tensor": _make_tensor,
    "as_tensor": _make_as_tensor,
    "_native_multi_head_attention": _attend,
    "_transformer_encoder_layer_fwd": _encode,
}
"""By the names of the aten ops, with the arguments of these in their order."""
