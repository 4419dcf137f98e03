"""In which order the elements of tensors lie, as far as views tell: ops copy inputs in another order."""

from collections.abc import Sequence

from msgspec import Struct

from resflops.records import OpRecord, Shape

__all__ = ["Layout", "find_layouts", "is_in_order"]


class Layout(Struct, frozen=True):
    """How the dimensions of a tensor lie in memory."""

    order: tuple[int, ...] | None = None
    """The dimensions, that with the largest stride first; None stands for the order of the shape."""
    dense: bool = True
    """Whether it fills its memory: a slice of a tensor does not."""


def is_in_order(layout: Layout) -> bool:
    """Whether the elements lie in the order of the shape, without gaps."""
    return layout.dense and layout.order is None


_PERMUTED = frozenset(("permute", "transpose", "moveaxis", "movedim", "mT", "swapaxes", "swapdims", "t", "T"))
_SAME_SHAPE = frozenset(("detach", "alias", "identity", "contiguous", "positive", "requires_grad"))
_CUT = frozenset((
    "getitem", "select", "narrow", "split", "chunk", "unbind", "slice", "split_with_sizes", "expand",
    "broadcast_to", "expand_as", "diagonal", "unfold", "as_strided", "hsplit", "vsplit", "tensor_split",
))  # fmt: skip
_KEEPING = frozenset((
    "conv2d", "conv3d", "conv_transpose2d", "batch_norm", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d",
    "interpolate", "pad",
))  # fmt: skip
"""Ops whose output lies as their first input does, although its shape is another."""

_ORDERING = frozenset(("reshape", "contiguous", "layer_norm", "linear", "softmax"))
"""Ops whose output lies in the order of its shape, whatever their input does."""


def find_layouts(record: OpRecord, given: Sequence[Layout], *, shares: bool) -> tuple[Layout, ...]:
    """Find how the outputs of an op lie."""
    count = max(len(record.output_shapes), 1)
    if not given or not record.input_shapes:
        return (Layout(),) * count
    first, shape, output = given[0], record.input_shapes[0], record.output_shape
    if not shares:
        return (_find_made(record, first, shape, output),) * count
    if record.op in _PERMUTED:
        return (_permute(first, shape, output, swaps=record.op != "permute"),) * count
    if record.op in _CUT:
        return tuple([_cut(first, shape, each) for each in record.output_shapes]) or (first,)
    return (first if shape == output else _reshape(first, shape, output),) * count


def _find_made(record: OpRecord, first: Layout, shape: Shape, output: Shape) -> Layout:
    """Find how memory that an op takes for itself lies."""
    elementwise = shape == output and record.op not in _ORDERING
    if (elementwise or record.op in _KEEPING) and first.order is not None and len(shape) == len(output):
        return Layout(first.order)
    if record.op == "scaled_dot_product_attention" and len(output) == 4:
        return Layout((0, 2, 1, 3))
    return Layout()


def _permute(layout: Layout, shape: Shape, output: Shape, *, swaps: bool) -> Layout:
    """Permute dimensions: the record does not say how, but sizes tell; equal ones keep their order."""
    if shape == output and swaps and len(shape) > 1:
        dims = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    else:
        dims, left = [], list(range(len(shape)))
        for size in output:
            dim = next((each for each in left if shape[each] == size), None)
            if dim is None:
                return Layout(dense=False)
            left.remove(dim)
            dims.append(dim)
    before = layout.order or tuple(range(len(shape)))
    order = tuple([dims.index(dim) for dim in before])
    # Dimensions of one element lie anywhere.
    order_of_long = [dim for dim in order if output[dim] > 1]
    in_order = order_of_long == sorted(order_of_long)
    return Layout(None if in_order else order, layout.dense)


def _cut(layout: Layout, shape: Shape, output: Shape) -> Layout:
    """Cut a part out of a tensor; one of the first dimension leaves no gaps."""
    if output == shape:
        return layout
    if len(output) == len(shape) and output[1:] == shape[1:] and layout.order is None:
        return layout
    if len(output) < len(shape) and layout.order is None and output == shape[len(shape) - len(output) :]:
        return layout
    return Layout(layout.order if len(output) == len(shape) else None, dense=False)


def _reshape(layout: Layout, shape: Shape, output: Shape) -> Layout:
    """Give a tensor other sizes, without copying it."""
    if is_in_order(layout):
        return Layout()
    if [size for size in shape if size > 1] == [size for size in output if size > 1]:
        long_out = [dim for dim, size in enumerate(output) if size > 1]
        long_in = [dim for dim, size in enumerate(shape) if size > 1]
        places = dict(zip(long_in, long_out, strict=True))
        order = [places[dim] for dim in (layout.order or range(len(shape))) if dim in places]
        rest = [dim for dim, size in enumerate(output) if size <= 1]
        return Layout((*rest, *order) if order != sorted(order) else None, layout.dense)
    return Layout(dense=False)
