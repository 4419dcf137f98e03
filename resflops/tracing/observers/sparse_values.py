"""Sparse values: a tensor that is one number but for few elements, in little memory.

What a detector finds is made up as scores, most of which say that there is nothing: RetinaNet has eleven
million of them for one image, of which a hundred thousand find something.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

__all__ = ["SparseValues"]


class SparseValues(Struct, frozen=True, kw_only=True, eq=False):
    """The values of a tensor, most of which are the same number."""

    shape: tuple[int, ...]
    places: Tensor
    """Places of the elements that differ, in the flat tensor, from the first to the last."""
    values: Tensor
    """What is at these places, and, as the last element, the number that is everywhere else."""
    memory: object
    """What all views of one tensor's memory have in common."""

    @classmethod
    def make(cls, shape: Sequence[int], background: float, places: Tensor, values: Tensor) -> "SparseValues":
        """Make the values of a tensor from a number, and from the places and values of what differs."""
        order = places.argsort()
        rest = values.new_tensor([background])
        return cls(
            shape=tuple(shape),
            places=places[order],
            values=torch.cat((values[order], rest)),
            memory=object(),
        )

    def compute(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "SparseValues | Tensor | None":
        """Call a function on them; None if it takes the tensor itself.

        Args:
            func: the function.
            args: its arguments; the first stands for these values, whatever it is.
            kwargs: its keyword arguments.
        """
        if func in _ELEMENTWISE and not any(isinstance(each, Tensor | SparseValues) for each in args[1:]):
            values = func(self.values, *args[1:], **kwargs)
            return SparseValues(shape=self.shape, places=self.places, values=values, memory=object())
        if func in _FLATTENING or (
            func is torch.Tensor.__getitem__ and args[1:] == (0,) and self.shape[0] == 1
        ):
            shape = func(torch.empty(self.shape, device="meta"), *args[1:], **kwargs).shape
            return SparseValues(
                shape=tuple(shape), places=self.places, values=self.values, memory=self.memory
            )
        if func is torch.Tensor.__getitem__ and len(self.shape) == 1:
            return self._take(args[1])
        return None

    def _take(self, index: Any) -> Tensor | None:
        """Take the elements of a flat tensor at some places."""
        if isinstance(index, tuple) and len(index) == 1:
            (index,) = index
        if not isinstance(index, Tensor) or index.dtype is not torch.long or (index < 0).any():
            return None
        at = torch.searchsorted(self.places, index).clamp(max=len(self.places) - 1)
        return self.values[torch.where(self.places[at] == index, at, len(self.places))]

    def find_true(self) -> tuple[Tensor, ...]:
        """Find where a mask is true: the places by dimension, as ``nonzero(as_tuple=True)`` gives them."""
        if self.values[-1]:
            return self.fill().nonzero(as_tuple=True)
        return torch.unravel_index(self.places[self.values[:-1]], self.shape)

    def fill(self) -> Tensor:
        """Make the whole tensor."""
        filled = self.values[-1:].repeat(torch.Size(self.shape).numel())
        filled[self.places] = self.values[:-1]
        return filled.reshape(self.shape)


_ELEMENTWISE = frozenset((torch.sigmoid, torch.Tensor.sigmoid, torch.Tensor.gt, torch.Tensor.__gt__))
"""Functions of one tensor that make each element of the result from the one at its place."""
_FLATTENING = frozenset((torch.flatten, torch.Tensor.flatten, torch.Tensor.reshape, torch.Tensor.view))
"""Those that leave the elements in their order."""
