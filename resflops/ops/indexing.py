"""Copies by indices and masks: elements looked up, written, or chosen."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import (
    Call,
    NotDescribed,
    Promoted,
    TensorLike,
    broadcast,
    is_tensor,
    name_dtype,
    wrap_dimension,
)
from resflops.ops._declaration import ANSWERS, binding, each_gradient, moved_gradient, stopped_gradient
from resflops.ops._free import COPY, LOOKED_UP, declare_free
from resflops.ops.slicing import infer_getitem
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "indexing"

_declare = partial(declare_free, family=FAMILY, reason=COPY)

# An index or a mask is among the inputs, and has no gradient.
_WRITTEN = moved_gradient()
_FIRST = moved_gradient((0,))
_ANSWER = stopped_gradient(ANSWERS)


def infer_gather(input: TensorLike, dim: int, index: TensorLike, *, sparse_grad: bool = False) -> Call:
    """Look up an element for every index along a dimension."""
    wrap_dimension(dim, len(input.shape))
    return Call("gather", (input, index), tuple(index.shape))


def infer_index_select(input: TensorLike, dim: int, index: TensorLike) -> Call:
    """Look up a slice for every index along a dimension."""
    shape = tuple(input.shape)
    place = wrap_dimension(dim, len(shape))
    return Call("index_select", (input, index), (*shape[:place], index.numel(), *shape[place + 1 :]))


class Writing(Attributes, frozen=True):
    """A write into a tensor."""

    # Older traces lack it, as do writes by a mask, whose values decide how many elements it writes. The value
    # is then taken to be as large as what it overwrites.
    written: int = 0
    """How many elements are overwritten."""


def infer_setitem(input: TensorLike, index: Any, value: Any) -> Call:
    """Write elements in place."""
    target = infer_getitem(input, index).shape
    attributes: dict[str, Attribute] = {"written": prod(target)}
    if is_tensor(value):
        source = tuple(value.shape)
        if broadcast(source, target) != target:
            raise NotDescribed
        return Call("setitem", (input, value), tuple(input.shape), attributes, in_place=True)
    return Call("setitem", (input,), tuple(input.shape), attributes, in_place=True)


def _infer_index_put(given: dict[str, Any]) -> Call:
    """Read the aten op, whose indices are a tensor or nothing for each of the first dimensions.

    With ``accumulate`` it adds where it otherwise overwrites, which is another op here. A mask's values
    decide how many elements are added: that op is left uncounted.
    """
    tensor, indices, values = given["self"], given["indices"], given["values"]
    known = [index for index in indices if index is not None]
    name = "index_put_accumulate" if given["accumulate"] else "index_put"
    if any(name_dtype(index.dtype) in {"bool", "uint8"} for index in known):
        if given["accumulate"]:
            return Call(f"{name} by a mask", (tensor, *known, values), tuple(tensor.shape))
        raise NotDescribed
    chosen: Shape = ()
    for index in known:
        chosen = broadcast(chosen, tuple(index.shape))
    whole = [size for size, index in zip(tensor.shape, indices, strict=False) if index is None]
    written = prod((*chosen, *whole, *tensor.shape[len(indices) :]))
    attributes: dict[str, Attribute] = {"accumulate": given["accumulate"], "written": written}
    return Call(name, (tensor, *known, values), tuple(tensor.shape), attributes)


def _read_put(given: dict[str, Any]) -> Call:
    """Read a write to places that are counted through the whole tensor."""
    tensor, index, source = given["self"], given["index"], given["source"]
    name = "index_put_accumulate" if given["accumulate"] else "put"
    return Call(name, (tensor, index, source), tuple(tensor.shape), {"written": index.numel()})


def _read_scatter(given: dict[str, Any]) -> Call:
    """Read a write along a dimension; one that folds is another op here."""
    tensors = [given[name] for name in ("self", "index", "src", "value") if is_tensor(given.get(name))]
    name = "scatter_reduce" if given.get("reduce") else "scatter"
    return Call(name, tuple(tensors), tuple(given["self"].shape), {"dim": given["dim"]})


def _infer_masked_fill(*, in_place: bool) -> Callable[..., Call]:
    def infer_masked_fill(input: TensorLike, mask: TensorLike, value: Any) -> Call:
        """Write one value where a mask is true."""
        shape = broadcast(tuple(input.shape), tuple(mask.shape))
        return Call("masked_fill", (input, mask), shape, in_place=in_place)

    return infer_masked_fill


def infer_where(condition: TensorLike, input: Any, other: Any) -> Call:
    """Choose elements of one tensor or the other."""
    tensors = [value for value in (input, other) if is_tensor(value)]
    if not tensors:
        raise NotDescribed
    shape = tuple(condition.shape)
    for tensor in tensors:
        shape = broadcast(shape, tuple(tensor.shape))
    if name_dtype(condition.dtype) != "bool":
        raise NotDescribed
    return Call("where", (condition, *tensors), shape, {}, Promoted(input, other))


def infer_where_method(input: TensorLike, condition: TensorLike, other: Any) -> Call:
    """Choose as ``where`` does; the method has the tensor first."""
    return infer_where(condition, input, other)


def writing_gradient(record: OpRecord, attributes: Writing, operand: int) -> Work:
    """Nothing: it is looked up where the element was written; n-1 additions for a value written n times."""
    if not operand:
        return Work()
    return Work(arithmetic=max(attributes.written - prod(record.input_shapes[operand]), 0))


def choice_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing; n-1 additions where an input was broadcast to n places."""
    return Work(arithmetic=max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0))


