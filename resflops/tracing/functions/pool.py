"""Pooling and interpolation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.records import Attribute, Shape
from resflops.tracing.functions.registry import Call, Mismatch, NotDescribed, describes, per_dimension


def _pooled(
    tensor: Tensor, spatial: int, windows: tuple[Shape, Shape, Shape, Shape], *, ceil_mode: bool
) -> Shape:
    """Shape after sliding windows: floor or ceil((n + 2p - d(k-1) - 1) / s) + 1."""
    shape = tensor.shape
    sizes = []
    for n, k, s, p, d in zip(shape[-spatial:], *windows, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        out = (room + (s - 1 if ceil_mode else 0)) // s + 1
        # With ceil mode a window may reach beyond the input, also the only one.
        if out < 1:
            raise Mismatch(f"its window of {k} does not fit its input {'×'.join(map(str, shape))}")
        # The last window must start inside the input or its left padding.
        sizes.append(out - 1 if ceil_mode and (out - 1) * s >= n + p else out)
    return (*shape[:-spatial], *sizes)


def _strides(stride: Any, kernel: Shape) -> Shape:
    """No stride means the kernel."""
    return kernel if stride is None or stride == [] else per_dimension(stride, len(kernel))


def _max_pool(spatial: int) -> None:
    op = f"max_pool{spatial}d"

    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Call:
        kernel = per_dimension(kernel_size, spatial)
        strides = _strides(stride, kernel)
        paddings, dilations = per_dimension(padding, spatial), per_dimension(dilation, spatial)
        shape = _pooled(input, spatial, (kernel, strides, paddings, dilations), ceil_mode=ceil_mode)
        attributes: dict[str, Attribute] = {
            "kernel": kernel,
            "stride": strides,
            "padding": paddings,
            "dilation": dilations,
        }
        if return_indices:
            return Call(op, (input,), shape, attributes, others=((shape, torch.int64),), pack=tuple)
        return Call(op, (input,), shape, attributes)

    def max_pool_with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Call:
        return max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True)

    describes(getattr(F, op), getattr(torch, op), repeated=True)(max_pool)
    describes(getattr(F, f"{op}_with_indices"))(max_pool_with_indices)


def _avg_pool(spatial: int) -> None:
    op = f"avg_pool{spatial}d"

    @describes(getattr(F, op), repeated=True)
    def avg_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Call:
        del count_include_pad, divisor_override
        kernel = per_dimension(kernel_size, spatial)
        strides = _strides(stride, kernel)
        paddings = per_dimension(padding, spatial)
        shape = _pooled(input, spatial, (kernel, strides, paddings, (1,) * spatial), ceil_mode=ceil_mode)
        return Call(op, (input,), shape, {"kernel": kernel, "stride": strides, "padding": paddings})


def _adaptive_pool(spatial: int, kind: str) -> None:
    op = f"adaptive_{kind}_pool{spatial}d"

    def adaptive_pool(
        input: Tensor,
        output_size: Any,
        return_indices: bool = False,
    ) -> Call:
        if return_indices:
            raise NotDescribed
        shape = input.shape
        asked = (output_size,) * spatial if output_size is None else per_dimension(output_size, spatial)
        sizes = tuple(n if m is None else m for n, m in zip(shape[-spatial:], asked, strict=True))
        return Call(op, (input,), (*shape[:-spatial], *sizes))

    describes(*{getattr(F, op), getattr(torch, op, getattr(F, op))}, repeated=True)(adaptive_pool)


for _spatial in (1, 2, 3):
    _max_pool(_spatial)
    _avg_pool(_spatial)
    for _kind in ("avg", "max"):
        _adaptive_pool(_spatial, _kind)


@describes(F.interpolate)
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Call:
    """Resize the spatial dimensions."""
    del align_corners, recompute_scale_factor
    shape = input.shape
    spatial = len(shape) - 2
    if spatial < 1:
        raise NotDescribed
    if size is not None:
        sizes = per_dimension(size, spatial)
    elif isinstance(scale_factor, (int, float)):
        sizes = tuple(int(n * scale_factor) for n in shape[2:])
    else:
        sizes = tuple(int(n * factor) for n, factor in zip(shape[2:], scale_factor, strict=True))
    attributes: dict[str, Attribute] = {"mode": mode}
    if antialias:
        attributes["antialias"] = True
    return Call("interpolate", (input,), (*shape[:2], *sizes), attributes)


@describes(F.grid_sample)
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Call:
    """An image read between its pixels, at the points of a grid."""
    if input.dim() != grid.dim() or grid.shape[-1] != input.dim() - 2:
        raise Mismatch(f"reads {input.dim() - 2} dimensions, and its grid has {grid.shape[-1]} coordinates")
    return Call("grid_sample", (input, grid), (*input.shape[:2], *grid.shape[1:-1]), {"mode": mode})
