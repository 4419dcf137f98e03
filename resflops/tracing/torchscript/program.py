"""From the graph of a TorchScript method to the steps that it takes, for Python to go through."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from msgspec import Struct

from resflops.tracing.torchscript.operators import Operate, bind_node
from resflops.tracing.torchscript.values import ScriptInstance, Unsupported

__all__ = ["Program", "Run", "make_method_program", "make_program"]

Values = list[Any]
"""The values of a graph while it runs, each in its slot."""

CALL_METHOD = "resflops::call_method"
"""What a call of a method is called while the functions of a graph are put into it."""


class Run(Protocol):
    """What the steps of a program need of the pass that they belong to."""

    def read(self, module: Any, name: str) -> Any:
        """Read an attribute of a module."""

    def write(self, module: Any, name: str, value: Any) -> None:
        """Write an attribute of a module, for the rest of the pass alone."""

    def call(self, module: Any, name: str, arguments: list[Any]) -> Any:
        """Call a method of a module."""


Step = Callable[[Run, Values], None]


class Program(Struct, frozen=True, kw_only=True):
    """What a method does, in order."""

    slots: Values
    """A value for every slot: the constants, and None for what the steps work out."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]

    def run(self, run: Run, arguments: Sequence[Any]) -> Any:
        """Go through the steps, and give what the method returns."""
        values = self.slots.copy()
        for slot, argument in zip(self.inputs, arguments, strict=True):
            values[slot] = argument
        _take(self.steps, run, values)
        return values[self.outputs[0]] if self.outputs else None


def _take(steps: Sequence[Step], run: Run, values: Values) -> None:
    for step in steps:
        step(run, values)


def make_program(graph: Any) -> Program:
    """Make the program of a graph, a ``torch._C.Graph``.

    Raises:
        Unsupported: it has a node that Python cannot go through.
    """
    return _Maker(_inline_functions(graph)).make_program()


def make_method_program(type_: Any, name: str, arguments: int) -> Program:
    """Make the program of a method of a class that is no module, of which Python has no graph.

    Torch puts the method's graph in the place of a call of it.

    Raises:
        Unsupported: it has a node that Python cannot go through.
    """
    graph: Any = torch._C.Graph()
    given = [graph.addInput() for _ in range(arguments + 1)]
    given[0].setType(type_)
    call = graph.create("prim::CallMethod", given, 1)
    call.s_("name", name)
    graph.insertNode(call)
    graph.registerOutput(call.output())
    torch._C._jit_pass_inline(graph)
    return _Maker(graph).make_program()


def _inline_functions(graph: Any) -> Any:
    """Copy a graph with the functions that it calls put in their place, and the methods left as they are.

    Torch's pass puts in both, so meanwhile the calls of methods are nodes that it does not know.
    """
    graph = graph.copy()
    for node in list(_list_nodes(graph)):
        if node.kind() == "prim::CallMethod":
            call = graph.create(CALL_METHOD, list(node.inputs()), node.outputsSize())
            call.s_("name", node.s("name"))
            call.insertBefore(node)
            for own, other in zip(call.outputs(), node.outputs(), strict=True):
                own.setType(other.type())
            node.replaceAllUsesWith(call)
            node.destroy()
    torch._C._jit_pass_inline(graph)
    return graph


def _list_nodes(block: Any) -> Any:
    for node in list(block.nodes()):
        for inner in node.blocks():
            yield from _list_nodes(inner)
        yield node


