"""Views of some of the elements: slices, pieces, windows."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

from resflops.ops._call import Call, NotDescribed, TensorLike, is_tensor, name_dtype, wrap_dimension
from resflops.ops._declaration import binding, each_gradient, moved_gradient
from resflops.ops._free import LOOKED_UP, VIEW, declare_free
from resflops.records import OpRecord, Shape, Work

FAMILY = "slicing"

# The gradient of a view is a view, and those of pieces are joined.
_declare = partial(
    declare_free, family=FAMILY, reason=VIEW, gradient=moved_gradient(), saves=(), shares="always"
)


def infer_select(input: TensorLike, dim: int, index: int) -> Call:
    """Select one slice along a dimension, which the result lacks."""
    shape = tuple(input.shape)
    place = wrap_dimension(dim, len(shape))
    wrap_dimension(index, shape[place])
    return Call("select", (input,), (*shape[:place], *shape[place + 1 :]))


def infer_narrow(input: TensorLike, dim: int, start: int, length: int) -> Call:
    """Cut out a part of a dimension."""
    shape = list(input.shape)
    place = wrap_dimension(dim, len(shape))
    if not isinstance(start, int) or not 0 <= length <= shape[place]:
        raise NotDescribed
    shape[place] = length
    return Call("narrow", (input,), tuple(shape))


def infer_getitem(input: TensorLike, index: Any) -> Call:
    """Index by numbers, slices, None, an ellipsis, and at most one tensor of indices."""
    shape = tuple(input.shape)
    indices = index if isinstance(index, tuple) else (index,)
    inputs: tuple[TensorLike, ...] = (input,)
    out: list[int] = []
    place = 0
    for number, each in enumerate(indices):
        if each is None:
            out.append(1)
        elif each is Ellipsis:
            skipped = len(shape) - place - _count_consumed(indices[number + 1 :])
            if skipped < 0 or any(other is Ellipsis for other in indices[:number]):
                raise NotDescribed
            out += shape[place : place + skipped]
            place += skipped
        elif place >= len(shape):
            raise NotDescribed
        elif type(each) is slice:
            out.append(_measure_slice(each, shape[place]))
            place += 1
        # Not ``isinstance``: True and False are integers, too, but as an index they are masks.
        elif type(each) is int:
            wrap_dimension(each, shape[place])
            place += 1
        elif is_tensor(each) and len(inputs) == 1 and _holds_indices(each) and _has_no_numbers(indices):
            inputs = (input, each)
            out += each.shape
            place += 1
        else:
            raise NotDescribed
    return Call("getitem", inputs, (*out, *shape[place:]))


def _measure_slice(cut: slice, size: int) -> int:
    if cut == _EVERYTHING:
        return size
    # ``slice.indices`` would ask a tensor for its value, and a meta tensor has none.
    for bound in (cut.start, cut.stop, cut.step):
        if is_tensor(bound):
            raise NotDescribed
    start, stop, step = cut.indices(size)
    if step < 1:
        raise NotDescribed
    return len(range(start, stop, step))


_EVERYTHING = slice(None)


def _count_consumed(indices: Sequence[Any]) -> int:
    """Count the dimensions that indices stand for. A mask stands for several, and is not covered."""
    return sum(each is not None for each in indices)


def _holds_indices(index: TensorLike) -> bool:
    return name_dtype(index.dtype) in {"int64", "int32"}


def _has_no_numbers(indices: Sequence[Any]) -> bool:
    # A number beside a tensor of indices is one more tensor of indices.
    return not any(type(each) is int for each in indices)


def _give_several(op: str, tensor: TensorLike, shapes: list[Shape]) -> Call:
    if not shapes:
        raise NotDescribed
    return Call(op, (tensor,), shapes[0], others=tuple([(shape, None) for shape in shapes[1:]]), pack=tuple)


def _cut(op: str, tensor: TensorLike, dim: int, lengths: Sequence[int]) -> Call:
    """Cut a tensor along a dimension into pieces of given lengths."""
    shape = tuple(tensor.shape)
    place = wrap_dimension(dim, len(shape))
    if sum(lengths) != shape[place]:
        raise NotDescribed
    return _give_several(op, tensor, [(*shape[:place], length, *shape[place + 1 :]) for length in lengths])


def _equal_pieces(whole: int, length: int) -> list[int]:
    """Cut a size into pieces of one length, of which the last may be shorter.

    >>> _equal_pieces(7, 3)
    [3, 3, 1]
    """
    if length < 1 or whole < 1:
        raise NotDescribed
    return [min(length, whole - start) for start in range(0, whole, length)]


def infer_split(tensor: TensorLike, split_size: Any, dim: int = 0) -> Call:
    """Split into pieces of one length, or of given lengths."""
    if isinstance(split_size, int):
        split_size = _equal_pieces(tensor.shape[wrap_dimension(dim, tensor.dim())], split_size)
    return _cut("split", tensor, dim, split_size)


def infer_split_with_sizes(input: TensorLike, split_sizes: Sequence[int], dim: int = 0) -> Call:
    """Split into pieces of given lengths."""
    return _cut("split", input, dim, split_sizes)


def infer_chunk(input: TensorLike, chunks: int, dim: int = 0) -> Call:
    """Split into at most a given number of pieces of one length."""
    size = input.shape[wrap_dimension(dim, input.dim())]
    return _cut("chunk", input, dim, _equal_pieces(size, -(-size // chunks)))


def infer_tensor_split(input: TensorLike, sections: Any = None, dim: int = 0, *, indices: Any = None) -> Call:
    """Split at indices, or into a number of pieces, the first of them longer by one if it does not divide.

    Compiled code has a slice for each piece instead, whose gradients are added up like those of any
    tensor that is used several times.
    """
    given = sections if indices is None else indices
    whole = input.shape[wrap_dimension(dim, input.dim())]
    if isinstance(given, int) and given > 0:
        length, longer = divmod(whole, given)
        return _cut("tensor_split", input, dim, [length + (piece < longer) for piece in range(given)])
    if not isinstance(given, (list, tuple)) or sorted({0, *given, whole}) != [0, *given, whole]:
        raise NotDescribed
    return _cut("tensor_split", input, dim, [end - start for start, end in pairwise((0, *given, whole))])


def infer_unbind(input: TensorLike, dim: int = 0) -> Call:
    """Return every slice along a dimension, which the results lack."""
    shape = tuple(input.shape)
    place = wrap_dimension(dim, len(shape))
    return _give_several("unbind", input, [(*shape[:place], *shape[place + 1 :])] * shape[place])


def infer_unfold(input: TensorLike, dimension: int, size: int, step: int) -> Call:
    """View windows along a dimension as another dimension."""
    shape = list(input.shape)
    if not -len(shape) <= dimension < len(shape) or not 0 <= size <= shape[dimension] or step < 1:
        raise NotDescribed
    shape[dimension] = (shape[dimension] - size) // step + 1
    return Call("unfold", (input,), (*shape, size))


def getitem_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing for slices and numbers; by a tensor of indices one addition per output element."""
    del operand
    return Work(arithmetic=prod(record.output_shape)) if len(record.input_shapes) > 1 else Work()


