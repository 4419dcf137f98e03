"""Attention as torch's CPU runs it while autograd records: one fused kernel, and one for its gradients.

On tensors without memory torch writes attention out as products and a softmax. A backward pass through those
has other ops than one that is run, and a counter that goes by kernels sees other work in it.
"""

import torch
from torch import Tensor

# By its name, since a pass replaces it in its module.
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["SHARES_KEYS", "attend"]

_DIMENSIONS = (3, 4) if torch.__version__ >= "2.14" else (4,)
"""How many dimensions the kernel takes."""
SHARES_KEYS = torch.__version__ >= "2.9"
"""Whether it lets several queries share a key."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attend by the fused kernel where torch would on the CPU, else as it does on tensors without memory."""
    if not _is_fused(query, key, value, attn_mask, dropout_p, enable_gqa=enable_gqa):
        result: Tensor = scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
        return result
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.where(attn_mask, 0.0, torch.scalar_tensor(-torch.inf, dtype=query.dtype))
    heads = 1 if query.dim() == 3 else None
    if heads:
        query, key, value = (each.unsqueeze(1) for each in (query, key, value))
    result, _ = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
    )
    return result.squeeze(1) if heads else result


def _is_fused(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, *, enable_gqa: bool
) -> bool:
    """Whether the kernel accepts an attention.

    The conditions are those of ``use_flash_attention_cpp`` in
    ``aten/src/ATen/native/transformers/sdp_utils_cpp.cpp``.
    """
    all_three = (query, key, value)
    if not torch._C._get_flash_sdp_enabled() or dropout or query.dim() not in _DIMENSIONS:
        return False
    if any(each.dim() != query.dim() or not each.numel() or each.stride(-1) != 1 for each in all_three):
        return False
    if len({each.shape[-1] for each in all_three}) > 1 or len({each.shape[0] for each in all_three}) > 1:
        return False
    shares = enable_gqa and SHARES_KEYS
    if query.dim() == 4 and not shares and len({each.shape[1] for each in all_three}) > 1:
        return False
    return mask is None or (mask.dim() in (2, 4) and not mask.requires_grad)
