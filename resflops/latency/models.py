"""Where the modules that are measured come from: a spec, or the caller."""

from functools import cache
from typing import Any, Protocol
from weakref import WeakValueDictionary

import torch
from msgspec.structs import replace
from torch import nn
from torch.utils._pytree import tree_leaves

from resflops.cost import Cost, price
from resflops.cost.convention import MACS
from resflops.errors import ResflopsError
from resflops.latency.configuration import Configuration
from resflops.latency.prepare import (
    PreparedModel,
    adapt_inputs,
    adapt_module,
    copy_with_weights,
    prepare_model,
    randomize_inputs,
)
from resflops.latency.session import Device
from resflops.records import Shape, TensorSpec
from resflops.sources import FoundModel
from resflops.sources.batches import replace_batch
from resflops.sources.building import open_found_model
from resflops.sources.counting import count_model
from resflops.sources.scripts import find_compiled
from resflops.tracing import trace
from resflops.tracing.generators import preserve_generators
from resflops.tracing.inputs import as_tensors

__all__ = [
    "Measurable",
    "MeasurableModule",
    "MeasurableSpec",
    "UnbuildableModel",
    "find_batch_size",
    "prepare_measurable",
]


_CPU = torch.device("cpu")


class Measurable(Protocol):
    """A model that can be built under any configuration."""

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Build it, adapted; and tell whether it was on the device before."""

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build what it is called with, before that is moved to the device."""

    def count(self, configuration: Configuration) -> Cost:
        """Count what one step costs."""

    def settle(self, configuration: Configuration, *, batch_given: bool = True) -> Configuration:
        """Settle what the model itself decides, such as the batch if nobody has asked for one."""


def prepare_measurable(model: Measurable, configuration: Configuration, device: Device) -> PreparedModel:
    """Prepare a model as a step that can be timed."""
    module, was_on_device = model.build_module(configuration)
    args, kwargs = adapt_inputs(randomize_inputs(model.build_inputs(configuration)), configuration)
    held = _count_held_bytes(module) if was_on_device else 0
    # The peak starts here: building in float32 and casting is no part of what a step needs.
    device.wait()
    device.reset_peak()
    return prepare_model(module, args, kwargs, configuration, held_before=held)


def _count_held_bytes(module: nn.Module) -> int:
    """Count the bytes of weights, and of gradients that another batch's training step has left."""
    parameters = list(module.parameters())
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return sum(tensor.nbytes for tensor in (*parameters, *module.buffers(), *gradients))


def find_batch_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Find the batch size of a call: the leading size of its first tensor."""
    for leaf in tree_leaves((args, kwargs)):
        if isinstance(leaf, torch.Tensor | TensorSpec) and len(leaf.shape):
            return leaf.shape[0]
    return 1


class _SharedModules:
    """Modules that several configurations share, for as long as one of them is prepared."""

    def __init__(self) -> None:
        # Weak, so that a session that releases what it prepared frees the module's memory.
        self._modules: WeakValueDictionary[tuple[object, ...], nn.Module] = WeakValueDictionary()

    def find(self, configuration: Configuration) -> nn.Module | None:
        return self._modules.get(self._key(configuration))

    def keep(self, configuration: Configuration, module: nn.Module) -> None:
        self._modules[self._key(configuration)] = module

    def _key(self, configuration: Configuration) -> tuple[object, ...]:
        # The mode too: what is compiled or captured must not see another's module change.
        return (
            configuration.device,
            configuration.dtype,
            configuration.autocast,
            configuration.memory_format,
            configuration.mode,
            configuration.training,
        )


class MeasurableSpec:
    """A model that a spec has found, built with random weights."""

    def __init__(self, found: FoundModel) -> None:
        self._found = found
        self._shared = _SharedModules()
        # A model must be built for what it brings, so that is kept.
        self._find_own_inputs = cache(self._build_own_inputs)

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Build it, or take the one that another configuration uses already."""
        known = self._shared.find(configuration)
        if known is not None:
            return known, True
        with preserve_generators():
            opened = open_found_model(
                self._set_batch(configuration),
                input_shape=_find_input_shape(configuration),
                device=configuration.device,
            )
        module = adapt_module(find_compiled(opened.module), configuration)
        self._shared.keep(configuration, module)
        return module, False

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build its usual inputs, for the batch."""
        if self._brings_inputs(configuration):
            args, kwargs = self._find_own_inputs()
        else:
            opened = open_found_model(
                self._set_batch(configuration), input_shape=_find_input_shape(configuration)
            )
            args, kwargs = opened.args, opened.kwargs
        return as_tensors(args, _CPU), as_tensors(kwargs, _CPU)

    def count(self, configuration: Configuration) -> Cost:
        """Count what one step costs."""
        return count_model(
            self._set_batch(configuration),
            input_shape=_find_input_shape(configuration),
            convention=MACS,
            backward=configuration.training,
        )

    def settle(self, configuration: Configuration, *, batch_given: bool = True) -> Configuration:
        """Take the batch of inputs that come with the model, if nobody has asked for one."""
        if configuration.input_shape or batch_given:
            return configuration
        try:
            return replace(configuration, batch=find_batch_size(*self._find_own_inputs()))
        except ResflopsError:
            # Its row says why it cannot be built.
            return configuration

    def _set_batch(self, configuration: Configuration) -> FoundModel:
        """Replace the batch of inputs that come with the model, if another one is asked for."""
        if configuration.input_shape or self._brings_inputs(configuration):
            return self._found
        return replace_batch(self._found, configuration.batch)

    def _brings_inputs(self, configuration: Configuration) -> bool:
        """Tell whether a configuration is of the inputs that come with the model, as they are."""
        if configuration.input_shape:
            return False
        return configuration.batch == find_batch_size(*self._find_own_inputs())

    def _build_own_inputs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        opened = open_found_model(self._found)
        return opened.args, opened.kwargs


def _find_input_shape(configuration: Configuration) -> Shape | None:
    return (configuration.batch, *configuration.input_shape) if configuration.input_shape else None


class UnbuildableModel:
    """A model that cannot be measured under any configuration, so that its rows say why."""

    def __init__(self, error: ResflopsError) -> None:
        self._error = error

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Raise what is wrong with it."""
        del configuration
        raise self._error

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Raise what is wrong with it."""
        del configuration
        raise self._error

    def count(self, configuration: Configuration) -> Cost:
        """Raise what is wrong with it."""
        del configuration
        raise self._error

    def settle(self, configuration: Configuration, *, batch_given: bool = True) -> Configuration:
        """Return the configuration as it is."""
        del batch_given
        return configuration


class MeasurableModule:
    """A module of the caller, which is copied and left as it is."""

    def __init__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._module = module
        self._args = args
        self._kwargs = kwargs

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Copy it, with weights on the device."""
        with preserve_generators():
            return adapt_module(
                copy_with_weights(find_compiled(self._module), configuration.device), configuration
            ), False

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build the caller's inputs; a shape stands for random numbers."""
        del configuration
        return as_tensors(self._args, _CPU), as_tensors(self._kwargs, _CPU)

    def count(self, configuration: Configuration) -> Cost:
        """Count what one step costs."""
        traced = trace(self._module, *self._args, **self._kwargs)
        return price(traced, MACS, backward=configuration.training)

    def settle(self, configuration: Configuration, *, batch_given: bool = True) -> Configuration:
        """Return the configuration as it is."""
        del batch_given
        return configuration
