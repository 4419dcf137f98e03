"""Sums that torch takes in place, but not while anything watches it: of gradients that meet, and of a bias.

With a dispatch mode on, every tensor counts as one of a subclass, and torch makes a new tensor of each sum
(``can_accumulate_inplace`` in torch/csrc/autograd/input_buffer.cpp, ``linear`` in aten/src/ATen/native). So
the sums that a plain run would take in place are found here, by torch's own conditions, and taken in place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

__all__ = ["Accumulation", "add_bias", "add_biases_in_place"]

_ADD = torch.ops.aten.add.Tensor
_ADD_IN_PLACE = torch.ops.aten.add_.Tensor


_adds_biases = ContextVar("adds_biases", default=False)


@contextmanager
def add_biases_in_place() -> Iterator[None]:
    """Let sums with a vector be taken in place, as ``linear`` does that is called meanwhile."""
    token = _adds_biases.set(True)
    try:
        yield
    finally:
        _adds_biases.reset(token)


class Accumulation:
    """Tells the sums that autograd takes of gradients, and which of them nothing else would see.

    How many references there are to a tensor that nothing else holds depends on the modes that an op passes
    on its way. So :meth:`calibrate` looks at one such tensor first.
    """

    def __init__(self) -> None:
        self._calibrates = False
        self._uses: tuple[int, int] | None = None

    def calibrate(self) -> None:
        """Count the references to a gradient that nothing else holds, under the modes that are on now."""
        self._calibrates = True
        try:
            with torch.enable_grad():
                leaf = torch.zeros(1, requires_grad=True)
                torch.autograd.backward(leaf * 2 + leaf * 3)
        finally:
            self._calibrates = False

    def add(self, func: object, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Tensor | None:
        """Add a gradient to another in place, if a plain run does; None if it does not."""
        if func is not _ADD or kwargs or torch.is_grad_enabled():
            return None
        first, second = args
        if not isinstance(first, Tensor) or not isinstance(second, Tensor):
            return None
        if self._calibrates:
            self._uses = _count_uses(first)
            return None
        if (
            first is second
            or self._uses is None
            or first.shape != second.shape
            or first.dtype is not second.dtype
            or first.layout is not torch.strided
            or _count_uses(first) != self._uses
            or not _is_dense(first)
        ):
            return None
        added: Tensor = _ADD_IN_PLACE(first, second)
        return added


def add_bias(func: object, args: tuple[Any, ...]) -> Tensor | None:
    """Add the bias of a linear layer in place; None if that is not what the op does."""
    if func is not _ADD or not _adds_biases.get() or args[1].dim() != 1:
        return None
    _ADD_IN_PLACE(*args)
    # Autograd gives the result a history of its own.
    added: Tensor = torch.ops.aten.alias.default(args[0])
    return added


def _count_uses(tensor: Tensor) -> tuple[int, int]:
    """Count the references to a tensor and to its storage."""
    storage = tensor.untyped_storage()
    return tensor._use_count(), torch._C._storage_Use_Count(storage._cdata)  # type: ignore[attr-defined, unused-ignore]


def _is_dense(tensor: Tensor) -> bool:
    """Say whether a tensor fills its memory without gaps, whatever the order of its dimensions."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True
