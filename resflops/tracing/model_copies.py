"""Copies of a model, for when the user's own cannot be traced as it stands."""

import contextlib
import copy
import os
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from resflops.errors import TraceError
from resflops.tracing.inputs import as_tensors
from resflops.tracing.meta import META

__all__ = ["on_cpu", "with_shapes"]

CPU = torch.device("cpu")


def with_shapes(model: nn.Module, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any]) -> nn.Module:
    """A copy on meta of a lazy model, after the first call that gives its parameters shapes."""
    twin = _twin(model, META)
    with torch.no_grad(), META:
        twin(*as_tensors(inputs, META), **as_tensors(keyword_inputs, META))
    return twin


def on_cpu(model: nn.Module) -> nn.Module:
    """The model where it can run for real: itself if it lies on the CPU, else a copy.

    The copy of a model on meta has zeros for weights, or what its modules' own
    ``reset_parameters`` gives them.

    Raises:
        TraceError: its weights would take most of the machine's memory.
    """
    tensors = _tensors_of(model)
    if all(tensor.device == CPU for tensor in tensors):
        return model
    _check_memory(model)
    if not any(tensor.is_meta for tensor in tensors):
        return copy.deepcopy(model).cpu()
    twin = _twin(model, CPU)
    for module in twin.modules():
        if callable(initialise := getattr(module, "reset_parameters", None)):
            # One that counts on more than it has been given leaves the rest of its zeros.
            with contextlib.suppress(Exception):
                initialise()
    return twin


def _tensors_of(model: nn.Module) -> tuple[Tensor, ...]:
    return (*model.parameters(), *model.buffers())


def _twin(model: nn.Module, device: torch.device) -> nn.Module:
    """A copy whose parameters and buffers are new ones on a device, tied where they were tied."""
    # deepcopy takes what the memo holds for an object: so no weight is copied, and tensors that
    # have no shape yet, which it refuses, are none of its business.
    memo: dict[int, Any] = {id(tensor): _double(tensor, device) for tensor in _tensors_of(model)}
    return copy.deepcopy(model, memo)


def _double(tensor: Tensor, device: torch.device) -> Tensor:
    if isinstance(tensor, UninitializedParameter):
        return UninitializedParameter(requires_grad=tensor.requires_grad, device=device)  # type: ignore[call-arg]
    if isinstance(tensor, UninitializedBuffer):
        return UninitializedBuffer(device=device)  # type: ignore[call-arg]
    double = torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    return nn.Parameter(double, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else double


def _check_memory(model: nn.Module) -> None:
    needed = sum(tensor.numel() * tensor.element_size() for tensor in _tensors_of(model))
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    if there is not None and needed > there / 2:
        raise TraceError(
            f"{type(model).__name__} has to run for real, since shapes do not tell its path, and its weights "
            f"take {needed / 2**30:.0f} of this machine's {there / 2**30:.0f} GiB; count a smaller one"
        )
