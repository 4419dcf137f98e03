"""From the graph of a TorchScript method to its program."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from resflops.tracing.torchscript.inlining import CALL_METHOD, inline_functions, inline_method
from resflops.tracing.torchscript.operators import bind_node
from resflops.tracing.torchscript.program import Act, Program, Run, Step, Values, copy_values, take_steps
from resflops.tracing.torchscript.values import Operate, ScriptInstance, SizeTensor, Unsupported

__all__ = ["make_method_program", "make_program"]


def make_program(graph: Any, weights: Mapping[str, Tensor] | None = None) -> Program:
    """Make the program of a graph, a ``torch._C.Graph``.

    Args:
        graph: the graph.
        weights: those of its constants that are weights, by name.

    Raises:
        Unsupported: it has a node that Python cannot go through.
    """
    return _Maker(inline_functions(graph), weights).make_program()


def make_method_program(type_: Any, name: str, arguments: int) -> Program:
    """Make the program of a method of a class that is no module.

    Raises:
        Unsupported: it has a node that Python cannot go through.
    """
    return _Maker(inline_method(type_, name, arguments)).make_program()


class _Maker:
    """Numbers the values of a graph and makes a step of each node."""

    def __init__(self, graph: Any, weights: Mapping[str, Tensor] | None = None) -> None:
        self._graph = graph
        # Torch gives one tensor one object of Python's as long as that lives.
        self._names = {id(weight): name for name, weight in (weights or {}).items()}
        self._weights: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._slots: Values = []

    def make_program(self) -> Program:
        """Make the program of the graph."""
        inputs = tuple(map(self._number, self._graph.inputs()))
        steps = self._make_steps(self._graph)
        outputs = tuple(map(self._number, self._graph.outputs()))
        # In the order in which they were named.
        named = {name: self._weights[name] for name in self._names.values() if name in self._weights}
        return Program(slots=self._slots, inputs=inputs, outputs=outputs, steps=steps, weights=named)

    def _number(self, value: Any) -> int:
        name = value.debugName()
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._slots)
            self._slots.append(None)
        return number

    def _make_steps(self, block: Any) -> tuple[Step, ...]:
        nodes, acts = [], []
        for node in block.nodes():
            kind = node.kind()
            if kind == "prim::Constant":
                self._keep_constant(node.output())
                continue
            make = _ACTS.get(kind)
            nodes.append(node)
            acts.append(make(self, node) if make is not None else self._make_operation(node))
        return tuple(map(Step, acts, self._list_last(block, nodes)))

    def _list_last(self, block: Any, nodes: list[Any]) -> list[tuple[int, ...]]:
        """List for each node of a block which values nothing uses after it."""
        made = [set(self._list_made(node)) for node in nodes]
        own = set(map(self._number, block.inputs())).union(*made)
        live = set(map(self._number, block.outputs()))
        last = []
        for node, results in zip(reversed(nodes), reversed(made), strict=True):
            used = set(self._list_used(node))
            last.append(tuple((used | results) & own - live))
            live |= used
        return last[::-1]

    def _list_made(self, node: Any) -> Iterator[int]:
        """List what a node makes, also in its blocks."""
        yield from map(self._number, node.outputs())
        for block in node.blocks():
            yield from map(self._number, block.inputs())
            for inner in block.nodes():
                if inner.kind() != "prim::Constant":
                    yield from self._list_made(inner)

    def _list_used(self, node: Any) -> Iterator[int]:
        """List what a node uses, also in its blocks."""
        yield from map(self._number, node.inputs())
        for block in node.blocks():
            for inner in block.nodes():
                yield from self._list_used(inner)
            yield from map(self._number, block.outputs())

    def _keep_constant(self, value: Any) -> None:
        number, constant = self._number(value), value.toIValue()
        number_alone = isinstance(constant, Tensor) and not constant.dim()
        self._slots[number] = SizeTensor(constant, constant=True) if number_alone else constant
        if (name := self._names.get(id(constant))) is not None:
            self._weights[name] = number

    def _slots_of(self, node: Any) -> tuple[list[int], list[int]]:
        return [self._number(each) for each in node.inputs()], [self._number(each) for each in node.outputs()]

    def _make_operation(self, node: Any) -> Act:
        inputs, outputs = self._slots_of(node)
        operate: Operate = bind_node(node)
        if len(outputs) == 1:
            (output,) = outputs

            def act(run: Run, values: Values) -> None:
                values[output] = operate([values[slot] for slot in inputs])

        else:

            def act(run: Run, values: Values) -> None:
                results = operate([values[slot] for slot in inputs])
                for slot, result in zip(outputs, results if outputs else (), strict=True):
                    values[slot] = result

        return act

    def make_read(self, node: Any) -> Act:
        """Make the step that reads an attribute."""
        (module,), (output,) = self._slots_of(node)
        name = node.s("name")

        def act(run: Run, values: Values) -> None:
            values[output] = run.read(values[module], name)

        return act

    def make_write(self, node: Any) -> Act:
        """Make the step that writes an attribute."""
        (module, given), _ = self._slots_of(node)
        name = node.s("name")

        def act(run: Run, values: Values) -> None:
            run.write(values[module], name, values[given])

        return act

    def make_call(self, node: Any) -> Act:
        """Make the step that calls a method."""
        (module, *given), (output,) = self._slots_of(node)
        name = node.s("name")

        def act(run: Run, values: Values) -> None:
            values[output] = run.call(values[module], name, [values[slot] for slot in given])

        return act

    def make_object(self, node: Any) -> Act:
        """Make the step that makes an object, which its ``__init__`` is then called on."""
        _, (output,) = self._slots_of(node)
        type_ = node.output().type()

        def act(run: Run, values: Values) -> None:
            values[output] = ScriptInstance(type_, {})

        return act

    def make_enter(self, node: Any) -> Act:
        """Make the step that enters or leaves a context."""
        (context,), outputs = self._slots_of(node)
        name, arguments = ("__enter__", 0) if node.kind() == "prim::Enter" else ("__exit__", 3)

        def act(run: Run, values: Values) -> None:
            result = run.call(values[context], name, [None] * arguments)
            for output in outputs:
                values[output] = result

        return act

    def make_choice(self, node: Any) -> Act:
        """Make the step that takes one of two ways."""
        (condition,), outputs = self._slots_of(node)
        ways = [
            (self._make_steps(block), [self._number(each) for each in block.outputs()])
            for block in node.blocks()
        ]

        def act(run: Run, values: Values) -> None:
            steps, results = ways[0 if values[condition] else 1]
            take_steps(steps, run, values)
            copy_values(values, results, outputs)

        return act

    def make_loop(self, node: Any) -> Act:
        """Make the step that repeats others."""
        (most, condition, *given), outputs = self._slots_of(node)
        (block,) = node.blocks()
        trip, *carried = [self._number(each) for each in block.inputs()]
        steps = self._make_steps(block)
        goes_on, *results = [self._number(each) for each in block.outputs()]
        made = {slot for inner in block.nodes() for slot in self._list_made(inner)}
        passing = [slot for slot in results if slot in made]

        def act(run: Run, values: Values) -> None:
            copy_values(values, given, carried)
            number, going = 0, values[condition]
            while going and number < values[most]:
                values[trip] = number
                take_steps(steps, run, values)
                going = values[goes_on]
                copy_values(values, results, carried)
                for slot in passing:
                    values[slot] = None
                number += 1
            copy_values(values, carried, outputs)

        return act

    def make_fork(self, node: Any) -> Act:
        """Make the step that begins another task, which runs at once."""
        inputs, (output,) = self._slots_of(node)
        program = make_program(node.g("Subgraph"))

        def act(run: Run, values: Values) -> None:
            values[output] = program.run(run, [values[slot] for slot in inputs])

        return act

    def make_tuple(self, node: Any) -> Act:
        """Make the step that puts values into a tuple, with names if its type has some."""
        inputs, (output,) = self._slots_of(node)
        pack = _find_tuple(node.output().type())

        def act(run: Run, values: Values) -> None:
            values[output] = pack([values[slot] for slot in inputs])

        return act


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


_ACTS: dict[str, Callable[[_Maker, Any], Act]] = {
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
