"""The nodes of an exported program's graph as calls of layers: each layer's part is run by the layer itself.

A node knows the stack of layers that it ran in. Nodes in a row with one stack are one call of the innermost
layer, which takes what they use from outside and gives what others use of theirs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor, fx

from resflops.sources.programs.functions import choose_target, is_left_out, read_settings
from resflops.sources.programs.stacks import read_stack
from resflops.sources.programs.steps import Branch, LayerCall, OwnDevice, Slot, Step

__all__ = ["Owner", "plan_call"]

Owner = tuple[tuple[str, ...], str]
"""Where a tensor that the program holds is: the names on the path of its layer, and its own."""


class _Group:
    """The nodes of one call of a layer, and the calls that it makes, in order."""

    def __init__(self, key: str, path: str) -> None:
        self.key, self.path = key, path
        self.items: list[fx.Node | _Group] = []
        self.nodes: dict[fx.Node, None] = {}
        """All nodes in it, those of the calls that it makes included."""


def plan_call(
    graph: fx.Graph,
    owners: Mapping[str, Owner],
    *,
    device: torch.device | None,
    base: str = "",
    weights: Mapping[str, str] | None = None,
) -> LayerCall:
    """Plan what a graph does, as one call of the layer that it runs in.

    Args:
        graph: the graph of a program, or of a branch in it.
        owners: the tensors of the program's own, by the names of the placeholders that stand for them.
        device: where these were when the program was exported.
        base: the path of that layer.
        weights: the layers of the tensors that a branch is given, by the names of their placeholders.
    """
    group = _group_nodes(graph, base, weights or {})
    placeholders = [node for node in graph.nodes if node.op == "placeholder" and node.name not in owners]
    (output,) = (node for node in graph.nodes if node.op == "output")
    return _Planner(owners, weights or {}, device).plan(group, placeholders, output.args[0])


def _group_nodes(graph: fx.Graph, base: str, weights: Mapping[str, str]) -> _Group:
    nodes = [node for node in graph.nodes if node.op == "call_function" and not is_left_out(node)]
    # The branches of an operator say nothing of their layers, unless they were exported in strict mode.
    silent = not any(read_stack(node) for node in nodes)
    open_groups = [_Group("", base)]
    for node in nodes:
        wanted = _find_owners(node, weights) if silent else _find_calls(node, base)
        if wanted is not None:
            same = 0
            for group, (key, _) in zip(open_groups[1:], wanted, strict=False):
                if group.key != key:
                    break
                same += 1
            del open_groups[same + 1 :]
            for key, path in wanted[same:]:
                group = _Group(key, path)
                open_groups[-1].items.append(group)
                open_groups.append(group)
        open_groups[-1].items.append(node)
        for group in open_groups:
            group.nodes[node] = None
    return open_groups[0]


def _find_calls(node: fx.Node, base: str) -> list[tuple[str, str]] | None:
    """Find the calls below a layer that a node ran in, keys and paths; None if it does not say."""
    stack = read_stack(node)
    if stack is None:
        return None
    calls = [(key, path) for key, path, _ in stack]
    places = [place for place, (_, path) in enumerate(calls) if path == base]
    return calls[places[-1] + 1 :] if places else calls


def _find_owners(node: fx.Node, weights: Mapping[str, str]) -> list[tuple[str, str]]:
    """Find the layer whose weights a node uses, which it ran in."""
    found = next((weights[each.name] for each in node.all_input_nodes if each.name in weights), "")
    return [(found, found)] if found else []


class _Planner:
    """Plans the calls of one graph."""

    def __init__(
        self, owners: Mapping[str, Owner], weights: Mapping[str, str], device: torch.device | None
    ) -> None:
        self._owners, self._weights, self._device = owners, weights, device

    def plan(self, group: _Group, given: Sequence[fx.Node], result: Any) -> LayerCall:
        """Plan one call: what it takes, what it does, and what it gives."""
        slots: dict[fx.Node, Slot] = {node: Slot(place) for place, node in enumerate(given)}
        tensors: list[tuple[int, tuple[str, ...], str]] = []

        def find_slot(node: fx.Node) -> Slot:
            if node not in slots:
                slots[node] = Slot(len(slots))
                if node.op == "placeholder" and node.name in self._owners:
                    tensors.append((slots[node], *self._owners[node.name]))
            return slots[node]

        steps = [self._plan_step(item, group.path, find_slot) for item in group.items]
        template = _convert(result, find_slot)
        return LayerCall(
            steps=tuple(_note_last_uses(steps, template)),
            tensors=tuple(tensors),
            size=len(slots) - len(given),
            result=template,
            settings=_read_settings(group),
        )

    def _plan_step(self, item: "fx.Node | _Group", path: str, find_slot: Callable[[fx.Node], Slot]) -> Step:
        if isinstance(item, _Group):
            taken, outputs = self._list_taken(item), self._list_outputs(item)
            return Step(
                layer=tuple(item.path.split(".")),
                call=self.plan(item, taken, outputs[0] if len(outputs) == 1 else tuple(outputs)),
                args=tuple(map(find_slot, taken)),
                outputs=tuple(map(find_slot, outputs)),
            )

        def find_value(node: fx.Node) -> Any:
            if node.op != "get_attr":
                return find_slot(node)
            held = _find_attribute(node)
            return held if isinstance(held, Tensor) else Branch(self._plan_branch(item, held.graph, path))

        target = choose_target(item)
        args = _convert(target.args, find_value)
        # Tensors are made where the program is, wherever that was when it was exported.
        kwargs = {
            name: OwnDevice() if value == self._device and name == "device" else _convert(value, find_value)
            for name, value in target.kwargs.items()
        }
        return Step(
            place=target.place, name=target.name, function=target.function,
            args=args, kwargs=kwargs, nested=_is_nested(args, kwargs),
            outputs=(find_slot(item),),
        )  # fmt: skip

    def _plan_branch(self, operator: fx.Node, graph: fx.Graph, path: str) -> LayerCall:
        """Plan what a branch does, given its tensors by the operator that it is an argument of."""
        taken = [node for node in graph.nodes if node.op == "placeholder"]
        operands = list(_list_operands(operator.args))[-len(taken) :] if taken else []
        weights = {}
        if len(operands) == len(taken):
            for node, operand in zip(taken, operands, strict=True):
                name = getattr(operand, "name", "")
                if name in self._owners:
                    weights[node.name] = ".".join(self._owners[name][0])
                elif name in self._weights:
                    weights[node.name] = self._weights[name]
        return plan_call(graph, {}, device=self._device, base=path, weights=weights)

    def _list_taken(self, group: _Group) -> list[fx.Node]:
        """List what a group uses from outside, but for the program's own tensors and graphs."""
        used = (each for node in group.nodes for each in node.all_input_nodes)
        return [
            node
            for node in dict.fromkeys(used)
            if node not in group.nodes
            and node.op != "get_attr"
            and not (node.op == "placeholder" and node.name in self._owners)
        ]

    def _list_outputs(self, group: _Group) -> list[fx.Node]:
        """List what others use of a group's; its last result if nobody does."""
        used = [
            node
            for node in group.nodes
            if any(user not in group.nodes and not is_left_out(user) for user in node.users)
        ]
        return used or list(group.nodes)[-1:]


