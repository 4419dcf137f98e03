"""Weights of which a byte holds several: how many there are, and in which shape."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from resflops.records import Shape
from resflops.sources.onnx_files.attributes import read_attributes

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["find_unpacked_shapes"]

PRODUCTS = frozenset(("MatMulNBits", "MatMulBnb4"))
"""Operators whose second input is a packed weight of N columns and K features."""

EXPERTS = {2: "fc1", 5: "fc2", 8: "fc3"}
"""The inputs of QMoE that are weights."""


def find_unpacked_shapes(graph: "GraphProto") -> dict[str, Shape]:
    """Find the shapes that packed weights have for the nodes that take them, by name."""
    from onnx import TensorProto

    whole = (TensorProto.INT8, TensorProto.UINT8)
    # A type of four bits has its own shape.
    dims = {each.name: tuple(each.dims) for each in graph.initializer if each.data_type in whole}
    found = {}
    for node in graph.node:
        if node.domain == "com.microsoft":
            for place, shape in _list_shapes(node, dims):
                found[node.input[place]] = shape
    return found


def _list_shapes(node: "NodeProto", dims: dict[str, Shape]) -> Iterator[tuple[int, Shape]]:
    if node.op_type in PRODUCTS:
        attributes = read_attributes(node)
        if len(node.input) > 1 and {"N", "K"} <= attributes.keys():
            yield 1, (int(attributes["N"]), int(attributes["K"]))
    elif node.op_type == "GatherBlockQuantized":
        yield from _widen(node, 0, dims, int(read_attributes(node).get("bits", 4)))
    elif node.op_type == "QMoE":
        attributes = read_attributes(node)
        for place, name in EXPERTS.items():
            yield from _widen(node, place, dims, _count_bits(attributes, name))


def _count_bits(attributes: dict[str, Any], name: str) -> int:
    bits = attributes.get("expert_weight_bits", 4)
    return int(attributes.get(f"{name}_expert_weight_bits", bits))


def _widen(node: "NodeProto", place: int, dims: dict[str, Shape], bits: int) -> Iterator[tuple[int, Shape]]:
    """Give the shape of a weight whose last dimension is packed."""
    name = node.input[place] if place < len(node.input) else ""
    if name in dims:
        *outer, last = dims[name]
        yield place, (*outer, last * 8 // bits)
