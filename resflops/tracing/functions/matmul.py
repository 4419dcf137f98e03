"""Matrix products, attention and embeddings."""

import torch.nn.functional as F
from torch import Tensor

from resflops.records import Shape
from resflops.tracing.functions.registry import Call, Mismatch, NotDescribed, describes, named


@describes(F.linear)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Call:
    """``input · weightᵀ + bias``, over the last dimension."""
    shape, kernel = input.shape, weight.shape
    if shape[-1] != kernel[-1]:
        raise Mismatch(f"takes {kernel[-1]} input features, and its input has {shape[-1]}")
    return Call("linear", (input, weight), (*shape[:-1], *kernel[:-1]), {"bias": bias is not None})


def broadcast(left: Shape, right: Shape) -> Shape:
    """The shape that two shapes broadcast to.

    >>> broadcast((8, 1, 6), (7, 1))
    (8, 7, 6)
    """
    if left == right:
        return left
    if len(left) < len(right):
        left, right = right, left
    head = len(left) - len(right)
    out = list(left)
    for place, size in enumerate(right, head):
        if out[place] == 1:
            out[place] = size
        elif size not in (1, out[place]):
            raise Mismatch(
                f"shapes {'×'.join(map(str, left))} and {'×'.join(map(str, right))} do not go together"
            )
    return tuple(out)


@describes(*named("matmul", "__matmul__", "mm", "bmm", "mv", "dot"))
def matmul(input: Tensor, other: Tensor) -> Call:
    """All of torch.matmul: vectors, matrices and broadcast batches."""
    left, right = tuple(input.shape), tuple(other.shape)
    if not left or not right:
        raise NotDescribed
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise Mismatch(
            f"{'×'.join(map(str, left))} times {'×'.join(map(str, right))} has no matching dimension"
        )
    batch = broadcast(left[:-2], right[:-2])
    return Call("matmul", (input, other), (*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())))


@describes(*named("addmm", "baddbmm"))
def matmul_with_bias(
    input: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1
) -> Call:
    """``beta·input + alpha·(left · right)``."""
    if beta != 1 or alpha != 1 or left.shape[-1] != right.shape[-2]:
        raise NotDescribed
    op = "addmm" if len(left.shape) == 2 else "baddbmm"
    return Call(op, (left, right, input), (*left.shape[:-1], right.shape[-1]))


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
    del dropout_p, scale
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise Mismatch("its query, key and value do not go together")
    return Call(
        "scaled_dot_product_attention",
        (query, key, value),
        (*query.shape[:-1], value.shape[-1]),
        {"masked": attn_mask is not None, "causal": is_causal, "grouped": enable_gqa},
    )


@describes(F.embedding)
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Call:
    """A row of the weight for every index."""
    del padding_idx, norm_type, scale_grad_by_freq, sparse
    if max_norm is not None:
        raise NotDescribed
    return Call("embedding", (input, weight), (*input.shape, weight.shape[1]), dtype=weight.dtype)
