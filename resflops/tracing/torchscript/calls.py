"""Calls of TorchScript methods from Python, in a thread in which a trace runs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from resflops.errors import DataDependentError, TraceError
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect
from resflops.tracing.torchscript.program import Program, Run, make_method_program, make_program
from resflops.tracing.torchscript.values import ScriptInstance, Unsupported, unwrap
from resflops.tracing.torchscript.weights import find_frozen_weights

__all__ = ["ScriptCalls", "call_method", "describe_unseen"]


class _Known(Struct, frozen=True):
    """The program of a method of a class; None if Python cannot go through it."""

    type: Any
    program: Program | None


class ScriptCalls(Run):
    """Goes through the TorchScript that a pass calls.

    Args:
        modules: the scripted modules of the model.
        real: whether tensors have values.
    """

    def __init__(self, modules: Sequence[nn.Module], *, real: bool) -> None:
        self._modules, self._real = modules, real
        # By names, of which two files that were loaded may have the same one.
        self._programs: dict[tuple[str, str], list[_Known]] = {}
        self._written: dict[tuple[int, str], Any] = {}
        self.unseen: dict[str, str] = {}
        """The classes whose methods run as they were compiled, and why."""
        self.frozen = False
        """Whether weights are constants of the code."""

    def find_owner(self, method: Any) -> nn.Module | None:
        """Find the module that Python has a method from."""
        name = method.name
        return next((module for module in self._modules if _find_holder(module).get(name) is method), None)

    def find_program(self, module: Any, name: str) -> Program | None:
        """Make the program of a module's method, if Python can go through it."""

        def make() -> Program:
            graph = module._c._get_method(name).graph
            self.frozen = self.frozen or bool(find_frozen_weights(graph))
            return make_program(graph)

        return self._keep_program(module._c._type(), name, make)

    def _keep_program(self, owner: Any, name: str, make: Callable[[], Program]) -> Program | None:
        known = self._programs.setdefault((str(owner), name), [])
        for each in known:
            if each.type == owner:
                return each.program
        try:
            program = make()
        except Unsupported as reason:
            self.unseen.setdefault(owner.name(), str(reason))
            program = None
        known.append(_Known(owner, program))
        return program

    def read(self, module: Any, name: str) -> Any:
        """Read an attribute of a module; what it holds in C++ is copied, so lists are kept for the pass."""
        if isinstance(module, ScriptInstance):
            return module.attributes[name]
        if not isinstance(module, torch.jit.ScriptModule):
            return getattr(module, name)
        key = id(module), name
        if key in self._written:
            return self._written[key]
        children: Any = module._modules
        if name in children:
            return children[name]
        value = module._c.getattr(name)
        if isinstance(value, (list, dict)):
            self._written[key] = value
        return value

    def write(self, module: Any, name: str, value: Any) -> None:
        """Write an attribute of an object, or of a module for the rest of the pass alone."""
        if isinstance(module, ScriptInstance):
            module.attributes[name] = value
        else:
            self._written[id(module), name] = value

    def call(self, module: Any, name: str, arguments: list[Any]) -> Any:
        """Call a method of a module or of another object."""
        if isinstance(module, ScriptInstance):
            program = self._keep_program(
                module.type, name, lambda: make_method_program(module.type, name, len(arguments))
            )
            if program is None:
                raise make_unseen_error(module.type.name(), self.unseen)
            return program.run(self, [module, *arguments])
        if not isinstance(module, torch.jit.ScriptModule):
            return getattr(module, name)(*map(unwrap, arguments))
        program = self.find_program(module, name)
        if program is None:
            self.check_compiled(module._c._get_method(name))
            return run_compiled(module, name, [unwrap(argument) for argument in arguments])
        return run_program(module, self, program, [module, *arguments])

    def check_compiled(self, method: Any) -> None:
        """Stop a pass on shapes before compiled code that would die of a tensor without memory."""
        if not self._real and any(map(method.inlined_graph.findAllNodes, _FILLING)):
            raise DataDependentError(f"the TorchScript of {method.owner} makes tensors of numbers")


_FILLING = ("aten::tensor", "aten::as_tensor")
"""Ops of torch.jit that fill the tensor that they make past the dispatcher."""


def make_unseen_error(name: str, unseen: dict[str, str]) -> TraceError:
    """Make the error for an object that compiled code alone could work with."""
    return TraceError(
        f"the TorchScript class {name} has {unseen.get(name, 'code')}, which cannot be traced; "
        "trace the module that the file was made of"
    )


def _find_holder(module: nn.Module) -> dict[str, Any]:
    """Find where Python keeps the methods that it has asked a module for."""
    own = vars(module)
    # What torch.jit.trace gives has a module of C++ within.
    return vars(own["_actual_script_module"]) if "_actual_script_module" in own else own


# The first argument of these has the name by which the layer of an op is found.
def run_program(self: Any, calls: ScriptCalls, program: Program, arguments: list[Any]) -> Any:
    """Go through a method of a module."""
    return program.run(calls, arguments)


def run_compiled(self: Any, name: str, arguments: list[Any]) -> Any:
    """Run a method of a module as it was compiled."""
    return self._c._get_method(name)(*arguments)


@redirect("torch._C", "ScriptMethod.__call__")
def call_method(recorder: Recorder, own: Callable[..., Any], method: Any, *args: Any, **kwargs: Any) -> Any:
    """Go through a method of a scripted module, node by node."""
    if recorder.script_calls is None:
        recorder.script_calls = ScriptCalls(recorder.scripted, real=recorder.real)
    calls = recorder.script_calls
    owner = calls.find_owner(method)
    arguments = None if owner is None else _bind_arguments(method.schema, args, kwargs)
    program = None if arguments is None else calls.find_program(owner, method.name)
    if arguments is None or program is None:
        calls.check_compiled(method)
        return own(method, *args, **kwargs)
    return unwrap(run_program(owner, calls, program, [owner, *arguments]))


def _bind_arguments(schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any] | None:
    """Put arguments into the order of a schema; None if they do not fit, of which torch says it best."""
    _, *expected = schema.arguments
    given = list(args)
    for argument in expected[len(args) :]:
        if argument.name in kwargs:
            given.append(kwargs[argument.name])
        elif argument.has_default_value():
            given.append(argument.default_value)
        else:
            return None
    fits = len(args) <= len(expected) and len(given) - len(args) >= len(kwargs)
    return given if fits else None


def describe_unseen(recorder: Recorder) -> tuple[str, ...]:
    """Say of which TorchScript the layers are not told apart, and why."""
    calls = recorder.script_calls
    if calls is None:
        return ()
    return (
        *(
            f"the TorchScript of {name} was run as compiled, as one layer: its code has {reason}"
            for name, reason in calls.unseen.items()
        ),
        *((_FROZEN,) if calls.frozen else ()),
    )


_FROZEN = (
    "its TorchScript is frozen: its weights are constants of its code, which count as parameters, BatchNorm "
    "is folded into them where it could be, and its layers are not told apart"
)
