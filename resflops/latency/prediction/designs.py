"""Draws the ops that are timed: of each kind, in sizes as networks have them.

They are drawn at random from sizes that networks of all kinds have, so that an op of any of them finds
neighbours, within limits that leave time for many.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from random import Random

from resflops.latency.prediction.sized_ops import CHANNELS_LAST, IN_PLACE
from resflops.records import Attribute, OpRecord, Shape

__all__ = ["SHARES", "Design", "draw_op"]

SIDES = (
    7, 7, 8, 10, 12, 14, 14, 16, 17, 20, 24, 28, 28, 32, 35, 40, 48, 56, 56, 64, 71, 80, 96, 112, 112, 128,
    149, 160, 192, 224,
)  # fmt: skip
CHANNELS = (
    3, 8, 16, 24, 32, 32, 40, 48, 56, 64, 64, 72, 80, 96, 96, 112, 128, 128, 144, 160, 192, 192, 224, 256,
    256, 288, 320, 384, 448, 480, 512, 512, 576, 640, 768, 768, 960, 1024, 1152, 1280, 1536, 2048,
)  # fmt: skip
WIDTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, 1536, 2048, 3072, 4096)
TOKENS = (1, 1, 1, 4, 16, 49, 50, 64, 128, 196, 197, 256, 512, 784, 1024, 3136)
BATCHES = (1, 1, 1, 1, 1, 1, 2, 4, 8, 16)

MOST_MACS, MOST_ELEMENTS, MOST_WEIGHTS = 2_000_000_000, 4_000_000, 20_000_000

SHARES: dict[str, int] = {
    "1×1 convolution": 12, "convolution": 12, "depthwise convolution": 6, "grouped convolution": 4,
    "1×1 convolution" + CHANNELS_LAST: 1, "convolution" + CHANNELS_LAST: 1,
    "depthwise convolution" + CHANNELS_LAST: 1,
    "linear": 4, "matmul": 2, "scaled_dot_product_attention": 1,
    "batch_norm": 3, "layer_norm": 1, "group_norm": 1, "softmax": 1,
    "relu": 1, "gelu": 1, "silu": 1, "hardswish": 1, "sigmoid": 1, "hardsigmoid": 1, "hardtanh": 1, "tanh": 1,
    "relu" + IN_PLACE: 2, "silu" + IN_PLACE: 1, "hardswish" + IN_PLACE: 1, "hardtanh" + IN_PLACE: 1,
    "add": 1, "mul": 1, "add" + IN_PLACE: 1, "add, broadcast": 1, "mul, broadcast": 1,
    "copy": 2, "roll": 1, "pad": 1, "cat": 2,
    "max_pool2d": 1, "avg_pool2d": 1, "adaptive_avg_pool2d": 1, "mean": 1,
}  # fmt: skip
"""The kinds that are timed, each with how many of it are drawn beside those of others: most of what takes
most of the time in networks, and of what depends on many sizes."""


def draw_op(kind: str, rng: Random) -> OpRecord:
    """Draw the record of an op of a kind, within the limits."""
    base = kind.removesuffix(IN_PLACE).removesuffix(CHANNELS_LAST)
    draw = _DESIGNS.get(base) or partial(_draw_elementwise, base)
    while True:
        record = draw(rng)
        shapes = (*record.input_shapes, *record.output_shapes)
        # A 0 marks an op that cannot be, as a window that is larger than its image.
        if min(map(min, shapes)) > 0 and _is_small(record):
            return record


def _is_small(record: OpRecord) -> bool:
    made = prod(record.output_shape)
    if record.op not in {"conv2d", "linear", "matmul"}:
        return max(prod(record.input_shapes[0]), made) <= MOST_ELEMENTS
    images, weight = record.input_shapes
    inner = weight[-2] if record.op == "matmul" else prod(weight[1:])
    return (
        made * inner <= MOST_MACS
        and max(prod(images), made) <= MOST_ELEMENTS
        and prod(weight) <= MOST_WEIGHTS
    )


Design = Callable[[Random], OpRecord]


def _make(op: str, inputs: Sequence[Shape], output: Shape, **attributes: Attribute) -> OpRecord:
    return OpRecord(
        op=op, layer="", input_shapes=tuple(inputs), output_shapes=(output,), attributes=attributes
    )


def _draw_images(rng: Random) -> Shape:
    side = rng.choice(SIDES)
    return rng.choice(BATCHES), rng.choice(CHANNELS), side, side


def _draw_convolution(
    rng: Random,
    *,
    kernels: Sequence[int],
    strides: Sequence[int],
    groups: int = 1,
    channels: tuple[int, int] | None = None,
) -> OpRecord:
    batch, inputs, side, _ = _draw_images(rng)
    inputs, outputs = channels or (inputs, rng.choice(CHANNELS))
    kernel, stride = rng.choice(kernels), rng.choice(strides)
    # Most networks keep the side, but for the stride.
    padding = 0 if rng.random() < 0.15 else kernel // 2
    made = max((side + 2 * padding - kernel) // stride + 1, 0)
    return _make(
        "conv2d",
        [(batch, inputs, side, side), (outputs, inputs // groups, kernel, kernel)],
        (batch, outputs, made, made),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=(padding, padding),
        groups=groups,
        bias=rng.random() < 0.3,
    )


def _draw_pointwise(rng: Random) -> OpRecord:
    record = _draw_convolution(rng, kernels=(1,), strides=(1, 1, 1, 1, 1, 1, 2))
    if rng.random() > 0.15:
        return record
    # On one pixel, as in squeeze-and-excitation.
    images, weight = record.input_shapes
    attributes: dict[str, Attribute] = {**record.attributes, "stride": (1, 1)}
    return _make("conv2d", [(*images[:2], 1, 1), weight], (images[0], weight[0], 1, 1), **attributes)


def _draw_dense(rng: Random) -> OpRecord:
    # A tenth are the first of a network, on three colours.
    channels = (3, rng.choice((16, 24, 32, 64, 96))) if rng.random() < 0.1 else None
    return _draw_convolution(
        rng, kernels=(3, 3, 3, 3, 3, 3, 2, 5, 7), strides=(1, 1, 1, 2), channels=channels
    )


def _draw_depthwise(rng: Random) -> OpRecord:
    count = rng.choice(CHANNELS[1:])
    return _draw_convolution(
        rng, kernels=(3, 3, 3, 5, 5, 7), strides=(1, 1, 2), groups=count, channels=(count, count)
    )


def _draw_grouped(rng: Random) -> OpRecord:
    groups = rng.choice((2, 3, 4, 6, 8, 12, 16, 24, 32, 32, 48))
    count = groups * rng.choice((4, 8, 8, 16, 16, 24, 32, 48, 56, 64))
    return _draw_convolution(rng, kernels=(3,), strides=(1, 1, 2), groups=groups, channels=(count, count))


def _draw_linear(rng: Random) -> OpRecord:
    inner, columns = rng.choice(WIDTHS), rng.choice((10, 1000, *WIDTHS))
    rows = rng.choice(BATCHES) * rng.choice(TOKENS)
    return _make("linear", [(1, rows, inner), (columns, inner)], (1, rows, columns), bias=True)


def _draw_matmul(rng: Random) -> OpRecord:
    batch, rows, inner = (
        rng.choice(each) for each in ((1, 4, 12, 48, 96, 192), (16, 49, 64, 197, 256), (32, 64, 128))
    )
    # Queries with keys, or weights with values.
    inner, columns = rng.choice(((inner, rows), (rows, inner)))
    return _make("matmul", [(1, batch, rows, inner), (1, batch, inner, columns)], (1, batch, rows, columns))


def _draw_attention(rng: Random) -> OpRecord:
    sizes = ((1, 1, 2, 4), (3, 6, 8, 12, 16), (49, 64, 128, 197, 256), (32, 64, 64))
    batch, heads, rows, inner = (rng.choice(each) for each in sizes)
    shape = (batch, heads, rows, inner)
    return _make("scaled_dot_product_attention", [shape, shape, shape], shape)


def _draw_window(op: str, rng: Random) -> OpRecord:
    shape = _draw_images(rng)
    kernel, stride = rng.choice(((2, 2), (3, 2), (3, 2), (3, 1)))
    padding = kernel // 2 if kernel > 2 and rng.random() < 0.7 else 0
    made = (shape[2] + 2 * padding - kernel) // stride + 1
    window: dict[str, Attribute] = {
        "kernel": (kernel,) * 2,
        "stride": (stride,) * 2,
        "padding": (padding,) * 2,
    }
    return _make(op, [shape], (*shape[:2], made, made), **window)


def _draw_whole(op: str, rng: Random) -> OpRecord:
    shape = _draw_images(rng)
    return _make(op, [shape], (*shape[:2], 1, 1) if op == "adaptive_avg_pool2d" else shape[:2])


def _draw_elementwise(op: str, rng: Random) -> OpRecord:
    shape = _draw_images(rng)
    # Some on one pixel, as in squeeze-and-excitation.
    shape = (*shape[:2], 1, 1) if rng.random() < 0.2 else shape
    return _make(op, [shape] * (2 if op in {"add", "mul"} else 1), shape)


def _draw_copy(rng: Random) -> OpRecord:
    # Of a transposed image, which on one pixel would be contiguous already.
    shape = _draw_images(rng)
    return _make("contiguous", [shape], shape)


def _draw_broadcast(op: str, rng: Random) -> OpRecord:
    shape = _draw_images(rng)
    return _make(op, [shape, (*shape[:2], 1, 1)], shape)


def _draw_cat(rng: Random) -> OpRecord:
    batch, first, side, _ = _draw_images(rng)
    # Two halves, branches, or what a dense block has grown to.
    added = [rng.choice((16, 32, 32, 64, 128)) for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 9, 19)))]
    parts = [(batch, channels, side, side) for channels in (first, *added)]
    return _make("cat", parts, (batch, first + sum(added), side, side), dim=1)


def _draw_norm(op: str, rng: Random) -> OpRecord:
    shape = _draw_images(rng)
    groups: dict[str, Attribute] = {"groups": shape[0]} if op == "group_norm" else {}
    return _make(op, [shape], shape, **groups)


def _draw_rows(op: str, rng: Random) -> OpRecord:
    rows, columns = rng.choice(BATCHES) * rng.choice(TOKENS), rng.choice((49, 64, 197, 256, *WIDTHS))
    return _make(op, [(1, rows, columns)], (1, rows, columns), groups=rows)


_DESIGNS: dict[str, Design] = {
    "1×1 convolution": _draw_pointwise,
    "convolution": _draw_dense,
    "depthwise convolution": _draw_depthwise,
    "grouped convolution": _draw_grouped,
    "linear": _draw_linear,
    "matmul": _draw_matmul,
    "scaled_dot_product_attention": _draw_attention,
    "cat": _draw_cat,
    "copy": _draw_copy,
    **{op: partial(_draw_norm, op) for op in ("batch_norm", "group_norm")},
    **{op: partial(_draw_rows, op) for op in ("layer_norm", "softmax")},
    **{op: partial(_draw_window, op) for op in ("max_pool2d", "avg_pool2d")},
    **{op: partial(_draw_whole, op) for op in ("adaptive_avg_pool2d", "mean")},
    **{f"{op}, broadcast": partial(_draw_broadcast, op) for op in ("add", "mul")},
}
