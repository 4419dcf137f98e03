"""Joins the nodes that a runtime executes to the layers of the module that they were exported from.

A runtime fuses nodes and names what comes out after one of them, or after the value that it makes. So
each executed node is found among those exported, and what is left over went into the one before it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

__all__ = ["Node", "collect_layers", "join_layers", "list_computing", "name_layers"]

SUFFIXES = ("_nchwc", "_quant")
"""What onnxruntime puts behind the name of a value for the node that makes it in another layout."""

COUNTED = re.compile(r"_token_\d+$")
"""What it puts behind a name that is taken already."""

MOST_FUSED = 4
"""The most nodes that are fused into the one that is named after the last of them."""


class Node(Struct, frozen=True, kw_only=True):
    """A node of a graph."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[str, ...] = ()
    """The layers whose work it does."""

    @property
    def operands(self) -> tuple[str, ...]:
        """The inputs whose values decide its outputs, rather than their shapes or types."""
        if self.op == "Shape":
            return ()
        return self.inputs[:1] if self.op == "CastLike" else self.inputs


def list_computing(nodes: Iterable[Node], given: Iterable[str]) -> list[Node]:
    """List the nodes whose values depend on what the model is given, in their order; others are constant."""
    known, found = set(given), []
    for node in nodes:
        if known.intersection(node.operands):
            known.update(node.outputs)
            found.append(node)
    return found


def collect_layers(node: Node, producers: Mapping[str, Node], kept: Collection[str]) -> tuple[str, ...]:
    """Collect the layers of all nodes that one node took the place of, in their order.

    Args:
        node: the node of a graph that was optimized.
        producers: the nodes of the graph before that, by the values that they made.
        kept: the values that are still there, at which the search ends.
    """
    found = _find_between(node, producers, kept)
    places = {each.name: place for place, each in enumerate(producers.values())}
    in_order = sorted(found, key=lambda each: places[each.name])
    return tuple(dict.fromkeys(layer for each in in_order for layer in each.layers))


def _find_between(node: Node, producers: Mapping[str, Node], kept: Collection[str]) -> list[Node]:
    """Find the nodes that lead to the outputs of a node from values that are kept."""
    found: dict[str, Node] = {}
    waiting = list(node.outputs)
    while waiting:
        made_by = producers.get(waiting.pop())
        if made_by is not None and made_by.name not in found:
            found[made_by.name] = made_by
            waiting += [each for each in made_by.inputs if each not in kept]
    return list(found.values())


def join_layers(executed: Sequence[Node], exported: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """Find the layers of each executed node, by its name; ``()`` for one that none was exported for.

    Args:
        executed: the nodes that a runtime executes, in order.
        exported: the nodes that it was given, in order, with their layers.
    """
    producers = {value: node for node in exported for value in node.outputs}
    owners = _find_owners(executed, producers, {node.name: node for node in exported})
    places = {node.name: place for place, node in enumerate(exported)}
    for node in exported:
        before = [producers[value].name for value in node.inputs if value in producers]
        owned = [name for name in before if name in owners]
        # What was fused into the node before it, such as an addition or a ReLU.
        if node.name not in owners and owned:
            owners[node.name] = owners[max(owned, key=places.__getitem__)]
    layers: dict[str, dict[str, None]] = {node.name: {} for node in executed}
    for node in exported:
        if node.name in owners:
            layers[owners[node.name]] |= dict.fromkeys(node.layers)
    return {name: tuple(found) for name, found in layers.items()}


def _find_owners(
    executed: Sequence[Node], producers: Mapping[str, Node], by_name: Mapping[str, Node]
) -> dict[str, str]:
    """Find the executed node of each exported node that names, values or inputs and outputs tell it of."""
    owners: dict[str, str] = {}
    for node in executed:
        if anchor := _find_anchor(node, by_name, producers):
            for each in _walk_to_op(anchor, node.op, producers):
                owners.setdefault(each.name, node.name)
    made = {value for node in executed for value in node.outputs}
    for node in executed:
        # Where all that it takes was exported under the same name, it is exactly what lies between.
        if all(value in producers or value not in made for value in node.inputs):
            for each in _find_between(node, producers, made | set(node.inputs)):
                owners.setdefault(each.name, node.name)
    return owners


def _walk_to_op(anchor: Node, op: str, producers: Mapping[str, Node]) -> list[Node]:
    """List the nodes from one back to the nearest with an op; that one alone if there is none close by.

    A convolution that a ReLU was fused into is named after the ReLU's value.
    """
    path = [anchor]
    while path[-1].op != op:
        before = [producers[value] for value in path[-1].inputs if value in producers]
        if len(before) != 1 or len(path) == MOST_FUSED:
            return [anchor]
        path += before
    return path


def _find_anchor(node: Node, by_name: Mapping[str, Node], producers: Mapping[str, Node]) -> Node | None:
    """Find the exported node that an executed one is named after, or whose value it makes."""
    own = COUNTED.sub("", node.name)
    # Of names with slashes in them, as torch's older exporter gives, what is put behind is the last part.
    names = [own, own.rpartition("/")[0], own.partition("/")[0]]
    names += [name.removesuffix(suffix) for suffix in SUFFIXES for name in names]
    for name in names:
        if found := by_name.get(name) or producers.get(name):
            return found
    return next((producers[value] for value in node.outputs if value in producers), None)


def name_layers(layers: Iterable[str]) -> str:
    """Name what several layers are fused into.

    >>> name_layers(["layer1.0.conv1", "layer1.0.bn1", "layer1.0.relu"])
    'layer1.0.conv1 + bn1 + relu'
    """
    names = list(layers)
    parent = names[0].rpartition(".")[0] if names else ""
    rest = [
        name.removeprefix(f"{parent}.") if parent and name.rpartition(".")[0] == parent else name or "(model)"
        for name in names[1:]
    ]
    return " + ".join([*names[:1], *rest])
