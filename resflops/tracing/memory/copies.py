"""A copy of a model whose tensors are fake: they have shapes and storages, and no elements."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_map_only

from resflops.errors import TraceError
from resflops.tracing.inputs import as_tensors
from resflops.tracing.model_copies import CPU, copy_replacing_tensors, list_held_tensors
from resflops.tracing.modules import Modules

__all__ = ["copy_as_fakes", "make_inputs"]


def copy_as_fakes(modules: Modules, mode: FakeTensorMode, dtype: torch.dtype | None) -> nn.Module:
    """Copy a model with fake tensors that say they are on the CPU, wherever its own are.

    Args:
        modules: the model's modules.
        mode: the mode that the fakes belong to.
        dtype: the type of its floating-point tensors; None keeps each one's own.

    Raises:
        TraceError: something in the model cannot be copied.
    """
    fakes = _make_fakes(_list_tensors(modules), mode, dtype)
    copied = copy_replacing_tensors(modules, fakes)
    if copied is None:
        raise TraceError(
            f"{type(modules.model).__name__} cannot be copied, and its own tensors must not be replaced; "
            "remove what cannot be copied from it, such as a function that was set on a module"
        )
    return copied


def make_inputs(value: Any, dtype: torch.dtype | None) -> Any:
    """Make tensors of the inputs on the CPU, anywhere in nested containers; inside a fake mode, fake ones."""

    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    with torch.inference_mode(mode=False), torch.no_grad():
        made = as_tensors(value, CPU)
        return made if dtype is None else tree_map_only(Tensor, cast, made)


def _list_tensors(modules: Modules) -> list[Tensor]:
    model = modules.model
    return [*model.parameters(), *model.buffers(), *list_held_tensors(modules)]


def _make_fakes(
    tensors: Iterable[Tensor], mode: FakeTensorMode, dtype: torch.dtype | None
) -> dict[int, Tensor]:
    """Make a fake for each tensor, by its id; those that share their memory have fakes that share theirs."""
    fakes: dict[int, Tensor] = {}
    bases: dict[tuple[int, torch.dtype], Tensor] = {}
    with torch.inference_mode(mode=False), torch.no_grad():
        for tensor in tensors:
            if id(tensor) in fakes:
                continue
            kind = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
            if tensor.layout is not torch.strided or tensor.is_quantized:
                raise TraceError(
                    f"a tensor of layout {tensor.layout} and type {tensor.dtype} cannot be stood in for"
                )
            # Wrapped, and marked as a parameter, as torch does it itself, but under no mode: an op under one
            # takes about 0.1 ms, and three for each tensor took twice as long as the pass.
            fake: Any = FakeTensor(mode, _make_meta(tensor, kind, bases), CPU)
            if isinstance(tensor, nn.Parameter):
                fake.requires_grad_(tensor.requires_grad)._is_param = True
            elif tensor.requires_grad and tensor.is_leaf:
                fake.requires_grad_()
            fakes[id(tensor)] = fake
    return fakes


def _make_meta(tensor: Tensor, kind: torch.dtype, bases: dict[tuple[int, torch.dtype], Tensor]) -> Tensor:
    """Make a tensor on meta of the same layout; it lies in one base with those that share its memory."""
    storage = tensor.untyped_storage()
    base = bases.get((storage._cdata, kind))
    if base is None:
        # What an expanded tensor, or one that was cut out of a larger one, holds of it is its storage.
        elements = storage.nbytes() // tensor.element_size()
        base = torch.empty(max(elements, 0), dtype=kind, device="meta")
        bases[storage._cdata, kind] = base
    return base.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
