"""Attention: as one op, and with the projections around it."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.ops import broadcast
from resflops.ops.softmax import infer_softmax
from resflops.records import Shape
from resflops.tracing.functions.matmul import linear, matmul
from resflops.tracing.functions.registry import (
    Call,
    Mismatch,
    NotDescribed,
    Part,
    Steps,
    describes,
    describes_operator,
)
from resflops.tracing.functions.views import chunk, split
from resflops.tracing.meta import META


@describes(F.scaled_dot_product_attention)
def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Call:
    """Attention of every query to every key; the inputs are (…, heads, length, width)."""
    del scale
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise Mismatch("its query, key and value do not go together")
    return Call(
        "scaled_dot_product_attention",
        (query, key, value),
        (*query.shape[:-1], value.shape[-1]),
        {
            "masked": attn_mask is not None,
            "mask_dims": 0 if attn_mask is None else attn_mask.dim(),
            "causal": is_causal,
            "grouped": enable_gqa,
            "dropout": dropout_p > 0.0,
        },
    )


@describes(F.multi_head_attention_forward)
def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Steps:
    """Three projections in, attention in every head, one projection out.

    Torch projects with one product where query, key and value are the same tensor, with
    two where key and value are, and with three otherwise.
    """
    if static_k is not None or static_v is not None or (bias_k is None) != (bias_v is None):
        raise NotDescribed
    batched = query.dim() == 3
    width, length = query.shape[-1], query.shape[0]
    batch = query.shape[1] if batched else 1
    _check(query, key, value, embed_dim_to_check, num_heads)
    _check_masks(attn_mask, key_padding_mask, (batch, num_heads, length, key.shape[0]))

    if use_separate_proj_weight:
        weights: tuple[Any, ...] = (q_proj_weight, k_proj_weight, v_proj_weight)
        biases = [None] * 3 if in_proj_bias is None else (yield chunk(in_proj_bias, 3))
        q, k, v = yield from _projected((query, key, value), weights, biases)
    elif in_proj_weight is None:
        raise NotDescribed
    else:
        q, k, v = yield from _projected_by_one(query, key, value, in_proj_weight, in_proj_bias)
    # One row more for a learned key and value, one for a key of zeros.
    keys = key.shape[0] + (bias_k is not None) + add_zero_attn

    q, k, v = yield _heads(q, k, v, (batch, num_heads, length, keys))
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    mask = yield from _joined(attn_mask, key_padding_mask, (batch, num_heads, length, keys))
    rate = dropout_p if training else 0.0
    weights_out: Tensor | None = None
    if need_weights:
        out, weights_out = yield from _weighted(q, k, v, mask, rate)
        if average_attn_weights:
            weights_out = yield Call("mean", (weights_out,), (batch, length, keys))
        if not batched:
            weights_out = yield Call("squeeze", (weights_out,), tuple(weights_out.shape)[1:])
    else:
        call = attention(q, k, v, mask, rate, is_causal and mask is None)
        if mask is not None:
            # Torch gives every mask the dimensions of the scores first.
            call.attributes["mask_dims"] = len(call.shape)
        out = yield call
    out = yield Call("reshape", (out,), (length, batch, width) if batched else (length, width))
    out = yield linear(out, out_proj_weight, out_proj_bias)
    return out, weights_out


def _check(query: Tensor, key: Tensor, value: Tensor, width: int, num_heads: int) -> None:
    if query.dim() not in (2, 3) or key.dim() != query.dim():
        raise NotDescribed
    if query.shape[-1] != width:
        raise Mismatch(f"takes a query of width {width}, and its query has {query.shape[-1]}")
    if width % num_heads:
        raise Mismatch(f"has {num_heads} heads, and a width of {width} does not divide into them")
    if key.shape[:-1] != value.shape[:-1] or key.shape[1:-1] != query.shape[1:-1]:
        raise Mismatch("its query, key and value do not go together")


def _check_masks(mask: Tensor | None, padding: Tensor | None, sizes: Shape) -> None:
    batch, heads, queries, keys = sizes
    if mask is not None and tuple(mask.shape) not in ((queries, keys), (batch * heads, queries, keys)):
        raise NotDescribed
    if padding is not None and tuple(padding.shape) not in ((keys,), (batch, keys)):
        raise NotDescribed


def _projected_by_one(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> Part[tuple[Tensor, Tensor, Tensor]]:
    """Query, key and value from weights stacked in one matrix."""
    width = query.shape[-1]
    if query is key is value:
        stacked = yield linear(query, weight, bias)
        q, k, v = yield chunk(stacked, 3, -1)
        return q, k, v
    if key is value:
        parts = [width, 2 * width]
        for_query, for_others = yield split(weight, parts)
        biases = (None, None) if bias is None else (yield split(bias, parts))
        q = yield linear(query, for_query, biases[0])
        stacked = yield linear(key, for_others, biases[1])
        k, v = yield chunk(stacked, 2, -1)
        return q, k, v
    weights = yield chunk(weight, 3)
    each_bias = [None] * 3 if bias is None else (yield chunk(bias, 3))
    return (yield from _projected((query, key, value), weights, each_bias))


def _projected(
    tensors: tuple[Tensor, ...], weights: Sequence[Tensor], biases: Sequence[Tensor | None]
) -> Part[tuple[Tensor, Tensor, Tensor]]:
    q = yield linear(tensors[0], weights[0], biases[0])
    k = yield linear(tensors[1], weights[1], biases[1])
    v = yield linear(tensors[2], weights[2], biases[2])
    return q, k, v


def _heads(q: Tensor, k: Tensor, v: Tensor, sizes: Shape) -> Call:
    """All three cut into heads; with keys added to those there were, that joins and copies them."""
    batch, heads, queries, keys = sizes
    width = q.shape[-1] // heads
    shape = (batch, heads, keys, width)
    return Call(
        "reshape" if keys == k.shape[0] else "cat",
        (q, k, v),
        (batch, heads, queries, width),
        others=((shape, None), (shape, None)),
        pack=tuple,
    )


def _joined(mask: Tensor | None, padding: Tensor | None, shape: Shape) -> Part[Tensor | None]:
    """The two masks as one that is added to the scores."""
    if padding is None:
        return mask
    batch, heads, queries, keys = shape
    each_head = (batch * heads, 1, keys)
    padding = yield Call("expand", (padding,), each_head)
    if mask is None or padding is None:
        return padding
    rows = (1 if mask.dim() == 2 else batch * heads, queries, keys)
    joined: Tensor = yield Call("add", (mask, padding), broadcast(rows, each_head))
    return joined


def _weighted(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rate: float
) -> Part[tuple[Tensor, Tensor]]:
    """Attention step by step, as torch runs it to hand back the weights."""
    q = yield Call("mul", (q,), tuple(q.shape))
    k = yield Call("transpose", (k,), (*k.shape[:-2], k.shape[-1], k.shape[-2]))
    if mask is None:
        scores = yield matmul(q, k)
    else:
        scores = yield Call("baddbmm", (q, k, mask), (*q.shape[:-1], k.shape[-1]))
    weights = yield infer_softmax(scores, -1)
    if rate > 0.0:
        weights = yield Call("dropout", (weights,), tuple(weights.shape), {"training": True})
    out = yield matmul(weights, v)
    return out, weights


@describes(torch._nested_tensor_from_mask_left_aligned)
def has_padding_at_the_end(tensor: Tensor, mask: Tensor) -> Steps:
    """Whether TransformerEncoder may leave out padding, which only the mask's values tell; so it stays in."""
    yield from ()
    return False


