"""Calls of TorchScript methods from Python, in a thread in which a trace runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from torch import nn

from resflops.errors import DataDependentError, TraceError
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect
from resflops.tracing.torchscript.making import make_method_program, make_program
from resflops.tracing.torchscript.operators import REFUSED
from resflops.tracing.torchscript.program import Program, Run
from resflops.tracing.torchscript.values import ScriptInstance, Unsupported, unwrap
from resflops.tracing.torchscript.weights import name_frozen_weights

__all__ = ["Programs", "ScriptCalls", "call_method", "describe_unseen"]


class _Known(Struct, frozen=True):
    """The program of a method of a class."""

    type: Any
    program: Program | None
    """None if Python cannot go through it."""
    reason: str = ""
    """Why it cannot."""


Programs = dict[tuple[str, str], list[_Known]]
"""Programs by the names of class and method; two files that were loaded may have the same ones."""


class ScriptCalls(Run):
    """Goes through the TorchScript that a pass calls.

    Args:
        scripts: the scripted module of each module that ops are recorded under, by the id of that one, which
            is the scripted module itself or stands for it.
        real: whether tensors have values.
        programs: those that earlier passes have made, to which this one adds.
    """

    def __init__(self, scripts: Mapping[int, Any], *, real: bool, programs: Programs | None = None) -> None:
        self._scripts, self._real = scripts, real
        self._programs: Programs = {} if programs is None else programs
        self._written: dict[tuple[int, str], Any] = {}
        self.unseen: dict[str, str] = {}
        """The classes whose methods run as they were compiled, and why."""
        self.frozen = False
        """Whether weights are constants of the code."""

    def run_outermost(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the forward of a whole model, called as Python calls it."""
        script = self._scripts[id(module)]
        arguments = _bind_arguments(script.forward.schema, args, kwargs)
        # Torch says best why arguments do not fit.
        return (
            script(*args, **kwargs)
            if arguments is None
            else unwrap(self.run_method(module, "forward", arguments))
        )

    def run_method(self, module: Any, name: str, arguments: Sequence[Any]) -> Any:
        """Run a method of a module: step by step, or as it was compiled."""
        script = self._scripts[id(module)]
        program = self._find_program(script, name)
        if program is None:
            method = script._c._get_method(name)
            self.check_compiled(method)
            return run_compiled(module, method, [unwrap(argument) for argument in arguments])
        # Of a module that stands for a frozen one, its own weights.
        weights = [] if module is script else [module._parameters[each] for each in program.weights]
        return run_program(module, self, program, [module, *arguments], weights)

    def _find_program(self, script: Any, name: str) -> Program | None:

        def make() -> Program:
            weights = dict(name_frozen_weights(script)) if name == "forward" else {}
            return make_program(script._c._get_method(name).graph, weights)

        return self._keep_program(script._c._type(), name, make)

    def _keep_program(self, owner: Any, name: str, make: Callable[[], Program]) -> Program | None:
        kept = self._programs.setdefault((str(owner), name), [])
        known = next((each for each in kept if each.type == owner), None)
        if known is None:
            try:
                known = _Known(owner, make())
            except Unsupported as reason:
                known = _Known(owner, None, str(reason))
            kept.append(known)
        if known.program is None:
            self.unseen.setdefault(owner.name(), known.reason)
        elif known.program.weights:
            self.frozen = True
        return known.program

    def read(self, module: Any, name: str) -> Any:
        """Read an attribute of a module; what it holds in C++ is copied, so lists are kept for the pass."""
        if isinstance(module, ScriptInstance):
            return module.attributes[name]
        script = self._scripts.get(id(module))
        if script is None:
            return getattr(module, name)
        key = id(module), name
        if key in self._written:
            return self._written[key]
        children: Any = module._modules
        if name in children:
            return children[name]
        if module is not script and (
            name == "training" or name in module._parameters or name in module._buffers
        ):
            return getattr(module, name)
        value = script._c.getattr(name)
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
        script = self._scripts.get(id(module))
        if script is None:
            return getattr(module, name)(*map(unwrap, arguments))
        if name == "forward" and module is not script:
            # As Python calls a layer, so that its hooks run.
            return module(*arguments, calls=self)
        return self.run_method(module, name, arguments)

    def check_compiled(self, method: Any) -> None:
        """Check code that is about to run as it was compiled, with all that it calls.

        Raises:
            TraceError: it reads or writes files.
            DataDependentError: in a pass on shapes, torch would die of a tensor without memory.
        """
        graph = method.inlined_graph
        for kind in REFUSED:
            if graph.findAllNodes(kind):
                raise TraceError(f"its TorchScript reads or writes files ({kind}), which a count does not do")
        if not self._real and any(map(graph.findAllNodes, _FILLING)):
            raise DataDependentError(f"the TorchScript of {method.owner} makes tensors of numbers")


_FILLING = ("aten::tensor", "aten::as_tensor")
"""Ops of torch.jit that fill the tensor that they make past the dispatcher."""


def make_unseen_error(name: str, unseen: dict[str, str]) -> TraceError:
    """Make the error for an object that compiled code alone could work with."""
    return TraceError(
        f"the TorchScript class {name} has {unseen.get(name, 'code')}, which cannot be traced; "
        "trace the module that the file was made of"
    )


# The first argument of these has the name by which the layer of an op is found.
def run_program(
    self: Any, calls: ScriptCalls, program: Program, arguments: list[Any], weights: list[Any]
) -> Any:
    """Go through a method of a module."""
    return program.run(calls, arguments, weights)


def run_compiled(self: Any, method: Any, arguments: list[Any]) -> Any:
    """Run a method of a module as it was compiled."""
    return method(*arguments)


@redirect("torch._C", "ScriptMethod.__call__")
def call_method(recorder: Recorder, own: Callable[..., Any], method: Any, *args: Any, **kwargs: Any) -> Any:
    """Go through a method of a scripted module, node by node."""
    owner = _find_owner(recorder.scripted, method) if recorder.scripted else None
    if owner is None:
        # Of an object of C++, such as packed weights, or of a part that is called by itself.
        return own(method, *args, **kwargs)
    if recorder.script_calls is None:
        scripts = {id(module): module for module in recorder.scripted}
        recorder.script_calls = ScriptCalls(scripts, real=recorder.real)
    calls = recorder.script_calls
    arguments = _bind_arguments(method.schema, args, kwargs)
    if arguments is None:
        # Torch says best why they do not fit.
        return own(method, *args, **kwargs)
    return unwrap(calls.run_method(owner, method.name, arguments))


def _find_owner(modules: Sequence[nn.Module], method: Any) -> nn.Module | None:
    """Find the module that Python has a method from."""
    name = method.name
    return next((module for module in modules if _find_holder(module).get(name) is method), None)


def _find_holder(module: nn.Module) -> dict[str, Any]:
    """Find where Python keeps the methods that it has asked a module for."""
    own = vars(module)
    # What torch.jit.trace gives has a module of C++ within.
    return vars(own["_actual_script_module"]) if "_actual_script_module" in own else own


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
