"""Says of every op of a trace which kind it is of and how large it is, in the terms that decide its time."""

from collections.abc import Callable
from math import prod

from msgspec import Struct

from resflops.ops import is_free, is_of_family
from resflops.records import OpRecord, Work

__all__ = [
    "CHANNELS_LAST",
    "COPY",
    "IN_PLACE",
    "MODULE",
    "VIEW",
    "SizedOp",
    "classify_op",
    "count_moved",
    "stand_in",
]

COPY, VIEW, MODULE = "copy", "view", "module call"
"""The kinds that are no single op: elements that are copied, ops that move none, and calls of modules."""

IN_PLACE, CHANNELS_LAST = " in place", ", channels last"
"""What the name of a kind ends with that differs in how its tensors lie."""

CONVOLUTION_KINDS = ("1×1 convolution", "convolution", "grouped convolution", "depthwise convolution")

POOLING = {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"}
ROWS = {"batch_norm", "layer_norm", "group_norm", "softmax", "mean"}
VIEWS = {"dropout"}
"""Ops that give their input back in inference, though they are declared to compute something."""

SAME_KERNEL = {"sub": "add", "rsub": "add", "relu6": "hardtanh", "bmm": "matmul", "mm": "matmul"}
"""Ops that take as long as others of the same sizes."""


class SizedOp(Struct, frozen=True, array_like=True):
    """An op by its kind, such as ``depthwise convolution``, and sizes whose meaning the kind decides."""

    kind: str
    sizes: tuple[int, ...] = ()


def count_moved(record: OpRecord) -> int:
    """Count the elements that an op reads and writes at least."""
    return sum(map(prod, (*record.input_shapes, *record.output_shapes)))


def classify_op(record: OpRecord, *, in_place: bool = False, channels_last: bool = False) -> SizedOp:
    """Classify an op by its record.

    Args:
        record: the op.
        in_place: whether its output lies in the memory of its first input: it writes there, or is a view.
        channels_last: whether an image that it takes lies channels last.
    """
    op, shapes = SAME_KERNEL.get(record.op, record.op), record.input_shapes
    if op in VIEWS or (is_free(op) and op != "cat" and (in_place or not prod(record.output_shape))):
        return SizedOp(VIEW)
    if op == "conv2d":
        return _classify_convolution(record, channels_last=channels_last)
    if op in SIZERS and (op not in POOLING or len(shapes[0]) == 4):
        return SizedOp(op, SIZERS[op](record))
    return _classify_elementwise(op, record, in_place=in_place)


def _classify_convolution(record: OpRecord, *, channels_last: bool) -> SizedOp:
    images, weight = record.input_shapes[:2]
    groups = images[1] // weight[1] if len(images) == 4 else 1
    taps, pixels = prod(weight[2:]), prod(images[2:])
    if groups > 1:
        kind = "depthwise convolution" if weight[1] == 1 else "grouped convolution"
    else:
        kind = "1×1 convolution" if taps == 1 else "convolution"
    sizes = (images[0], images[1], weight[0], groups, taps, pixels, prod(record.output_shape[2:]))
    return SizedOp(kind + CHANNELS_LAST if channels_last and kind != "grouped convolution" else kind, sizes)


def _size_product(record: OpRecord) -> tuple[int, ...]:
    """Batch, rows, inner size and columns of a matrix product."""
    left, right = record.input_shapes[:2]
    if record.op == "linear":
        return 1, prod(left[:-1]), left[-1], prod(right[:-1])
    columns = right[-1] if len(right) > 1 else 1
    if len(right) <= 2 or len(left) < 2:
        return 1, prod(left[:-1]), left[-1], columns
    return prod(record.output_shape[:-2]), left[-2], left[-1], columns


def _size_pooling(record: OpRecord) -> tuple[int, ...]:
    """Planes, elements under the window, and pixels of a plane before and after."""
    given, made = record.input_shapes[0], record.output_shape
    pixels, left = prod(given[2:]), max(prod(made[2:]), 1)
    kernel = record.attributes.get("kernel")
    return prod(given[:2]), prod(kernel) if isinstance(kernel, tuple) else pixels // left, pixels, left


def _split_rows(record: OpRecord) -> tuple[int, int]:
    """Rows that have statistics or a sum of their own, and how long each is."""
    given, groups = record.input_shapes[0], record.attributes.get("groups")
    elements = prod(given)
    if record.op == "batch_norm":
        rows = prod(given[:2])
    elif record.op == "softmax":
        rows = elements // max(given[-1], 1) if given else 1
    else:
        rows = groups if isinstance(groups, int) else prod(record.output_shape)
    return rows, elements // max(rows, 1)


def _size_attention(record: OpRecord) -> tuple[int, ...]:
    """Batch with heads, queries, keys, and the size of a head."""
    queries, keys = record.input_shapes[:2]
    return prod(queries[:-2]), queries[-2], keys[-2], queries[-1]


def _size_cat(record: OpRecord) -> tuple[int, ...]:
    """Elements, tensors, and pieces of memory that are copied."""
    return prod(record.output_shape), len(record.input_shapes), _count_runs(record)


def _count_runs(record: OpRecord) -> int:
    """How many pieces of memory a concatenation copies."""
    dim, made = record.attributes.get("dim", 0), record.output_shape
    outer = prod(made[: dim % len(made)]) if isinstance(dim, int) and made else 1
    return outer * len(record.input_shapes)


SIZERS: dict[str, Callable[[OpRecord], tuple[int, ...]]] = {
    **dict.fromkeys(("linear", "matmul"), _size_product),
    "scaled_dot_product_attention": _size_attention,
    "cat": _size_cat,
    **dict.fromkeys(POOLING, _size_pooling),
    **dict.fromkeys(ROWS, _split_rows),
}
"""What finds the sizes of an op that has more than its elements."""


def _classify_elementwise(op: str, record: OpRecord, *, in_place: bool) -> SizedOp:
    counts = [prod(each) for each in record.input_shapes]
    elements = max((*counts, *map(prod, record.output_shapes)), default=1)
    if op in {"add", "mul"} and len(counts) > 1 and counts[0] != counts[1]:
        return SizedOp(f"{op}, broadcast", (elements, min(counts)))
    if is_free(op) and op not in {"roll", "pad"}:
        return SizedOp(COPY, (elements,))
    return SizedOp(op + IN_PLACE if in_place else op, (elements,))


def stand_in(record: OpRecord, sized: SizedOp, work: Work | None) -> tuple[SizedOp, str]:
    """Choose what an op of a kind that was not timed is taken to take as long as, and say so in words."""
    plain = sized.kind.removesuffix(IN_PLACE).removesuffix(CHANNELS_LAST)
    if plain != sized.kind:
        return SizedOp(plain, sized.sizes), plain
    if is_of_family(record.op, "convolution") and len(record.input_shapes) > 1 and work and work.macs:
        return _classify_convolution(record, channels_last=False), "a convolution of the same sizes"
    if work and work.macs:
        columns = record.output_shape[-1] if record.output_shape else 1
        rows = max(prod(record.output_shape) // max(columns, 1), 1)
        return SizedOp("matmul", (1, rows, max(work.macs // (rows * max(columns, 1)), 1), columns)), (
            "a matrix product of as many MACs"
        )
    return SizedOp(COPY, (max(count_moved(record) // 2, 1),)), "a copy of as many bytes"