class _Maker:
    """Numbers the values of a graph and makes a step of each node."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._numbers: dict[str, int] = {}
        self._slots: Values = []

    def make_program(self) -> Program:
        """Make the program of the graph."""
        inputs = tuple(map(self._number, self._graph.inputs()))
        steps = self._make_steps(self._graph)
        outputs = tuple(map(self._number, self._graph.outputs()))
        return Program(slots=self._slots, inputs=inputs, outputs=outputs, steps=steps)

    def _number(self, value: Any) -> int:
        name = value.debugName()
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._slots)
            self._slots.append(None)
        return number

    def _make_steps(self, block: Any) -> tuple[Step, ...]:
        steps = []
        for node in block.nodes():
            kind = node.kind()
            if kind == "prim::Constant":
                self._slots[self._number(node.output())] = node.output().toIValue()
                continue
            make = _STEPS.get(kind)
            steps.append(make(self, node) if make is not None else self._make_operation(node))
        return tuple(steps)

    def _slots_of(self, node: Any) -> tuple[list[int], list[int]]:
        return [self._number(each) for each in node.inputs()], [self._number(each) for each in node.outputs()]

    def _make_operation(self, node: Any) -> Step:
        inputs, outputs = self._slots_of(node)
        operate: Operate = bind_node(node)
        if len(outputs) == 1:
            (output,) = outputs

            def step(run: Run, values: Values) -> None:
                values[output] = operate([values[slot] for slot in inputs])

        else:

            def step(run: Run, values: Values) -> None:
                results = operate([values[slot] for slot in inputs])
                for slot, result in zip(outputs, results if outputs else (), strict=True):
                    values[slot] = result

        return step

    def make_read(self, node: Any) -> Step:
        """Make the step that reads an attribute."""
        (module,), (output,) = self._slots_of(node)
        name = node.s("name")

        def step(run: Run, values: Values) -> None:
            values[output] = run.read(values[module], name)

        return step

    def make_write(self, node: Any) -> Step:
        """Make the step that writes an attribute."""
        (module, given), _ = self._slots_of(node)
        name = node.s("name")

        def step(run: Run, values: Values) -> None:
            run.write(values[module], name, values[given])

        return step

    def make_call(self, node: Any) -> Step:
        """Make the step that calls a method."""
        (module, *given), (output,) = self._slots_of(node)
        name = node.s("name")

        def step(run: Run, values: Values) -> None:
            values[output] = run.call(values[module], name, [values[slot] for slot in given])

        return step

    def make_object(self, node: Any) -> Step:
        """Make the step that makes an object, which its ``__init__`` is then called on."""
        _, (output,) = self._slots_of(node)
        type_ = node.output().type()

        def step(run: Run, values: Values) -> None:
            values[output] = ScriptInstance(type_, {})

        return step

    def make_enter(self, node: Any) -> Step:
        """Make the step that enters or leaves a context."""
        (context,), outputs = self._slots_of(node)
        name, arguments = ("__enter__", 0) if node.kind() == "prim::Enter" else ("__exit__", 3)

        def step(run: Run, values: Values) -> None:
            result = run.call(values[context], name, [None] * arguments)
            for output in outputs:
                values[output] = result

        return step

    def make_choice(self, node: Any) -> Step:
        """Make the step that takes one of two ways."""
        (condition,), outputs = self._slots_of(node)
        ways = [
            (self._make_steps(block), [self._number(each) for each in block.outputs()])
            for block in node.blocks()
        ]

        def step(run: Run, values: Values) -> None:
            steps, results = ways[0 if values[condition] else 1]
            _take(steps, run, values)
            _copy(values, results, outputs)

        return step

    def make_loop(self, node: Any) -> Step:
        """Make the step that repeats others."""
        (most, condition, *given), outputs = self._slots_of(node)
        (block,) = node.blocks()
        trip, *carried = [self._number(each) for each in block.inputs()]
        steps = self._make_steps(block)
        goes_on, *results = [self._number(each) for each in block.outputs()]

        def step(run: Run, values: Values) -> None:
            _copy(values, given, carried)
            number, going = 0, values[condition]
            while going and number < values[most]:
                values[trip] = number
                _take(steps, run, values)
                going = values[goes_on]
                _copy(values, results, carried)
                number += 1
            _copy(values, carried, outputs)

        return step

    def make_fork(self, node: Any) -> Step:
        """Make the step that begins another task, which runs at once."""
        inputs, (output,) = self._slots_of(node)
        program = make_program(node.g("Subgraph"))

        def step(run: Run, values: Values) -> None:
            values[output] = program.run(run, [values[slot] for slot in inputs])

        return step

    def make_tuple(self, node: Any) -> Step:
        """Make the step that puts values into a tuple, with names if its type has some."""
        inputs, (output,) = self._slots_of(node)
        pack = _find_tuple(node.output().type())

        def step(run: Run, values: Values) -> None:
            values[output] = pack([values[slot] for slot in inputs])

        return step


def _copy(values: Values, sources: list[int], targets: list[int]) -> None:
    # All are read before any is written: a loop may exchange two.
    for target, value in zip(targets, [values[source] for source in sources], strict=True):
        values[target] = value


def _find_tuple(type_: Any) -> Callable[[list[Any]], Any]:
    if type_.annotation_str.startswith("Tuple["):
        return tuple
    text = type_.str()
    fields = re.findall(r"[(,] ?(\w+) : ", text)
    if len(fields) != len(type_.elements()):
        raise Unsupported(f"the named tuple {type_.annotation_str}")
    name = type_.annotation_str.rpartition(".")[2]
    named: Any = NamedTuple(name, [(field, Any) for field in fields])  # type: ignore[misc]
    return named._make


_STEPS: dict[str, Callable[[_Maker, Any], Step]] = {
    "prim::GetAttr": _Maker.make_read,
    "prim::SetAttr": _Maker.make_write,
    "prim::If": _Maker.make_choice,
    "prim::Loop": _Maker.make_loop,
    "prim::TupleConstruct": _Maker.make_tuple,
    "prim::fork": _Maker.make_fork,
    "prim::CreateObject": _Maker.make_object,
    "prim::Enter": _Maker.make_enter,
    "prim::Exit": _Maker.make_enter,
    CALL_METHOD: _Maker.make_call,
}
