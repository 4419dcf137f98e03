"""Views: the same elements under another shape. Views of some of the elements are in ``slicing``.

Networks with windowed attention spend most of their calls here. Where no ``infer`` covers a
call, torch itself runs it and says what is wrong with it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

from resflops.ops._call import Call, NotDescribed, TensorLike, wrap_dimension
from resflops.ops._declaration import binding, moved_gradient, stopped_gradient
from resflops.ops._free import ADDED_UP, SPREAD_OUT, VIEW, declare_free
from resflops.records import Shape

FAMILY = "views"

# The gradient of a view is a view.
_declare = partial(
    declare_free, family=FAMILY, reason=VIEW, gradient=moved_gradient(), saves=(), shares="always"
)


def read_sizes(given: Sequence[Any]) -> Shape:
    """Read sizes that are given one by one or as one sequence, as torch's methods accept them.

    >>> read_sizes((2, 3)), read_sizes(([2, 3],))
    ((2, 3), (2, 3))

    Raises:
        NotDescribed: a size is not an integer.
    """
    if len(given) == 1 and not isinstance(given[0], int):
        given = given[0]
    for size in given:
        if not isinstance(size, int):
            raise NotDescribed
    return tuple(given)


def _fill_in(sizes: Shape, elements: int) -> Shape:
    """Replace a -1 among the sizes by what is left over."""
    if -1 not in sizes:
        if prod(sizes) != elements:
            raise NotDescribed
        return sizes
    rest = -prod(sizes)
    if rest <= 0 or elements % rest:
        raise NotDescribed
    place = sizes.index(-1)
    return (*sizes[:place], elements // rest, *sizes[place + 1 :])


def _infer_reshape(op: str) -> Callable[..., Call]:
    def infer_reshape(input: TensorLike, *shape: Any) -> Call:
        """Give the tensor other sizes, one of which may be -1."""
        return Call(op, (input,), _fill_in(read_sizes(shape), input.numel()))

    return infer_reshape


def _infer_reshape_as(op: str) -> Callable[..., Call]:
    def infer_reshape_as(input: TensorLike, other: TensorLike) -> Call:
        """Give the tensor the sizes of another."""
        if input.numel() != other.numel():
            raise NotDescribed
        return Call(op, (input,), tuple(other.shape))

    return infer_reshape_as


infer_view, infer_reshape = _infer_reshape("view"), _infer_reshape("reshape")
infer_view_as, infer_reshape_as = _infer_reshape_as("view_as"), _infer_reshape_as("reshape_as")


def infer_flatten(input: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Call:
    """Merge neighbouring dimensions into one."""
    shape = tuple(input.shape)
    if not shape:
        return Call("flatten", (input,), (1,))
    first, last = wrap_dimension(start_dim, len(shape)), wrap_dimension(end_dim, len(shape))
    if first > last:
        raise NotDescribed
    return Call("flatten", (input,), (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


def infer_ravel(input: TensorLike) -> Call:
    """Merge all dimensions into one."""
    return Call("ravel", (input,), (input.numel(),))


def infer_unflatten(input: TensorLike, dim: int, sizes: Sequence[int]) -> Call:
    """Split one dimension into several."""
    if not isinstance(dim, int):
        raise NotDescribed
    shape = tuple(input.shape)
    place = wrap_dimension(dim, len(shape))
    inner = _fill_in(read_sizes((sizes,)), shape[place])
    return Call("unflatten", (input,), (*shape[:place], *inner, *shape[place + 1 :]))


def infer_permute(input: TensorLike, *dims: Any) -> Call:
    """Reorder dimensions."""
    shape = tuple(input.shape)
    order = [wrap_dimension(dim, len(shape)) for dim in read_sizes(dims)]
    if len(order) != len(shape) or len(set(order)) != len(order):
        raise NotDescribed
    return Call("permute", (input,), tuple([shape[dim] for dim in order]))


def infer_movedim(input: TensorLike, source: Any, destination: Any) -> Call:
    """Move dimensions elsewhere, keeping the order of the others."""
    shape = tuple(input.shape)
    sources, targets = (
        [wrap_dimension(each, len(shape)) for each in ((given,) if isinstance(given, int) else given)]
        for given in (source, destination)
    )
    if len(sources) != len(targets):
        raise NotDescribed
    order = [dim for dim in range(len(shape)) if dim not in sources]
    for target, place in sorted(zip(targets, sources, strict=True)):
        order.insert(target, place)
    return Call("permute", (input,), tuple([shape[dim] for dim in order]))


def infer_transpose(input: TensorLike, dim0: int, dim1: int) -> Call:
    """Exchange two dimensions."""
    shape = list(input.shape)
    first, second = wrap_dimension(dim0, len(shape)), wrap_dimension(dim1, len(shape))
    shape[first], shape[second] = shape[second], shape[first]
    return Call("transpose", (input,), tuple(shape))


def infer_matrix_transpose(input: TensorLike) -> Call:
    """Transpose a matrix."""
    shape = tuple(input.shape)
    if len(shape) != 2:
        raise NotDescribed
    return Call("transpose", (input,), shape[::-1])


def infer_matrices_transpose(input: TensorLike) -> Call:
    """Transpose each matrix in a batch."""
    return infer_transpose(input, -2, -1)


def infer_unsqueeze(input: TensorLike, dim: int) -> Call:
    """Insert a dimension of one."""
    shape = list(input.shape)
    shape.insert(wrap_dimension(dim, len(shape) + 1), 1)
    return Call("unsqueeze", (input,), tuple(shape))


def infer_squeeze(input: TensorLike, dim: Any = None) -> Call:
    """Remove dimensions of one: all, or those named."""
    shape = tuple(input.shape)
    if dim is None:
        return Call("squeeze", (input,), tuple([size for size in shape if size != 1]))
    named = {wrap_dimension(each, len(shape)) for each in ((dim,) if isinstance(dim, int) else dim)}
    kept = [size for place, size in enumerate(shape) if size != 1 or place not in named]
    return Call("squeeze", (input,), tuple(kept))


def infer_expand(input: TensorLike, *sizes: Any, implicit: bool = False) -> Call:
    """View dimensions of one as larger; -1 leaves a dimension as it is."""
    return Call("expand", (input,), _expand_shape(tuple(input.shape), read_sizes(sizes)))


def infer_expand_as(input: TensorLike, other: TensorLike) -> Call:
    """View dimensions of one as large as those of another tensor."""
    return Call("expand", (input,), _expand_shape(tuple(input.shape), tuple(other.shape)))


def _expand_shape(shape: Shape, asked: Shape) -> Shape:
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


def infer_detach(input: TensorLike) -> Call:
    """Return the same tensor without its history."""
    return Call("detach", (input,), tuple(input.shape))


_declare("view", bindings=binding(infer_view, "*.view", repeated=True), runs=True, aten=("_unsafe_view",))
_declare("view_as", bindings=binding(infer_view_as, "*.view_as"), runs=True)
# These copy where the elements do not lie in the order that the new shape needs.
_declare(
    "reshape",
    bindings=binding(infer_reshape, "*.reshape", repeated=True),
    runs=True,
    aten=("_reshape_alias",),
    shares="sometimes",
)
_declare("reshape_as", bindings=binding(infer_reshape_as, "*.reshape_as"), runs=True, shares="sometimes")
_declare(
    "flatten",
    bindings=binding(infer_flatten, "*.flatten", repeated=True),
    runs=True,
    window="flattens",
    shares="sometimes",
)
_declare("ravel", bindings=binding(infer_ravel, "*.ravel"), runs=True, shares="sometimes")
_declare("unflatten", bindings=binding(infer_unflatten, "*.unflatten", repeated=True), runs=True)
_declare(
    "permute",
    bindings=(
        binding(infer_permute, "*.permute", repeated=True),
        binding(infer_movedim, "*.movedim", "*.moveaxis"),
    ),
    runs=True,
)
_declare(
    "transpose",
    bindings=(
        binding(infer_transpose, "*.transpose", "*.swapaxes", "*.swapdims", repeated=True),
        binding(infer_matrix_transpose, "*.t", "Tensor.T.__get__"),
        binding(infer_matrices_transpose, "Tensor.mT.__get__"),
    ),
    runs=True,
)
_declare("unsqueeze", bindings=binding(infer_unsqueeze, "*.unsqueeze", repeated=True), runs=True)
_declare("squeeze", bindings=binding(infer_squeeze, "*.squeeze", repeated=True), runs=True)
_declare(
    "expand",
    bindings=(
        binding(infer_expand, "*.expand", "*.broadcast_to", repeated=True),
        binding(infer_expand_as, "*.expand_as"),
    ),
    runs=True,
    gradient=ADDED_UP,
)
_declare(
    "detach",
    bindings=(
        binding(infer_detach, "*.detach", "*.alias", repeated=True),
        # To read ``tensor.data`` calls this getter, which torch offers to be overridden like a function.
        binding(infer_detach, "Tensor.data.__get__"),
    ),
    runs=True,
    gradient=stopped_gradient("it passes the tensor on without its history"),
)

# The names that stored traces and compiled code have for some of these.
_declare(
    "alias", "lift", "lift_fresh", "moveaxis", "movedim", "mT", "positive", "swapaxes", "swapdims", "t", "T",
    "unsafe_view",
)  # fmt: skip
_declare("broadcast_to", "expand_as", gradient=ADDED_UP)
_declare("broadcast_tensors", gradient=SPREAD_OUT, shares="each")
# Views of complex numbers: as pairs of numbers, as one of the pair, or conjugated, which torch only notes.
_declare("_conj", "_neg_view", "conj", "imag", "real", "view_as_complex", "view_as_real")