def _read_settings(group: _Group) -> dict[str, Any]:
    """Read the plain arguments of a layer's ops, by their names; of one that calls no other layers."""
    nodes = [item for item in group.items if isinstance(item, fx.Node)]
    if len(nodes) < len(group.items):
        return {}
    return {name: value for node in nodes for name, value in read_settings(node).items()}


def _find_attribute(node: fx.Node) -> Any:
    """Find what a node stands for that gets an attribute of the graph's module."""
    held: Any = node.graph.owning_module
    for name in str(node.target).split("."):
        held = getattr(held, name)
    return held


def _list_operands(args: Sequence[Any]) -> Iterator[Any]:
    """List what an operator gives its branches: its arguments but for the branches and plain numbers."""
    for each in args:
        if isinstance(each, list | tuple):
            yield from each
        elif isinstance(each, fx.Node) and each.op != "get_attr":
            yield each


def _convert(value: Any, find_slot: Callable[[fx.Node], Any]) -> Any:
    """Put slots in the place of nodes, and graphs in the place of their names."""
    if isinstance(value, fx.Node):
        return find_slot(value)
    if isinstance(value, dict):
        return {name: _convert(each, find_slot) for name, each in value.items()}
    if isinstance(value, slice):
        return slice(*_convert([value.start, value.stop, value.step], find_slot))
    # The graph's own lists, which cannot be changed, are of a subclass.
    if isinstance(value, list | tuple):
        items = [_convert(each, find_slot) for each in value]
        # Layers of torch's own give sizes as tuples.
        return tuple(items) if isinstance(value, tuple) or set(map(type, items)) == {int} else items
    return value


def _list_held(value: Any) -> Iterator[Slot | Branch | OwnDevice]:
    """List what is filled in in a value."""
    if isinstance(value, Slot | Branch | OwnDevice):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _list_held(each)
    elif isinstance(value, dict):
        yield from _list_held(list(value.values()))
    elif isinstance(value, slice):
        yield from _list_held((value.start, value.stop, value.step))


def _is_nested(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether more has to be filled in than slots that are arguments themselves."""
    inside = [each for each in args if not isinstance(each, Slot)]
    return any(True for _ in _list_held((*inside, kwargs)))


def _note_last_uses(steps: list[Step], result: Any) -> Iterator[Step]:
    """Note with each step which values nothing uses after it."""
    used = {slot for slot in _list_held(result) if isinstance(slot, Slot)}
    noted = []
    for step in reversed(steps):
        held = (*_list_held((step.args, step.kwargs)), *map(Slot, step.outputs))
        here = dict.fromkeys(slot for slot in held if isinstance(slot, Slot))
        noted.append(replace(step, last=tuple(slot for slot in here if slot not in used)))
        used |= here.keys()
    return reversed(noted)
