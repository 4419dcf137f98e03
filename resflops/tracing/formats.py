"""Tensors that are no plain arrays: sparse and nested ones, and those of classes that wrap others.

How much a sparse or nested tensor holds is no matter of its shape, so a pass on shapes cannot work with one.
In a real run, an op on a sparse tensor is recorded by what the tensor stores, and an op on a nested tensor as
one op for each of its components. A class that wraps tensors says itself which ops a call turns into: the
dispatcher is asked to let it speak first.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.nn import Buffer, Parameter
from torch.utils._python_dispatch import is_traceable_wrapper_subclass
from torch.utils._pytree import tree_leaves, tree_map_only

from resflops.errors import DataDependentError
from resflops.ops.sparse import BY_NAME
from resflops.records import Attribute, Shape

__all__ = [
    "check_format",
    "dispatches_itself",
    "find_stored_shape",
    "holds_special",
    "is_nested",
    "is_sparse",
    "is_wrapper",
    "list_wrapped",
    "read_sparse_product",
    "split_components",
    "stored_in",
]

_PLAIN = frozenset((Tensor, Parameter, Buffer))


def is_sparse(tensor: Tensor) -> bool:
    """Whether a tensor is stored in a sparse format."""
    # A jagged nested tensor has a layout of its own.
    return tensor.layout is not torch.strided and not tensor.is_nested


def is_nested(tensor: Tensor) -> bool:
    """Whether a tensor is nested and keeps its components in one buffer that torch itself manages."""
    return tensor.is_nested and tensor.layout is torch.strided


def is_wrapper(tensor: Tensor) -> bool:
    """Whether a tensor is of a class that wraps other tensors, as a jagged or distributed one is."""
    return type(tensor) not in _PLAIN and is_traceable_wrapper_subclass(tensor)


def list_wrapped(tensor: Tensor) -> list[Tensor]:
    """List the plain tensors that a tensor wraps, at any depth; none if it is plain itself."""
    if not is_wrapper(tensor):
        return []
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    inner = [getattr(tensor, name) for name in names]
    return [plain for each in inner for plain in (list_wrapped(each) or [each])]


def holds_special(values: Any, *, real: bool = False) -> bool:
    """Whether any tensor among nested arguments is no plain array.

    Args:
        values: the arguments.
        real: whether they have values, which a class with a dispatch of its own may keep anywhere.
    """
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    return any(
        each.layout is not torch.strided
        or each.is_nested
        or is_wrapper(each)
        or (real and dispatches_itself(type(each)))
        for each in tensors
    )


def dispatches_itself(kind: type) -> bool:
    """Whether a class has a dispatch of its own, other than the stand-ins of torch's compiler."""
    own = getattr(kind, "__torch_dispatch__", None)
    return own is not Tensor.__torch_dispatch__ and not issubclass(kind, FakeTensor | FunctionalTensor)


def check_format(tensor: Tensor) -> None:
    """Refuse a tensor that a pass on shapes cannot work with.

    Raises:
        DataDependentError: it is nested, sparse or quantised.
    """
    if tensor.is_nested:
        found = "a nested tensor, whose sizes"
    elif tensor.layout is not torch.strided:
        found = "a sparse tensor, whose number of stored elements"
    elif tensor.is_quantized and not tensor.is_meta:
        # Torch has no meta kernels for these.
        found = "a quantised tensor, whose scale"
    else:
        return
    raise DataDependentError(f"it works with {found} does not follow from a shape")


def stored_in(tensor: Tensor) -> Tensor:
    """Give the elements that a sparse tensor stores."""
    return tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()


def find_stored_shape(tensor: Tensor) -> Shape:
    """Find a shape for a record: a nested tensor has none, and stands for its rows or elements."""
    if is_nested(tensor):
        return (tensor.numel(),)
    return tuple((tensor.values() if tensor.is_nested else tensor).shape)


def split_components(values: Any) -> Iterator[Any]:
    """Rebuild nested arguments once for each component of the nested tensors among them."""
    nested = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor) and is_nested(leaf)]
    for place in range(len(nested[0].unbind()) if nested else 0):
        yield tree_map_only(Tensor, _make_choice(place), values)


def _make_choice(place: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor.unbind()[place] if is_nested(tensor) else tensor


def read_sparse_product(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, tuple[Tensor, ...], dict[str, Attribute]] | None:
    """Read an aten product of which a factor is sparse; None if it is none."""
    tensors = tuple(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
    if name not in BY_NAME or not any(map(is_sparse, tensors)):
        return None
    kind, first = BY_NAME[name]
    if kind == "sampled":
        pattern, left, _ = tensors
        attributes = _count(pattern, left.shape[-1], bias=kwargs.get("beta", 1) != 0)
        return "sparse_sampled_addmm", tensors, attributes
    left, right = tensors[first : first + 2]
    bias = kind == "addmm" and (args[3] if len(args) > 3 else kwargs.get("beta", 1)) != 0
    if not (is_sparse(left) or is_sparse(right)):
        return None
    if is_sparse(left) and is_sparse(right):
        stored, uses = _count_pairs(left, right), 1
        return "sparse_mm", (left, right), {"stored": stored, "uses": uses, "bias": bias}
    if is_sparse(left):
        uses = right.shape[-1] if right.dim() > 1 else 1
        return "sparse_mm", (left, right), _count(left, uses, bias=bias)
    return "sparse_mm", (left, right), _count(right, left.shape[-2] if left.dim() > 1 else 1, bias=bias)


def _count(tensor: Tensor, uses: int, *, bias: bool) -> dict[str, Attribute]:
    return {"stored": stored_in(tensor).numel(), "uses": uses, "bias": bias}


def _count_pairs(left: Tensor, right: Tensor) -> int:
    """Count the pairs of stored elements that meet, in a column of the left factor and a row of the right."""
    columns = _list_places(left, 1).bincount(minlength=left.shape[1])
    rows = _list_places(right, 0).bincount(minlength=right.shape[0])
    return int((columns * rows).sum())


def _list_places(tensor: Tensor, dim: int) -> Tensor:
    coo = tensor if tensor.layout is torch.sparse_coo else tensor.to_sparse()
    return coo._indices()[dim]
