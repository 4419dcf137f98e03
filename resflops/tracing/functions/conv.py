"""Convolutions."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from resflops.records import Attribute, Shape
from resflops.tracing.functions.call import Call, Form, Formed
from resflops.tracing.functions.registry import Mismatch, describes, per_dimension


def _convolution(spatial: int) -> None:
    op = f"conv{spatial}d"

    @describes(getattr(torch, op))
    def convolution(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Formed:
        form = _convolved(
            op,
            input.dtype,
            input.shape,
            weight.shape,
            bias is not None,
            stride if type(stride) is tuple else per_dimension(stride, spatial),
            padding if type(padding) in (tuple, str) else per_dimension(padding, spatial),
            dilation if type(dilation) is tuple else per_dimension(dilation, spatial),
            groups,
        )
        return Formed(form, (input, weight), (bias,))


# A network repeats its blocks, and a search counts networks that repeat each other's.
@lru_cache(maxsize=1 << 14)
def _convolved(
    op: str,
    dtype: torch.dtype,
    shape: Shape,
    kernel: Shape,
    bias: bool,
    stride: Shape,
    padding: Shape | str,
    dilation: Shape,
    groups: int,
) -> Form:
    """The form of a convolution."""
    spatial = len(kernel) - 2
    if len(shape) - spatial not in (1, 2):
        raise Mismatch(f"takes a {spatial + 2}-dimensional input, and this one has {len(shape)} dimensions")
    channels = shape[-spatial - 1]
    if channels != kernel[1] * groups:
        raise Mismatch(f"takes {kernel[1] * groups} input channels, and its input has {channels}")
    taps = tuple(kernel[2:])
    strides, dilations = per_dimension(stride, spatial), per_dimension(dilation, spatial)
    sizes, paddings = _output_sizes(tuple(shape[-spatial:]), taps, strides, padding, dilations)
    attributes: dict[str, Attribute] = {
        "kernel": taps,
        "stride": strides,
        "padding": paddings,
        "dilation": dilations,
        "groups": groups,
        "bias": bias,
    }
    return Form.single(op, (shape, kernel), (*shape[: -spatial - 1], kernel[0], *sizes), dtype, attributes)


def _output_sizes(
    sizes: Shape,
    taps: Shape,
    strides: Shape,
    padding: Shape | str,
    dilations: Shape,
) -> tuple[Shape, Shape]:
    """Output size and padding of each dimension: floor((n + 2p - d(k-1) - 1) / s) + 1."""
    if padding == "same":
        # Torch pads unevenly where the kernel is even; half of the total is what one side gets at least.
        return sizes, tuple(d * (k - 1) // 2 for d, k in zip(dilations, taps, strict=True))
    paddings = (0,) * len(taps) if padding == "valid" else per_dimension(padding, len(taps))
    out = []
    for n, k, s, p, d in zip(sizes, taps, strides, paddings, dilations, strict=True):
        reach = d * (k - 1) + 1
        if n + 2 * p < reach:
            raise Mismatch(f"the kernel of size {reach} does not fit its input of {n} (padding {p})")
        out.append((n + 2 * p - reach) // s + 1)
    return tuple(out), paddings


def _transposed(spatial: int) -> None:
    op = f"conv_transpose{spatial}d"

    @describes(getattr(torch, op))
    def transposed_convolution(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Call:
        shape, kernel = input.shape, weight.shape
        if len(shape) - spatial not in (1, 2):
            raise Mismatch(f"{op} takes a {spatial + 2}-dimensional input, and this one has {len(shape)}")
        if shape[-spatial - 1] != kernel[0]:
            raise Mismatch(f"takes {kernel[0]} input channels, and its input has {shape[-spatial - 1]}")
        taps = tuple(kernel[2:])
        strides, paddings = per_dimension(stride, spatial), per_dimension(padding, spatial)
        dilations, extra = per_dimension(dilation, spatial), per_dimension(output_padding, spatial)
        sizes = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, k, s, p, d, e in zip(
                shape[-spatial:], taps, strides, paddings, dilations, extra, strict=True
            )
        )
        if min(sizes) < 1:
            raise Mismatch(f"its input {'×'.join(map(str, shape))} leaves no output")
        return Call(
            op,
            (input, weight),
            (*shape[: -spatial - 1], kernel[1] * groups, *sizes),
            {
                "kernel": taps,
                "stride": strides,
                "padding": paddings,
                "dilation": dilations,
                "groups": groups,
                "bias": bias is not None,
            },
            affine=(bias,),
        )


for _spatial in (1, 2, 3):
    _convolution(_spatial)
    _transposed(_spatial)
