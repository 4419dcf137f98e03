"""The initialisers of a graph: which are parameters, which buffers, and which only constants of its nodes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["Kind", "classify"]

Kind = Literal["parameter", "buffer", "constant"]

BUFFERS = {"BatchNormalization": (3, 4)}
"""Inputs that are statistics which were kept in training."""

CONSTANTS = {
    "Clip": (1, 2),
    "ConvInteger": (2, 3),
    "DequantizeLinear": (1, 2),
    "MatMulInteger": (2, 3),
    "Pad": (2,),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2),
    "Upsample": (1,),
}
"""Inputs that say how a node works: limits, scales and zero points."""

WHOLE = frozenset(("BOOL", "INT16", "INT64", "STRING", "UINT16", "UINT32", "UINT64"))
"""Types of which no weight is: they give shapes, indices and masks. A bias may be of INT32."""


def classify(graph: "GraphProto") -> dict[str, Kind]:
    """Say of each initialiser what it is.

    A parameter is one of a type that weights have, with more than one element or at least one dimension,
    unless a node takes it as something else.
    """
    from onnx import TensorProto

    used = dict(_list_uses(graph.node))
    kinds: dict[str, Kind] = {}
    for tensor in graph.initializer:
        kind = TensorProto.DataType.Name(tensor.data_type)
        operator, place = used.get(tensor.name, ("", 0))
        if place in BUFFERS.get(operator, ()):
            kinds[tensor.name] = "buffer"
        elif (
            kind in WHOLE
            or not tensor.dims
            or place in CONSTANTS.get(operator, ())
            or (kind == "INT32" and operator not in {"QLinearConv", "DequantizeLinear"})
        ):
            kinds[tensor.name] = "constant"
        else:
            kinds[tensor.name] = "parameter"
    return kinds


def _list_uses(nodes: "Iterable[NodeProto]") -> "Iterable[tuple[str, tuple[str, int]]]":
    for node in nodes:
        for place, name in enumerate(node.input):
            yield name, (node.op_type, place)
