"""A module that does what a scripted one does, layer by layer, in Python."""

from collections.abc import Iterator
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import Tensor, nn

from resflops.sources.programs.layers import make_class
from resflops.tracing.packed_parameters import UNPACKED
from resflops.tracing.redirections import find_recorder
from resflops.tracing.torchscript import Programs, ScriptCalls
from resflops.tracing.torchscript.functions import list_known_functions
from resflops.tracing.torchscript.weights import name_frozen_weights, read_packed_weights

__all__ = ["ScriptLayer", "ScriptModel", "find_compiled", "make_module"]


class ScriptLayer(nn.Module):
    """A layer of a scripted module, which goes through the code of that layer."""

    def forward(self, *arguments: Any, calls: ScriptCalls) -> Any:  # noqa: ANN401 - as the model has it
        """Go through the layer's forward.

        Args:
            arguments: what the layer is given.
            calls: the pass that this is part of.
        """
        return calls.run_method(self, "forward", arguments)


class ScriptModel(ScriptLayer):
    """The outermost layer, which takes what the scripted module takes."""

    script: Any
    """The scripted module: an attribute of the class, so that no copy of this module copies it."""
    programs: Programs
    """What its methods do, as far as passes have asked for it."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the model has it
        """Go through the code of the whole module."""
        recorder = find_recorder()
        real = torch._C._len_torch_dispatch_stack() == 0 if recorder is None else recorder.real  # noqa: SLF001
        calls = ScriptCalls(dict(_pair_layers(self, self.script)), real=real, programs=self.programs)
        if recorder is not None:
            recorder.script_calls = calls
        return calls.run_outermost(self, args, kwargs)


def make_module(script: Any) -> ScriptModel:  # noqa: ANN401 - a ScriptModule, whose attributes are its own
    """Make a module of a scripted one; they share the memory of parameters and buffers."""
    # Before another counter, which patches them, runs the model.
    list_known_functions()
    cls = make_class(_read_class(script), ScriptLayer)
    own = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "script": script,
        "programs": {},
        "forward": _make_forward(script),
    }
    root: ScriptModel = type(cls.__name__, (ScriptModel, cls), own)()
    _Filling().fill(root, script)
    return root


def find_compiled(module: nn.Module) -> nn.Module:
    """Find the scripted module that a model goes through, which runs faster; any other is given back."""
    return module.script if isinstance(module, ScriptModel) else module


def _read_class(script: Any) -> str:  # noqa: ANN401
    """Read the qualified name of the class that a module had before it was scripted."""
    path, _, name = script._c.qualified_name.removeprefix("__torch__.").rpartition(".")  # noqa: SLF001
    # Torch tells classes of one name apart by a part of the path.
    parts = [part for part in path.split(".") if not part.startswith("___torch_mangle_")]
    return ".".join([*parts, name]) if parts and parts[0] != "__torch__" else name


def _make_forward(script: Any) -> Any:  # noqa: ANN401
    """Make a forward that says what the scripted one takes: its schema has names, types and defaults."""

    def forward(self: ScriptModel, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return ScriptModel.forward(self, *args, **kwargs)

    parameters = [Parameter("self", Parameter.POSITIONAL_ONLY)]
    for argument in script.forward.schema.arguments[1:]:
        default = argument.default_value if argument.has_default_value() else Parameter.empty
        kind = Parameter.POSITIONAL_OR_KEYWORD
        annotation = str(argument.type)
        parameters.append(Parameter(argument.name, kind, default=default, annotation=annotation))
    forward.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return forward


class _Filling:
    """Fills the layers of one model with what its scripted modules hold."""

    def __init__(self) -> None:
        self._parameters: dict[Tensor, nn.Parameter] = {}

    def fill(self, layer: nn.Module, script: Any) -> None:  # noqa: ANN401 - a ScriptModule
        """Give a layer its parameters and buffers, and the layers within."""
        # What is frozen has no mode left.
        layer.training = getattr(script, "training", False)
        for name, tensor in (*script._parameters.items(), *name_frozen_weights(script)):  # noqa: SLF001
            layer.register_parameter(name, self._take(tensor))
        for name, tensor in script._buffers.items():  # noqa: SLF001
            layer.register_buffer(name, tensor)
        if unpacked := tuple(read_packed_weights(script)):
            vars(layer)[UNPACKED] = unpacked
        for name, child in script._modules.items():  # noqa: SLF001
            within = make_class(_read_class(child), ScriptLayer)()
            layer.register_module(name, within)
            self.fill(within, child)

    def _take(self, tensor: Tensor) -> nn.Parameter:
        """Make a parameter in the memory of a tensor; of a tied one the same for each of its names."""
        known = self._parameters.get(tensor)
        if known is None:
            known = self._parameters[tensor] = nn.Parameter(tensor.detach(), tensor.requires_grad)
        return known


def _pair_layers(layer: nn.Module, script: Any) -> Iterator[tuple[int, Any]]:  # noqa: ANN401
    """Pair each layer, by its id, with the scripted module whose code it goes through."""
    yield id(layer), script
    children = script._modules  # noqa: SLF001
    for name, within in layer._modules.items():  # noqa: SLF001
        if within is not None and name in children:
            yield from _pair_layers(within, children[name])
