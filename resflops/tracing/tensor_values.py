"""The values of a model's tensors before a real run, for models that cannot be copied."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["TensorValues"]


class TensorValues:
    """The values, shapes and gradients of some tensors at one moment.

    Whole storages are kept: of an expanded tensor several elements are one, and a view's base changes with
    it. They are put back past autograd, so that a backward pass of the caller's that is still to come finds
    what it has saved.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        own = list({id(tensor): tensor for tensor in tensors if _has_values(tensor)}.values())
        gradients = [tensor.grad for tensor in own if tensor.is_leaf and tensor.grad is not None]
        # By another tensor of the same memory, which stays what it is if the tensor is resized or given data.
        self._tensors = [(tensor, tensor.detach()) for tensor in (*own, *gradients)]
        self._leaves = [(tensor, tensor.requires_grad, tensor.grad) for tensor in own if tensor.is_leaf]
        storages: dict[int, Any] = {
            alias.untyped_storage()._cdata: alias.untyped_storage() for _, alias in self._tensors
        }
        self._storages: list[tuple[Any, Any]] = [(each, each.clone()) for each in storages.values()]

    def restore(self) -> None:
        """Put everything back."""
        for storage, saved in self._storages:
            if storage.nbytes() != saved.nbytes():
                storage.resize_(saved.nbytes())
            storage.copy_(saved)
        for tensor, alias in self._tensors:
            if not _is_same_view(tensor, alias):
                tensor.data = alias
        for tensor, required, gradient in self._leaves:
            # Torch lets nobody change what was made in inference mode.
            if not tensor.is_inference():
                tensor.requires_grad_(required)
                tensor.grad = gradient


def _has_values(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_meta and type(tensor) in _PLAIN


_PLAIN = frozenset((Tensor, torch.nn.Parameter, torch.nn.Buffer))


def _is_same_view(tensor: Tensor, alias: Tensor) -> bool:
    return _read_view(tensor) == _read_view(alias)


def _read_view(tensor: Tensor) -> tuple[Any, ...]:
    storage = tensor.untyped_storage()._cdata
    return storage, tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset()
