"""Copies of a model, for when the user's own cannot be traced as it stands."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

from resflops.tracing.inputs import as_tensors
from resflops.tracing.meta import META

__all__ = ["has_lazy_parameters", "on_cpu", "with_shapes"]


def has_lazy_parameters(model: nn.Module) -> bool:
    """Whether the first call would give some parameters their shapes."""
    return any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


def with_shapes(model: nn.Module, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any]) -> nn.Module:
    """A copy on meta of a lazy model, after the first call that gives its parameters shapes."""
    # deepcopy refuses tensors that have no shape yet; it takes what the memo holds for them.
    memo: dict[int, Any] = {id(tensor): _on_meta(tensor) for tensor in _tensors_of(model)}
    twin = copy.deepcopy(model, memo)
    with torch.no_grad(), META:
        twin(*as_tensors(inputs, META), **as_tensors(keyword_inputs, META))
    return twin


def on_cpu(model: nn.Module) -> nn.Module:
    """The model where it can run for real: itself if it lies on the CPU, else a copy."""
    devices = {tensor.device.type for tensor in _tensors_of(model)}
    if devices <= {"cpu"}:
        return model
    if "meta" not in devices:
        return copy.deepcopy(model).cpu()
    twin = copy.deepcopy(model).to_empty(device="cpu")
    with torch.no_grad():
        for tensor in _tensors_of(twin):
            tensor.zero_()
        for module in twin.modules():
            if callable(initialise := getattr(module, "reset_parameters", None)):
                initialise()
    return twin


def _tensors_of(model: nn.Module) -> tuple[Tensor, ...]:
    return (*model.parameters(), *model.buffers())


def _on_meta(tensor: Tensor) -> Tensor:
    if isinstance(tensor, UninitializedParameter):
        return UninitializedParameter(requires_grad=tensor.requires_grad, device=META)
    if isinstance(tensor, UninitializedBuffer):
        return UninitializedBuffer(device=META)
    empty = torch.empty_like(tensor, device=META)
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
