"""Tensors without memory: meta doubles of real ones, anywhere in nested arguments."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

__all__ = ["META", "on_meta", "tensors_in"]

META = torch.device("meta")


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested containers, in order."""
    for leaf in tree_leaves(value):
        if isinstance(leaf, Tensor):
            yield leaf


def on_meta(
    value: Any, doubles: dict[int, tuple[Tensor, Tensor]], *, doubled: Callable[[Tensor, Tensor], None]
) -> Any:
    """The same containers with a meta double for every real tensor, one double per tensor.

    Args:
        value: any nesting of containers.
        doubles: the doubles made so far, by id of the original, which is kept with its
            double so that the id stays its own.
        doubled: told of each original and its double as the double is made.
    """

    def double(tensor: Tensor) -> Tensor:
        if tensor.device == META:
            return tensor
        known = doubles.get(id(tensor))
        if known is None:
            empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)
            known = doubles[id(tensor)] = (tensor, empty)
            doubled(tensor, empty)
        return known[1]

    return tree_map_only(Tensor, double, value)
