"""Where the modules that are measured come from: a spec, or the caller."""

from typing import Any, Protocol
from weakref import WeakValueDictionary

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from resflops.cost import price
from resflops.cost.convention import DEFAULT_CONVENTION, MACS, find_convention
from resflops.errors import InputError, ResflopsError
from resflops.latency.configuration import Configuration
from resflops.latency.measurements import Workload
from resflops.latency.prepare import (
    PreparedModel,
    adapt_inputs,
    adapt_module,
    copy_with_weights,
    prepare_model,
    randomize_inputs,
)
from resflops.latency.session import Device
from resflops.latency.workload import summarize_workload
from resflops.records import Shape, TensorSpec
from resflops.sources import FoundModel
from resflops.sources.building import open_found_model
from resflops.sources.counting import count_model
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

    def count_workload(self, configuration: Configuration) -> Workload:
        """Count the work of one step."""


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

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Build it, or take the one that another configuration uses already."""
        known = self._shared.find(configuration)
        if known is not None:
            return known, True
        with preserve_generators():
            opened = open_found_model(
                self._found, input_shape=self._input_shape(configuration), device=configuration.device
            )
        module = adapt_module(opened.module, configuration)
        self._shared.keep(configuration, module)
        return module, False

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build its usual inputs, for the batch."""
        opened = open_found_model(self._found, input_shape=self._input_shape(configuration))
        return as_tensors(opened.args, _CPU), as_tensors(opened.kwargs, _CPU)

    def count_workload(self, configuration: Configuration) -> Workload:
        """Count the work of one step."""
        cost = count_model(
            self._found,
            input_shape=self._input_shape(configuration),
            convention=find_convention(DEFAULT_CONVENTION),
            backward=configuration.training,
        )
        return summarize_workload(cost)

    def _input_shape(self, configuration: Configuration) -> Shape | None:
        if configuration.input_shape:
            return (configuration.batch, *configuration.input_shape)
        if configuration.batch != 1:
            raise InputError(
                f"{self._found.spec} brings its own inputs, so their batch cannot be set; "
                "give the shape of one input with --input"
            )
        return None


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

    def count_workload(self, configuration: Configuration) -> Workload:
        """Raise what is wrong with it."""
        del configuration
        raise self._error


class MeasurableModule:
    """A module of the caller, which is copied and left as it is."""

    def __init__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._module = module
        self._args = args
        self._kwargs = kwargs

    def build_module(self, configuration: Configuration) -> tuple[nn.Module, bool]:
        """Copy it, with weights on the device."""
        with preserve_generators():
            return adapt_module(copy_with_weights(self._module, configuration.device), configuration), False

    def build_inputs(self, configuration: Configuration) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build the caller's inputs; a shape stands for random numbers."""
        del configuration
        return as_tensors(self._args, _CPU), as_tensors(self._kwargs, _CPU)

    def count_workload(self, configuration: Configuration) -> Workload:
        """Count the work of one step."""
        traced = trace(self._module, *self._args, **self._kwargs)
        return summarize_workload(price(traced, MACS, backward=configuration.training))
