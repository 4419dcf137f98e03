"""The order in which the nodes of a graph run: each after what makes its inputs."""

from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from resflops.errors import ModelError

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["order_nodes"]


def order_nodes(graph: "GraphProto", name: str) -> Sequence[int]:
    """Order the nodes of a graph, by their places in it; in most files they are in order.

    Raises:
        ModelError: they are in a circle.
    """
    makers = {output: place for place, node in enumerate(graph.node) for output in node.output if output}
    needed = [_find_needed(node, makers) for node in graph.node]
    if all(place < own for own, places in enumerate(needed) for place in places):
        return range(len(graph.node))
    try:
        return list(TopologicalSorter(dict(enumerate(needed))).static_order())
    except CycleError as error:
        circle = [graph.node[place].name or graph.node[place].op_type for place in error.args[1]]
        raise ModelError(
            f"{name}: its nodes are in a circle, each of which needs the next: {', '.join(circle[:5])}"
            f"{', …' if len(circle) > 5 else ''}; the file is damaged, so export the model again"
        ) from None


def _find_needed(node: "NodeProto", makers: dict[str, int]) -> set[int]:
    return {makers[name] for name in list_taken(node) if name in makers}


def list_taken(node: "NodeProto") -> Iterator[str]:
    """List the names that a node takes, also in the graphs that it holds."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from _list_taken_by(attribute.g.node)
        for graph in attribute.graphs:
            yield from _list_taken_by(graph.node)


def _list_taken_by(nodes: "Iterable[NodeProto]") -> Iterator[str]:
    for node in nodes:
        yield from list_taken(node)
