"""Tensors without memory: meta doubles of real tensors, anywhere in nested arguments."""

from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any

import torch
from torch import Tensor
from torch._C import _DisableFuncTorch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from resflops.tracing.formats import check_format, is_wrapper

__all__ = ["META", "find_tensors", "list_outputs", "make_meta_doubles"]

META = torch.device("meta")


def find_tensors(value: Any) -> Iterator[Tensor]:
    """Iterate over the tensors in nested containers, in order."""
    # What tree_leaves does, written out for the usual values, since every count asks this several times.
    kind = type(value)
    if isinstance(value, Tensor):
        yield value
    elif kind is tuple or kind is list or kind is dict:
        for item in value.values() if kind is dict else value:
            yield from find_tensors(item)
    elif kind not in _PLAIN:
        yield from [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def list_outputs(out: Any) -> tuple[Tensor, ...]:
    """List the tensors that a function has given, of which most give one."""
    return (out,) if isinstance(out, Tensor) else tuple(find_tensors(out))


_PLAIN = frozenset((NoneType, bool, int, float, str, torch.dtype, torch.device))


def make_meta_doubles(
    value: Any, doubles: dict[int, tuple[Tensor, Tensor]], *, on_double: Callable[[Tensor, Tensor], None]
) -> Any:
    """Rebuild the same containers with a meta double for every real tensor, one double per tensor.

    Args:
        value: any nesting of containers.
        doubles: the doubles made so far, by id of the original. The original is kept beside its
            double, so that no later tensor is given its id and, with it, its double.
        on_double: called with each original and its double as the double is made.
    """

    def double(tensor: Tensor) -> Tensor:
        # What a transform such as vmap has wrapped has dimensions that its double would lack.
        if tensor.device == META or is_functorch_wrapped_tensor(tensor):
            return tensor
        # It is asked itself for the tensors inside, which are then replaced.
        if is_wrapper(tensor):
            return tensor
        known = doubles.get(id(tensor))
        if known is None:
            check_format(tensor)
            # With the original's strides: whether reshape copies depends on them, for one. Inside
            # torch.func.grad torch would wrap the double for its own use, and it could not serve later.
            with _DisableFuncTorch():
                empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)
            known = doubles[id(tensor)] = (tensor, empty)
            on_double(tensor, empty)
        return known[1]

    return tree_map_only(Tensor, double, value)