# Elements looked up.
_declare(
    "gather",
    bindings=binding(infer_gather, "*.gather"),
    runs=True,
    gradient=LOOKED_UP,
    saves=("input", "indices"),
)
_declare(
    "index_select",
    bindings=binding(infer_index_select, "*.index_select"),
    runs=True,
    gradient=LOOKED_UP,
    saves=("indices",),
)
_declare("_unsafe_index", "_unsafe_masked_index", "index", gradient=LOOKED_UP, saves=("indices",))
_declare("take", "take_along_dim", gradient=LOOKED_UP, saves=("input", "indices"))
_declare("masked_select", gradient=_FIRST, saves=("input", "mask"))
_declare("nonzero", "nonzero_static", gradient=_ANSWER, saves=())

# Elements written: the gradient is looked up where the element was written.
_declare(
    "setitem",
    attributes=Writing,
    bindings=binding(infer_setitem, "Tensor.__setitem__", repeated=True),
    gradient=each_gradient(writing_gradient),
)
_declare(
    "index_put",
    attributes=Writing,
    aten={"index_put": _infer_index_put},
    gradient=each_gradient(writing_gradient),
    saves=("indices",),
)
_declare("index_copy", gradient=_WRITTEN, saves=("indices",))
_declare("put", aten={"put": _read_put}, gradient=_WRITTEN, saves=("indices",))
_declare("scatter", aten={"scatter": _read_scatter}, gradient=_WRITTEN, saves=("indices",))
_declare("masked_scatter", gradient=_WRITTEN, saves=("mask",))
_declare("index_fill", gradient=_FIRST, saves=("indices",))
_declare(
    "masked_fill",
    bindings=(
        binding(_infer_masked_fill(in_place=False), "*.masked_fill"),
        binding(_infer_masked_fill(in_place=True), "*.masked_fill_"),
    ),
    runs=True,
    gradient=_FIRST,
    saves=("mask",),
)
_declare(
    "as_strided_scatter", "diagonal_scatter", "select_scatter", "slice_scatter",
    gradient=moved_gradient((0, 1)),
    saves=(),
)  # fmt: skip
_declare(*(f"max_unpool{n}d" for n in (1, 2, 3)), gradient=_FIRST, saves=("indices",))

# Elements chosen.
_declare(
    "where",
    bindings=(binding(infer_where, "where"), binding(infer_where_method, "Tensor.where")),
    runs=True,
    gradient=each_gradient(choice_gradient, takes=(1, 2)),
    saves=("mask",),
)
