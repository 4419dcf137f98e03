"""Rows looked up in a table, and one-hot vectors, which are their opposite."""

from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, TensorLike
from resflops.ops._declaration import ANSWERS, binding, each_gradient, op, stopped_gradient
from resflops.ops._free import COPY
from resflops.records import Attribute, OpRecord, Work

FAMILY = "embedding"

_WEIGHT = 1


BAG_MODES = ("sum", "mean", "max")
"""The modes in the order in which torch's own op numbers them."""


class Bag(Attributes, frozen=True):
    """How the rows of a bag are folded into one."""

    mode: str
    """``sum``, ``mean`` or ``max``."""
    weighted: bool
    """Whether each row has a weight."""


def infer_embedding(
    input: TensorLike,
    weight: TensorLike,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Call:
    """Look up a row of the weight for every index."""
    del padding_idx, norm_type, scale_grad_by_freq, sparse
    # With a largest norm, torch first scales rows of the weight in place, and the values decide which.
    if max_norm is not None:
        raise NotDescribed
    return Call("embedding", (input, weight), (*input.shape, weight.shape[1]), dtype=weight.dtype)


def embedding_gradient(record: OpRecord, operand: int) -> Work:
    """Weight: one addition per output element, which puts each row's gradient back in its place."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


EMBEDDING = op(
    "embedding",
    family=FAMILY,
    bindings=binding(infer_embedding, "nn.functional.embedding"),
    aten={"embedding": {"input": "indices"}},
    free=COPY,
    gradient=each_gradient(embedding_gradient, takes=(_WEIGHT,)),
    saves=("indices",),
)


def infer_embedding_bag(
    input: TensorLike,
    weight: TensorLike,
    offsets: TensorLike | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: TensorLike | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Call:
    """Fold the rows of each bag of indices into one; a bag is a row of ``input``, or lies between offsets."""
    del norm_type, scale_grad_by_freq, sparse, padding_idx
    if max_norm is not None or weight.dim() != 2 or not weight.dtype.is_floating_point:
        raise NotDescribed
    if input.dim() == 2:
        bags = input.shape[0]
    elif offsets is None:
        raise NotDescribed
    else:
        bags = offsets.shape[0] - include_last_offset
    return _call_bag(input, weight, bags, mode, per_sample_weights)


def _call_bag(indices: TensorLike, weight: TensorLike, bags: int, mode: str, weights: object) -> Call:
    attributes: dict[str, Attribute] = {"mode": mode, "weighted": weights is not None}
    return Call("embedding_bag", (indices, weight), (bags, weight.shape[1]), attributes, weight.dtype)


def _infer_aten_bag(given: dict[str, Any]) -> Call:
    """Read the aten op, which always takes offsets, also for the rows of a matrix, and numbers the modes."""
    bags = given["offsets"].shape[0] - bool(given["include_last_offset"])
    mode = BAG_MODES[given["mode"]]
    return _call_bag(given["indices"], given["weight"], bags, mode, given["per_sample_weights"])


def embedding_bag(record: OpRecord, attributes: Bag) -> Work:
    """Rows of a table folded into one per bag: n-1 additions or comparisons, and a division for the mean.

    A weight per row takes one multiplication per element of the row. There are no MACs, because
    the rows are looked up and not multiplied by a matrix.
    """
    indices, table = record.input_shapes[:2]
    width, bags = table[-1], record.output_shape[0]
    rows = prod(indices)
    folds = max(rows - bags, 0) * width
    if attributes.mode == "max":
        return Work(comparisons=folds)
    weighted = rows * width if attributes.weighted else 0
    means = bags * width if attributes.mode == "mean" else 0
    return Work(arithmetic=folds + weighted + means)


def embedding_bag_gradient(record: OpRecord, attributes: Bag, operand: int) -> Work:
    """Weight: one addition per element of every row looked up; a division for a mean, a product for weights.

    For a maximum, one row per element has the gradient.
    """
    del operand
    width, bags = record.output_shape[-1], record.output_shape[0]
    rows = prod(record.input_shapes[0])
    if attributes.mode == "max":
        return Work(arithmetic=bags * width)
    weighted = rows * width if attributes.weighted else 0
    means = bags * width if attributes.mode == "mean" else 0
    return Work(arithmetic=rows * width + weighted + means)


EMBEDDING_BAG = op(
    "embedding_bag",
    family=FAMILY,
    attributes=Bag,
    bindings=binding(infer_embedding_bag, "nn.functional.embedding_bag"),
    aten={"_embedding_bag": _infer_aten_bag, "_embedding_bag_forward_only": _infer_aten_bag},
    work=embedding_bag,
    gradient=each_gradient(embedding_bag_gradient, takes=(_WEIGHT,)),
    saves=("indices",),
)


def infer_one_hot(tensor: TensorLike, num_classes: int = -1) -> Call:
    """Make a row of zeros with a one for every index; without a number of classes, the values decide.

    Below this function torch compares every index with every class if it has only shapes, and
    the comparisons are counted; with values it puts the ones in their places.
    """
    if num_classes < 1:
        raise NotDescribed
    return Call("one_hot", (tensor,), (*tensor.shape, num_classes))


ONE_HOT = op(
    "one_hot",
    family=FAMILY,
    # An exported model calls the second name.
    bindings=binding(infer_one_hot, "nn.functional.one_hot", "ops.aten.one_hot.default"),
    free=COPY,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)
