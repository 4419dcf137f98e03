"""Graphs with the functions that they call put in their place."""

from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["CALL_METHOD", "inline_functions", "inline_method", "list_nodes"]

CALL_METHOD = "resflops::call_method"
"""What a call of a method is called while the functions of a graph are put into it."""


def inline_functions(graph: Any) -> Any:
    """Copy a graph with the functions that it calls put in their place, and the methods left as they are.

    Torch's pass puts in both, so meanwhile the calls of methods are nodes that it does not know.
    """
    graph = graph.copy()
    for node in list(list_nodes(graph)):
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


def list_nodes(block: Any) -> Iterator[Any]:
    """List the nodes of a graph or a block, those of blocks within first."""
    for node in list(block.nodes()):
        for inner in node.blocks():
            yield from list_nodes(inner)
        yield node


def inline_method(type_: Any, name: str, arguments: int) -> Any:
    """Make a graph of a method of a class that is no module, of which Python has none.

    Torch puts the method's graph in the place of a call of it.
    """
    graph: Any = torch._C.Graph()
    given = [graph.addInput() for _ in range(arguments + 1)]
    given[0].setType(type_)
    call = graph.create("prim::CallMethod", given, 1)
    call.s_("name", name)
    graph.insertNode(call)
    graph.registerOutput(call.output())
    torch._C._jit_pass_inline(graph)
    return graph