_declare("select", bindings=binding(infer_select, "*.select", repeated=True), runs=True)
_declare("narrow", bindings=binding(infer_narrow, "*.narrow", repeated=True), runs=True)
# With a tensor of indices it copies, and only then.
_declare(
    "getitem",
    bindings=binding(infer_getitem, "Tensor.__getitem__", repeated=True),
    runs=True,
    gradient=each_gradient(getitem_gradient, takes=(0,)),
    window="slices",
    saves=("indices",),
    shares="sometimes",
)
_declare(
    "split",
    bindings=(
        binding(infer_split, "split", "Tensor.split", repeated=True),
        binding(infer_split_with_sizes, "*.split_with_sizes"),
    ),
    runs=True,
)
_declare("chunk", bindings=binding(infer_chunk, "*.chunk", repeated=True), runs=True)
_declare("tensor_split", bindings=binding(infer_tensor_split, "*.tensor_split"), runs=True)
_declare("unbind", bindings=binding(infer_unbind, "*.unbind", repeated=True), runs=True)
_declare("diagonal", whole=("*.diagonal",))
_declare("hsplit", whole=("*.hsplit",))
_declare("vsplit", whole=("*.vsplit",))
# Overlapping windows show an element several times.
_declare("unfold", bindings=binding(infer_unfold, "Tensor.unfold"), gradient=LOOKED_UP)
_declare("as_strided", gradient=LOOKED_UP)
# The name of a Python slice in compiled code.
_declare("slice", window="slices")
_declare("split_with_sizes", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes")
