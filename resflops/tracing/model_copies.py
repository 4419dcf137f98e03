"""Copies of a model, for cases in which the user's own cannot be traced as it is."""

import contextlib
import copy
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from itertools import chain
from math import prod
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.overrides import TorchFunctionMode

from resflops.errors import DataDependentError, InputError, TraceError, describe_error
from resflops.ops import OPS
from resflops.tracing.failures import UndecidedError
from resflops.tracing.generators import fix_generators, preserve_generators
from resflops.tracing.inputs import as_tensors
from resflops.tracing.meta import META
from resflops.tracing.modules import Modules

__all__ = [
    "CPU",
    "check_worth_running",
    "copy_replacing_tensors",
    "copy_sharing_tensors",
    "copy_whole",
    "copy_with_shapes",
    "ensure_on_cpu",
    "list_held_tensors",
    "refuse_made_up_weights",
]

CPU = torch.device("cpu")

_MAKES_UP_WEIGHTS = ContextVar("_MAKES_UP_WEIGHTS", default=True)


@contextlib.contextmanager
def refuse_made_up_weights() -> Iterator[None]:
    """Refuse to make weights up for a model on meta: whoever can build it with its own rather does that."""
    token = _MAKES_UP_WEIGHTS.set(False)
    try:
        yield
    finally:
        _MAKES_UP_WEIGHTS.reset(token)


def copy_sharing_tensors(modules: Modules) -> nn.Module | None:
    """Copy a model all but its tensors, for a pass on shapes, which writes into none.

    Returns:
        The copy; None where something in the model cannot be copied, or would call the model itself.
    """
    memo: dict[int, Any] = {id(tensor): tensor for tensor in list_held_tensors(modules)}
    with _CopyTensors(lambda tensor: tensor):
        return _copy(modules, memo)


def copy_replacing_tensors(modules: Modules, replacements: dict[int, Tensor]) -> nn.Module | None:
    """Copy a model with other tensors in the place of its own, by the ids of these.

    Returns:
        The copy; None where something in the model cannot be copied, or would call the model itself.
    """
    with _CopyTensors(lambda tensor: tensor):
        return _copy(modules, dict(replacements))


def copy_whole(modules: Modules) -> nn.Module | None:
    """Copy a model with its tensors, for a real run, which may write into any.

    Returns:
        The copy; None where something in the model cannot be copied, or would call the model itself.

    Raises:
        TraceError: its weights would take more than half of the machine's memory.
    """
    if all(tensor.device == CPU for tensor in _list_tensors(modules.model)):
        _check_memory(modules.model)
    # Outside a mode of the caller's, in which autograd could not use the copies.
    with torch.inference_mode(mode=False), _CopyTensors(lambda tensor: tensor.detach().clone()):
        return _copy(modules, {})


class _CopyTensors(TorchFunctionMode):
    """Copies tensors that torch refuses to copy, since they have come out of other ones.

    Such a one may also be new: another thread that runs the model may set it while the model is being copied.
    """

    def __init__(self, copy_tensor: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._copy_tensor = copy_tensor

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            memo[id(tensor)] = copied = self._copy_tensor(tensor)
            return copied
        return func(*args, **(kwargs or {}))


def _copy(modules: Modules, memo: dict[int, Any]) -> nn.Module | None:
    if any(isinstance(value, FunctionType) for value in modules.held.opaque):
        return None
    memo |= {id(value): value for value in modules.held.shared}
    for value in modules.held.opaque:
        # What cannot be copied, such as an open file, is shared.
        try:
            copy.deepcopy(value, dict(memo))
        except Exception:  # noqa: BLE001 - a class may refuse in any way
            memo[id(value)] = value
    for _ in range(_ATTEMPTS):
        try:
            return copy.deepcopy(modules.model, dict(memo))
        except RuntimeError as error:
            # Another thread runs the model, and what it sets cannot be iterated over just then.
            if "during iteration" not in str(error):
                return None
        except Exception:  # noqa: BLE001
            return None
    return None


_ATTEMPTS = 5


def list_held_tensors(modules: Modules) -> list[Tensor]:
    """List the tensors of a model, wherever it holds them."""
    values = chain.from_iterable(list(attributes.values()) for attributes in modules.attributes)
    return [*[value for value in values if isinstance(value, Tensor)], *modules.held.tensors]


def copy_with_shapes(model: nn.Module, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any]) -> nn.Module:
    """Copy a lazy model and call the copy once, which gives its parameters their shapes.

    The copy is on meta or, if the model needs values, on the CPU.

    Raises:
        TraceError: the model failed.
    """
    with preserve_generators():
        try:
            return _call_copy(model, inputs, keyword_inputs, META)
        except Exception:  # noqa: BLE001 - a forward pass may raise anything, and values may cure it
            try:
                return _call_copy(model, inputs, keyword_inputs, CPU)
            except Exception as error:
                raise TraceError(
                    f"{type(model).__name__} is lazy, and its first call raised {describe_error(error)}"
                ) from error


