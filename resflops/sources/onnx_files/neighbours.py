"""The nodes to which those belong that a quantiser of files put around them."""

from typing import TYPE_CHECKING

from resflops.sources.onnx_files.layers import has_scopes

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["Neighbours"]

_QUANTISERS = frozenset(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"))
"""Operators that a quantiser of files puts around a node, under the names of its tensors."""


class Neighbours:
    """Finds the nodes to which those belong that a quantiser put around them.

    Args:
        graph: the graph of the file.
    """

    def __init__(self, graph: "GraphProto") -> None:
        self._stored = {each.name for each in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        self._takers: dict[str, NodeProto] = {}
        for node in graph.node:
            for name in node.input:
                self._takers.setdefault(name, node)

    def find_owner(self, node: "NodeProto") -> "NodeProto":
        """Find the node that takes what a quantising one gives, or at the end of a graph makes what it takes.

        Any other node is its own.
        """
        return self._follow(node, forwards=True) or self._follow(node, forwards=False) or node

    def _follow(self, node: "NodeProto", *, forwards: bool) -> "NodeProto | None":
        seen = 0
        while self._is_added(node):
            # A damaged file may have a circle.
            seen += 1
            found = self._takers.get(node.output[0]) if forwards else self._makers.get(node.input[0])
            if found is None or seen > len(self._makers):
                return None
            node = found
        return node if node.name else None

    def _is_added(self, node: "NodeProto") -> bool:
        if not node.input or not node.output:
            return False
        if node.op_type in _QUANTISERS:
            return not has_scopes(node)
        # It shapes a bias for the sum by which the quantiser adds it.
        return not node.name and node.op_type == "Reshape" and self._stored.issuperset(node.input)