@describes_operator("flex_attention")
def flex_attention(query: Tensor, key: Tensor, value: Tensor, score_mod: Any = None, *more: Any) -> Steps:
    """Attention whose scores the user's function changes; besides, two numbers for each query.

    It is counted as dense attention, as a masked one is: which blocks a mask leaves out, only
    its values tell. The score function is counted element by element: all that it does, for
    every score. A mask's own function is not counted, nor the gradient through the scores.
    """
    groups = query.shape[1] != key.shape[1]
    scores = (*query.shape[:-1], key.shape[-2])
    if score_mod is not None and getattr(score_mod, "__name__", "") != "_identity":
        yield from _changed(score_mod, query, scores)
    call = attention(query, key, value, enable_gqa=groups)
    rows = (tuple(query.shape[:-1]), torch.float32)
    call.others, call.pack = (rows, rows), tuple
    out: tuple[Tensor, ...] = yield call
    return out


def _changed(score_mod: Any, query: Tensor, shape: Shape) -> Part[None]:
    """What a score function does; it runs on all scores at once, where it can run on shapes."""
    if query.is_meta:
        with unseen_by_dispatch_modes():
            score = torch.empty(shape, dtype=query.dtype, device=META)
            places = [torch.empty(shape, dtype=torch.int32, device=META) for _ in shape]
        try:
            score_mod(score, *places)
        except (RuntimeError, TypeError, ValueError, IndexError):
            pass
        else:
            return
    # It has no rule: never in silence.
    yield Call("flex_attention.score_mod", (query,), shape)
