"""Views: the same elements under another shape.

Networks of attention windows spend most of their calls here. What is wrong with a call
that no description covers, torch itself says.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor

from resflops.records import Shape
from resflops.tracing.functions.registry import Call, NotDescribed, describes, dimension, getter, named


def _sizes(given: Sequence[Any]) -> Shape:
    """Sizes given one by one or as one sequence, as torch's methods take them."""
    if len(given) == 1 and not isinstance(given[0], int):
        given = given[0]
    for size in given:
        if not isinstance(size, int):
            raise NotDescribed
    return tuple(given)


def _filled_in(sizes: Shape, elements: int) -> Shape:
    """The sizes with a -1 replaced by what is left over."""
    if -1 not in sizes:
        if prod(sizes) != elements:
            raise NotDescribed
        return sizes
    rest = -prod(sizes)
    if rest <= 0 or elements % rest:
        raise NotDescribed
    place = sizes.index(-1)
    return (*sizes[:place], elements // rest, *sizes[place + 1 :])


def _reshaping(op: str) -> None:
    @describes(*named(op), repeated=True)
    def reshape(input: Tensor, *shape: Any) -> Call:
        return Call(op, (input,), _filled_in(_sizes(shape), input.numel()))


def _reshaping_as(op: str) -> None:
    @describes(*named(f"{op}_as"))
    def reshape_as(input: Tensor, other: Tensor) -> Call:
        if input.numel() != other.numel():
            raise NotDescribed
        return Call(op, (input,), tuple(other.shape))


for _op in ("view", "reshape"):
    _reshaping(_op)
    _reshaping_as(_op)


@describes(*named("flatten"), repeated=True)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Call:
    """Neighbouring dimensions made one."""
    shape = tuple(input.shape)
    if not shape:
        return Call("flatten", (input,), (1,))
    first, last = dimension(start_dim, len(shape)), dimension(end_dim, len(shape))
    if first > last:
        raise NotDescribed
    return Call("flatten", (input,), (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


@describes(*named("ravel"))
def ravel(input: Tensor) -> Call:
    """All dimensions made one."""
    return Call("ravel", (input,), (input.numel(),))


@describes(*named("unflatten"), repeated=True)
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Call:
    """One dimension made several."""
    if not isinstance(dim, int):
        raise NotDescribed
    shape = tuple(input.shape)
    place = dimension(dim, len(shape))
    inner = _filled_in(_sizes((sizes,)), shape[place])
    return Call("unflatten", (input,), (*shape[:place], *inner, *shape[place + 1 :]))


@describes(*named("permute"), repeated=True)
def permute(input: Tensor, *dims: Any) -> Call:
    """Dimensions in another order."""
    shape = tuple(input.shape)
    order = [dimension(dim, len(shape)) for dim in _sizes(dims)]
    if len(order) != len(shape) or len(set(order)) != len(order):
        raise NotDescribed
    return Call("permute", (input,), tuple([shape[dim] for dim in order]))


@describes(*named("transpose", "swapaxes", "swapdims"), repeated=True)
def transpose(input: Tensor, dim0: int, dim1: int) -> Call:
    """Two dimensions exchanged."""
    shape = list(input.shape)
    first, second = dimension(dim0, len(shape)), dimension(dim1, len(shape))
    shape[first], shape[second] = shape[second], shape[first]
    return Call("transpose", (input,), tuple(shape))


@describes(*named("t"), getter("T"))
def matrix_transpose(input: Tensor) -> Call:
    """Rows of a matrix made columns."""
    shape = tuple(input.shape)
    if len(shape) != 2:
        raise NotDescribed
    return Call("transpose", (input,), shape[::-1])


@describes(getter("mT"))
def matrices_transpose(input: Tensor) -> Call:
    """Rows of each matrix in a batch made columns."""
    return transpose(input, -2, -1)


@describes(*named("movedim", "moveaxis"))
def movedim(input: Tensor, source: Any, destination: Any) -> Call:
    """Dimensions put elsewhere, the others closing ranks."""
    shape = tuple(input.shape)
    sources, targets = (
        [dimension(each, len(shape)) for each in ((given,) if isinstance(given, int) else given)]
        for given in (source, destination)
    )
    order = [dim for dim in range(len(shape)) if dim not in sources]
    for target, place in sorted(zip(targets, sources, strict=True)):
        order.insert(target, place)
    return Call("permute", (input,), tuple([shape[dim] for dim in order]))


@describes(*named("unsqueeze"), repeated=True)
def unsqueeze(input: Tensor, dim: int) -> Call:
    """A dimension of one put in."""
    shape = list(input.shape)
    shape.insert(dimension(dim, len(shape) + 1), 1)
    return Call("unsqueeze", (input,), tuple(shape))


@describes(*named("squeeze"), repeated=True)
def squeeze(input: Tensor, dim: Any = None) -> Call:
    """Dimensions of one taken out: all, or those named."""
    shape = tuple(input.shape)
    if dim is None:
        return Call("squeeze", (input,), tuple([size for size in shape if size != 1]))
    named_dims = {dimension(each, len(shape)) for each in ((dim,) if isinstance(dim, int) else dim)}
    kept = [size for place, size in enumerate(shape) if size != 1 or place not in named_dims]
    return Call("squeeze", (input,), tuple(kept))


@describes(*named("expand", "broadcast_to"), repeated=True)
def expand(input: Tensor, *sizes: Any, implicit: bool = False) -> Call:
    """Dimensions of one seen as larger; -1 leaves one as it is."""
    shape, asked = tuple(input.shape), _sizes(sizes)
    return Call("expand", (input,), _expanded(shape, asked))


@describes(*named("expand_as"))
def expand_as(input: Tensor, other: Tensor) -> Call:
    """Dimensions of one seen as another tensor's."""
    return Call("expand", (input,), _expanded(tuple(input.shape), tuple(other.shape)))


def _expanded(shape: Shape, asked: Shape) -> Shape:
    new = len(asked) - len(shape)
    if new < 0 or -1 in asked[:new]:
        raise NotDescribed
    out = list(asked)
    for place, size in enumerate(shape, new):
        if out[place] == -1:
            out[place] = size
        elif size not in (1, out[place]):
            raise NotDescribed
    return tuple(out)


@describes(*named("select"), repeated=True)
def select(input: Tensor, dim: int, index: int) -> Call:
    """One slice along a dimension, which goes."""
    shape = tuple(input.shape)
    place = dimension(dim, len(shape))
    dimension(index, shape[place])
    return Call("select", (input,), (*shape[:place], *shape[place + 1 :]))


@describes(*named("narrow"), repeated=True)
def narrow(input: Tensor, dim: int, start: int, length: int) -> Call:
    """A stretch of a dimension."""
    shape = list(input.shape)
    place = dimension(dim, len(shape))
    if not isinstance(start, int) or not 0 <= length <= shape[place]:
        raise NotDescribed
    shape[place] = length
    return Call("narrow", (input,), tuple(shape))


@describes(torch.Tensor.__getitem__)
def getitem(input: Tensor, index: Any) -> Call:
    """Numbers drop a dimension, slices shorten it, None adds one; one tensor of indices puts in its shape."""
    shape = tuple(input.shape)
    indices = index if isinstance(index, tuple) else (index,)
    inputs: tuple[Tensor, ...] = (input,)
    out: list[int] = []
    place = 0
    for number, each in enumerate(indices):
        if each is None:
            out.append(1)
        elif each is Ellipsis:
            skipped = len(shape) - place - _consumed(indices[number + 1 :])
            if skipped < 0 or any(other is Ellipsis for other in indices[:number]):
                raise NotDescribed
            out += shape[place : place + skipped]
            place += skipped
        elif place >= len(shape):
            raise NotDescribed
        elif type(each) is slice:
            out.append(_stretch(each, shape[place]))
            place += 1
        elif type(each) is int:
            dimension(each, shape[place])
            place += 1
        elif isinstance(each, Tensor) and len(inputs) == 1 and _selects(each) and _alone(indices):
            inputs = (input, each)
            out += each.shape
            place += 1
        else:
            raise NotDescribed
    return Call("getitem", inputs, (*out, *shape[place:]))


def _stretch(cut: slice, size: int) -> int:
    if cut == _EVERYTHING:
        return size
    for bound in (cut.start, cut.stop, cut.step):
        if isinstance(bound, Tensor):
            raise NotDescribed
    start, stop, step = cut.indices(size)
    if step < 1:
        raise NotDescribed
    return len(range(start, stop, step))


_EVERYTHING = slice(None)


def _consumed(indices: Sequence[Any]) -> int:
    """How many dimensions indices stand for. A mask stands for several, and is not covered."""
    return sum(each is not None for each in indices)


def _selects(index: Tensor) -> bool:
    return index.dtype in (torch.int64, torch.int32)


def _alone(indices: Sequence[Any]) -> bool:
    # A number beside a tensor of indices is one more tensor of indices.
    return not any(type(each) is int for each in indices)


def _several(op: str, tensor: Tensor, shapes: list[Shape], pack: Any = tuple) -> Call:
    if not shapes:
        raise NotDescribed
    return Call(op, (tensor,), shapes[0], others=tuple([(shape, None) for shape in shapes[1:]]), pack=pack)


def _cut(op: str, tensor: Tensor, dim: int, lengths: Sequence[int]) -> Call:
    """The pieces of those lengths along a dimension."""
    shape = tuple(tensor.shape)
    place = dimension(dim, len(shape))
    if sum(lengths) != shape[place]:
        raise NotDescribed
    return _several(op, tensor, [(*shape[:place], length, *shape[place + 1 :]) for length in lengths])


def _equal_pieces(whole: int, length: int) -> list[int]:
    """Pieces of a length; the last may be shorter.

    >>> _equal_pieces(7, 3)
    [3, 3, 1]
    """
    if length < 1 or whole < 1:
        raise NotDescribed
    return [min(length, whole - start) for start in range(0, whole, length)]


@describes(torch.split, torch.Tensor.split, repeated=True)
def split(tensor: Tensor, split_size: Any, dim: int = 0) -> Call:
    """Pieces of one length, or of those given."""
    if isinstance(split_size, int):
        split_size = _equal_pieces(tensor.shape[dimension(dim, tensor.dim())], split_size)
    return _cut("split", tensor, dim, split_size)


@describes(*named("split_with_sizes"))
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> Call:
    """Pieces of the lengths given."""
    return _cut("split", input, dim, split_sizes)


@describes(*named("chunk"), repeated=True)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> Call:
    """At most so many pieces of one length."""
    size = input.shape[dimension(dim, input.dim())]
    return _cut("chunk", input, dim, _equal_pieces(size, -(-size // chunks)))


@describes(*named("tensor_split"))
def tensor_split(input: Tensor, sections: Any = None, dim: int = 0, *, indices: Any = None) -> Call:
    """So many pieces, the first ones longer by one where they do not come out even; or cuts at places."""
    given = sections if indices is None else indices
    whole = input.shape[dimension(dim, input.dim())]
    if isinstance(given, int) and given > 0:
        length, longer = divmod(whole, given)
        return _cut("tensor_split", input, dim, [length + (piece < longer) for piece in range(given)])
    if not isinstance(given, (list, tuple)) or sorted({0, *given, whole}) != [0, *given, whole]:
        raise NotDescribed
    return _cut("tensor_split", input, dim, [end - start for start, end in pairwise((0, *given, whole))])


@describes(*named("unbind"), repeated=True)
def unbind(input: Tensor, dim: int = 0) -> Call:
    """Every slice along a dimension, which goes."""
    shape = tuple(input.shape)
    place = dimension(dim, len(shape))
    return _several("unbind", input, [(*shape[:place], *shape[place + 1 :])] * shape[place])


@describes(*named("detach", "alias"), repeated=True)
def same(input: Tensor) -> Call:
    """The same tensor."""
    return Call("detach", (input,), tuple(input.shape))


@describes(torch.Tensor.unfold)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Call:
    """Windows along a dimension, as a dimension more."""
    shape = list(input.shape)
    if not -len(shape) <= dimension < len(shape) or not 0 <= size <= shape[dimension] or step < 1:
        raise NotDescribed
    shape[dimension] = (shape[dimension] - size) // step + 1
    return Call("unfold", (input,), (*shape, size))