def _call_copy(
    model: nn.Module, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], device: torch.device
) -> nn.Module:
    copied = _copy_on(model, device)
    with torch.no_grad(), device:
        copied(*as_tensors(inputs, device), **as_tensors(keyword_inputs, device))
    return copied


def ensure_on_cpu(model: nn.Module) -> nn.Module:
    """Give a model that can run on the CPU: itself if it is there already, else a copy.

    The copy of a model on meta has the weights that its modules' own ``reset_parameters`` sets from a fixed
    seed, and zeros where there is no such method.

    Raises:
        DataDependentError: it is on meta, and weights must not be made up.
        TraceError: its weights would take more than half of the machine's memory.
    """
    tensors = _list_tensors(model)
    if all(tensor.device == CPU for tensor in tensors):
        return model
    _check_memory(model)
    if not any(tensor.is_meta for tensor in tensors):
        return copy.deepcopy(model).cpu()
    if not _MAKES_UP_WEIGHTS.get():
        raise DataDependentError(f"{type(model).__name__} has to run for real, and is on the meta device")
    copied = _copy_on(model, CPU)
    with fix_generators():
        for module in copied.modules():
            if callable(initialise := getattr(module, "reset_parameters", None)):
                # A method that fails, for want of an argument say, leaves weights that it did not reach at 0.
                with contextlib.suppress(Exception):
                    initialise()
    return copied


_MOST_MACS = 10**10
"""A second or so of a processor."""
_MOST_ELEMENTS = 1 << 28
"""A GiB of a tensor in float32."""


def check_worth_running(model: nn.Module, error: TraceError | InputError) -> None:
    """Pass a failure of a pass on shapes if a real run may cure it and, where that is not sure, is cheap.

    Raises:
        TraceError: the failure, if the model must not run for real because of it.
        InputError: likewise.
    """
    if isinstance(error, DataDependentError):
        return
    if not isinstance(error, UndecidedError):
        raise error
    works = [(OPS[op.op].work, op) for op in error.ops if op.op in OPS]
    macs = sum(work(op).macs for work, op in works if work is not None)
    largest = max((prod(op.output_shape) for op in error.ops), default=0)
    made = sum(tensor.numel() for tensor in _list_tensors(model) if tensor.is_meta)
    if macs > _MOST_MACS or max(largest, made) > _MOST_ELEMENTS:
        raise TraceError(str(error)) from error.__cause__


def _list_tensors(model: nn.Module) -> tuple[Tensor, ...]:
    return (*model.parameters(), *model.buffers())


def _copy_on(model: nn.Module, device: torch.device) -> nn.Module:
    """Copy a model with new parameters and buffers on a device, tied where they were tied."""
    # deepcopy takes what its memo holds for an object. So no weight is copied, and deepcopy does not meet
    # the tensors that have no shape yet, which it refuses.
    memo: dict[int, Any] = {id(tensor): _make_double(tensor, device) for tensor in _list_tensors(model)}
    return copy.deepcopy(model, memo)


def _make_double(tensor: Tensor, device: torch.device) -> Tensor:
    if isinstance(tensor, UninitializedParameter):
        return UninitializedParameter(requires_grad=tensor.requires_grad, device=device)  # type: ignore[call-arg]
    if isinstance(tensor, UninitializedBuffer):
        return UninitializedBuffer(device=device)  # type: ignore[call-arg]
    double = torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    return nn.Parameter(double, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else double


def _check_memory(model: nn.Module) -> None:
    needed = sum(tensor.numel() * tensor.element_size() for tensor in _list_tensors(model))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    if memory is not None and needed > memory / 2:
        raise TraceError(
            f"{type(model).__name__} has to run for real, since its path depends on values, "
            f"and its weights take {needed / 2**30:.0f} of this machine's {memory / 2**30:.0f} GiB; "
            "count a smaller model"
        )
