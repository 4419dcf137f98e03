"""Columns folded back into an image. Its opposite, ``im2col``, is a copy and computes nothing."""

from math import prod
from typing import Any

from resflops.ops._call import Call, NotDescribed, TensorLike, per_dimension
from resflops.ops._complex import SUMS
from resflops.ops._declaration import binding, moved_gradient, op
from resflops.records import OpRecord, Work

FAMILY = "folding"


def infer_fold(
    input: TensorLike,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Call:
    """Add every column to its window of an image."""
    del dilation, padding, stride
    shape = tuple(input.shape)
    kernel = per_dimension(kernel_size, 2)
    taps = kernel[0] * kernel[1]
    if len(shape) not in (2, 3) or shape[-2] % taps:
        raise NotDescribed
    return Call("col2im", (input,), (*shape[:-2], shape[-2] // taps, *per_dimension(output_size, 2)))


def fold(record: OpRecord) -> Work:
    """Every element of every window is added to its place."""
    return Work(arithmetic=prod(record.input_shapes[0]))


COL2IM = op(
    "col2im",
    family=FAMILY,
    bindings=binding(infer_fold, "nn.functional.fold"),
    aten={"col2im": {"input": "self"}},
    work=fold,
    on_complex=SUMS,
    # A sum over overlapping windows hands every window its gradient.
    gradient=moved_gradient(),
    saves=(),
)
