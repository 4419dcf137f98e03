"""Matrix products and embeddings."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.ops import broadcast
from resflops.records import Attribute, Shape
from resflops.tracing.functions.call import Call, Form, Formed
from resflops.tracing.functions.registry import Mismatch, NotDescribed, describes, named


@describes(F.linear)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Formed:
    """``input · weightᵀ + bias``, over the last dimension."""
    form = _linear(input.dtype, input.shape, weight.shape, bias is not None)
    return Formed(form, (input, weight), (bias,))


@lru_cache(maxsize=1 << 14)
def _linear(dtype: torch.dtype, shape: Shape, kernel: Shape, bias: bool) -> Form:
    """The form of a linear layer."""
    if shape[-1] != kernel[-1]:
        raise Mismatch(f"takes {kernel[-1]} input features, and its input has {shape[-1]}")
    attributes: dict[str, Attribute] = {"bias": bias}
    return Form.single("linear", (shape, kernel), (*shape[:-1], *kernel[:-1]), dtype, attributes)


@describes(*named("matmul", "__matmul__", "mm", "bmm", "mv", "dot"), repeated=True)
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


def _with_bias(op: str, left: Tensor, right: Tensor, bias: Tensor) -> Call:
    if left.shape[-1] != right.shape[-2]:
        raise NotDescribed
    return Call(op, (left, right, bias), (*left.shape[:-1], right.shape[-1]))


@describes(*named("addmm"))
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Call:
    """``beta·input + alpha·(mat1 · mat2)``; the factors are part of the product's last step."""
    return _with_bias("addmm", mat1, mat2, input)


@describes(*named("baddbmm"))
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Call:
    """As ``addmm``, for a batch of matrices."""
    return _with_bias("baddbmm", batch1, batch2, input)


# Torch has it since 2.8.
@describes(*named("_grouped_mm"))
def grouped_mm(
    input: Tensor,
    mat2: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Call:
    """Rows in groups, each group times a matrix of its own."""
    if input.dim() != 2 or mat2.dim() != 3 or bias is not None or input.shape[-1] != mat2.shape[-2]:
        raise NotDescribed
    return Call("_grouped_mm", (input, mat2), (input.shape[0], mat2.shape[-1]), {}, out_dtype)


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


@describes(F.embedding_bag)
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Call:
    """The rows of a bag of indices, folded into one: a row of ``input``, or a stretch between offsets."""
    if max_norm is not None or weight.dim() != 2 or not weight.dtype.is_floating_point:
        raise NotDescribed
    if input.dim() == 2:
        bags = input.shape[0]
    elif offsets is None:
        raise NotDescribed
    else:
        bags = offsets.shape[0] - include_last_offset
    attributes: dict[str, Attribute] = {"mode": mode, "weighted": per_sample_weights is not None}
    return Call("embedding_bag", (input, weight), (bags, weight.shape[1]), attributes, weight.dtype)


@describes(F.one_hot)
def one_hot(tensor: Tensor, num_classes: int = -1) -> Call:
    """A row of zeros with a one for every index. Without a number of classes the values decide."""
    if num_classes < 1:
        raise NotDescribed
    return Call("one_hot", (tensor,), (*tensor.shape, num_classes))
