"""Pooling: maxima, means and norms of windows."""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, Mismatch, NotDescribed, TensorLike, per_dimension
from resflops.ops._declaration import binding, each_gradient, op
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "pooling"


class Kernel(Attributes, frozen=True):
    """Windows inside the input."""

    kernel: Shape
    """Size of a window."""


class Windows(Kernel, frozen=True):
    """Windows that may reach beyond the input, into its padding, and in ceil mode beyond that."""

    padding: Shape


def _slide_windows(
    tensor: TensorLike, spatial: int, windows: tuple[Shape, Shape, Shape, Shape], *, ceil_mode: bool
) -> Shape:
    """Compute the shape after sliding windows: floor or ceil((n + 2p - d(k-1) - 1) / s) + 1."""
    shape = tensor.shape
    sizes = []
    for n, k, s, p, d in zip(shape[-spatial:], *windows, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        out = (room + (s - 1 if ceil_mode else 0)) // s + 1
        # In ceil mode a window may reach beyond the input, even if it is the only one.
        if out < 1:
            raise Mismatch(f"its window of {k} does not fit its input {'×'.join(map(str, shape))}")
        # The last window must start inside the input or its left padding.
        sizes.append(out - 1 if ceil_mode and (out - 1) * s >= n + p else out)
    return (*shape[:-spatial], *sizes)


def _read_strides(stride: Any, kernel: Shape) -> Shape:
    """Read the stride, which is the size of the kernel if none is given."""
    return kernel if stride is None or stride in ([], ()) else per_dimension(stride, len(kernel))


def _infer_max_pool(spatial: int) -> tuple[Callable[..., Call], Callable[..., Call]]:
    """Make ``infer`` for torch's two functions: one returns indices if asked to, the other always."""
    op = f"max_pool{spatial}d"

    def infer_max_pool(
        input: TensorLike,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Call:
        """Take the largest of each window."""
        kernel = per_dimension(kernel_size, spatial)
        strides = _read_strides(stride, kernel)
        paddings, dilations = per_dimension(padding, spatial), per_dimension(dilation, spatial)
        shape = _slide_windows(input, spatial, (kernel, strides, paddings, dilations), ceil_mode=ceil_mode)
        attributes: dict[str, Attribute] = {
            "kernel": kernel,
            "stride": strides,
            "padding": paddings,
            "dilation": dilations,
        }
        if return_indices:
            return Call(op, (input,), shape, attributes, others=((shape, "int64"),), pack=tuple)
        return Call(op, (input,), shape, attributes)

    def infer_max_pool_with_indices(
        input: TensorLike,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Call:
        """Take the largest of each window, and its index."""
        del return_indices
        return infer_max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True)

    return infer_max_pool, infer_max_pool_with_indices


def _count_window_elements(record: OpRecord, attributes: Windows) -> int:
    """Count the elements of a window; one larger than the padded input, as ceil mode allows, has only its."""
    kernel, padding = attributes.kernel, attributes.padding
    sizes = record.input_shapes[0][-len(kernel) :]
    return prod(min(k, n + 2 * p) for k, n, p in zip(kernel, sizes, padding, strict=True))


def max_pool(record: OpRecord, attributes: Windows) -> Work:
    """A window of k elements takes k-1 comparisons per output."""
    return Work(comparisons=prod(record.output_shape) * (_count_window_elements(record, attributes) - 1))


def winner_gradient(record: OpRecord) -> Work:
    """Count one addition per output, to the element that is the largest of its window."""
    return Work(arithmetic=prod(record.output_shape))


def max_pool_gradient(record: OpRecord, attributes: Kernel, operand: int) -> Work:
    """One addition per output, to the element that won its window."""
    del attributes, operand
    return winner_gradient(record)


def _declare_max_pool(spatial: int) -> None:
    infer, infer_with_indices = _infer_max_pool(spatial)
    name = f"max_pool{spatial}d"
    op(
        name,
        family=FAMILY,
        attributes=Windows,
        bindings=(
            binding(infer, f"nn.functional.{name}", name, repeated=True),
            binding(infer_with_indices, f"nn.functional.{name}_with_indices"),
        ),
        aten={
            name: {"input": "self"},
            f"{name}_with_indices": {"input": "self"},
            **({f"quantized.{name}": {"input": "qx"}} if spatial < 3 else {}),
        },
        work=max_pool,
        gradient=each_gradient(max_pool_gradient, takes=(0,)),
        window="slides",
        saves=("input", "indices"),
        gives_indices=True,
    )


def _infer_avg_pool(spatial: int) -> Callable[..., Call]:
    op = f"avg_pool{spatial}d"

    def infer_avg_pool(
        input: TensorLike,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Call:
        """Take the mean of each window."""
        del count_include_pad, divisor_override
        kernel = per_dimension(kernel_size, spatial)
        strides = _read_strides(stride, kernel)
        paddings = per_dimension(padding, spatial)
        windows = kernel, strides, paddings, (1,) * spatial
        shape = _slide_windows(input, spatial, windows, ceil_mode=ceil_mode)
        return Call(op, (input,), shape, {"kernel": kernel, "stride": strides, "padding": paddings})

    return infer_avg_pool


def avg_pool(record: OpRecord, attributes: Windows) -> Work:
    """A window of k elements takes k-1 additions and one division per output."""
    return Work(arithmetic=prod(record.output_shape) * _count_window_elements(record, attributes))


def avg_pool_gradient(record: OpRecord, attributes: Windows, operand: int) -> Work:
    """One division per output, one addition per element of its window."""
    del operand
    # The forward pass takes one operation per element of each window: k-1 additions and a division.
    return Work(arithmetic=prod(record.output_shape) + avg_pool(record, attributes).arithmetic)


def _declare_avg_pool(spatial: int) -> None:
    name = f"avg_pool{spatial}d"
    op(
        name,
        family=FAMILY,
        attributes=Windows,
        bindings=binding(_infer_avg_pool(spatial), f"nn.functional.{name}", repeated=True),
        aten={name: {"input": "self"}},
        work=avg_pool,
        gradient=each_gradient(avg_pool_gradient, takes=(0,)),
        window="slides",
        saves=("input",),
    )


def norm_pool(record: OpRecord, attributes: Windows) -> Work:
    """A window of k elements takes k products and k-1 additions, and one root, per output."""
    outputs = prod(record.output_shape)
    return Work(
        arithmetic=outputs * (2 * _count_window_elements(record, attributes) - 1), transcendental=outputs
    )


def norm_pool_gradient(record: OpRecord, attributes: Windows, operand: int) -> Work:
    """One division per output; a product and an addition per element of its window."""
    del operand
    elements = _count_window_elements(record, attributes)
    return Work(arithmetic=prod(record.output_shape) * (1 + 2 * elements))


def _declare_norm_pool(spatial: int) -> None:
    # Torch has no such op: its functions of this name are a power, a mean of windows and a root.
    op(
        f"lp_pool{spatial}d",
        family=FAMILY,
        attributes=Windows,
        work=norm_pool,
        gradient=each_gradient(norm_pool_gradient, takes=(0,)),
        window="slides",
        saves=("input", "output"),
    )


def _infer_adaptive_pool(op: str, spatial: int) -> Callable[..., Call]:
    def infer_adaptive_pool(input: TensorLike, output_size: Any, return_indices: bool = False) -> Call:
        """Cut the input into a given number of windows, of about equal size."""
        if return_indices:
            raise NotDescribed
        shape = input.shape
        asked = (output_size,) * spatial if output_size is None else per_dimension(output_size, spatial)
        sizes = tuple(n if m is None else m for n, m in zip(shape[-spatial:], asked, strict=True))
        return Call(op, (input,), (*shape[:-spatial], *sizes))

    return infer_adaptive_pool


def count_adaptive_elements(shape: Shape, out: Shape, spatial: int) -> int:
    """Count the elements of all windows together, as torch cuts them: floor(i·n/m) to ceil((i+1)·n/m).

    >>> count_adaptive_elements((1, 5), (1, 3), 1)
    7
    """
    windows = prod(out[: len(out) - spatial])
    for size, outputs in zip(shape[-spatial:], out[-spatial:], strict=True):
        windows *= sum(-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs))
    return windows


def _count_spatial_dimensions(record: OpRecord) -> int:
    # Only the op's name, as in ``adaptive_avg_pool2d``, distinguishes an image without a batch from a batch
    # of rows.
    return int(record.op[-2])


def _count_all_windows(record: OpRecord) -> int:
    return count_adaptive_elements(
        record.input_shapes[0], record.output_shape, _count_spatial_dimensions(record)
    )


def adaptive_max_pool(record: OpRecord) -> Work:
    """As max pooling, with torch's windows, which may differ in size and overlap."""
    return Work(comparisons=_count_all_windows(record) - prod(record.output_shape))


def adaptive_max_pool_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per output, to the element that won its window."""
    del operand
    return winner_gradient(record)


def adaptive_avg_pool(record: OpRecord) -> Work:
    """As average pooling, with torch's windows, which may differ in size and overlap."""
    return Work(arithmetic=_count_all_windows(record))


def adaptive_avg_pool_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output, one addition per element of its window; none where there is one window.

    A single window is a mean, which passes the same quotient to every element; where no Python
    function is called, torch itself runs it as one.
    """
    del operand
    return adaptive_mean_gradient(
        record.input_shapes[0], record.output_shape, _count_spatial_dimensions(record)
    )


def adaptive_mean_gradient(shape: Shape, out: Shape, spatial: int) -> Work:
    """Count the work of the gradient of the means of adaptive windows.

    >>> adaptive_mean_gradient((1, 5), (1, 3), 1).arithmetic
    10
    >>> adaptive_mean_gradient((1, 5), (1, 1), 1).arithmetic
    1
    """
    added = 0 if prod(out[-spatial:]) == 1 else count_adaptive_elements(shape, out, spatial)
    return Work(arithmetic=prod(out) + added)


def _declare_adaptive_pools(spatial: int) -> None:
    for kind, work, gradient, saves in (
        ("avg", adaptive_avg_pool, adaptive_avg_pool_gradient, ("input",)),
        ("max", adaptive_max_pool, adaptive_max_pool_gradient, ("input", "indices")),
    ):
        name = f"adaptive_{kind}_pool{spatial}d"
        op(
            name,
            family=FAMILY,
            bindings=binding(
                _infer_adaptive_pool(name, spatial), f"nn.functional.{name}", name, repeated=True
            ),
            aten={
                name: {"input": "self"},
                # Torch has a second op with an underscore for these two alone, and its dispatcher runs it.
                **({f"_{name}": {"input": "self"}} if kind == "avg" and spatial > 1 else {}),
            },
            work=work,
            gradient=each_gradient(gradient, takes=(0,)),
            window="gathers",
            saves=saves,
            gives_indices=kind == "max",
        )


def _infer_fractional_pool(op: str, spatial: int) -> Callable[[dict[str, Any]], Call]:
    def infer_fractional_pool(given: dict[str, Any]) -> Call:
        """Take the largest of each of a given number of windows at random places."""
        image = given["self"]
        shape = (*image.shape[:-spatial], *per_dimension(given["output_size"], spatial))
        kernel = tuple(given["kernel_size"])
        return Call(op, (image,), shape, {"kernel": kernel}, others=((shape, "int64"),), pack=tuple)

    return infer_fractional_pool


def fractional_max_pool(record: OpRecord, attributes: Kernel) -> Work:
    """As max pooling, with windows at random places."""
    return Work(comparisons=prod(record.output_shape) * (prod(attributes.kernel) - 1))


def _declare_fractional_pool(spatial: int) -> None:
    name = f"fractional_max_pool{spatial}d"
    op(
        name,
        family=FAMILY,
        attributes=Kernel,
        aten={name: _infer_fractional_pool(name, spatial)},
        work=fractional_max_pool,
        gradient=each_gradient(max_pool_gradient, takes=(0,)),
        saves=("input", "indices"),
        gives_indices=True,
    )


for _spatial in (1, 2, 3):
    _declare_max_pool(_spatial)
    _declare_avg_pool(_spatial)
    _declare_norm_pool(_spatial)
    _declare_adaptive_pools(_spatial)
for _spatial in (2, 3):
    _declare_fractional_pool(_spatial)
