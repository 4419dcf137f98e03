"""The initialisers of a graph: which are parameters, which buffers, and which only constants of its nodes."""

import re
from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from resflops.records import Shape

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

__all__ = ["Initialiser", "Kind", "classify", "describe_initialisers", "list_graphs", "list_initialisers"]

Kind = Literal["parameter", "buffer", "constant"]

BUFFERS = {"BatchNormalization": (3, 4), "GroupQueryAttention": (7, 8), "RotaryEmbedding": (1, 2, 3)}
"""Inputs that are statistics which were kept in training, or cosines and sines of positions."""

WEIGHTS = {
    "BatchNormalization": (1, 2, 3, 4), "Conv": (1, 2), "ConvTranspose": (1, 2), "GRU": (1, 2, 3),
    "Gemm": (1, 2), "LSTM": (1, 2, 3), "MatMul": (0, 1), "RNN": (1, 2, 3),
}  # fmt: skip
"""Inputs that are weights even where a node gives them, as some exporters have it.

It is a Constant; in the models that come with onnx itself it is a ConstantOfShape of a fixed shape.
"""

CONSTANTS = {
    "Clip": (1, 2),
    "ConvInteger": (2, 3),
    "DequantizeLinear": (1, 2),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "DynamicQuantizeMatMul": (2, 3),
    "GatherBlockQuantized": (2, 3),
    "MatMulBnb4": (2,),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "MatMulNBits": (2, 3, 4),
    "Pad": (2,),
    "QAttention": (3, 4, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QMoE": (3, 6, 9, *range(11, 21)),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2),
    "STFT": (2,),
    "Upsample": (1,),
}
"""Inputs that say how a node works: limits, scales and zero points."""

UNITS = {"GroupNormalization", "InstanceNormalization", "LayerNormalization", "RMSNormalization"}
"""Operators that always take a weight, and most of them a bias: an exporter adds ones and zeros."""

COMPUTED = re.compile(r"val_\d+")
"""How torch's newer exporter names what it computed itself; weights of the module keep their names."""

WHOLE = frozenset(("BOOL", "INT16", "INT64", "STRING", "UINT16", "UINT32", "UINT64"))
"""Types of which no weight is: they give shapes, indices and masks."""

BIASES = frozenset(("DequantizeLinear", "QGemm", "QLinearConv"))
"""Operators that take a bias of 32-bit integers."""


def classify(graph: "GraphProto") -> dict[str, Kind]:
    """Say of each initialiser of a graph and of those in it what it is.

    A parameter is one of a type that weights have, with at least one dimension, unless all nodes that take it
    take it as something else.
    """
    kinds: dict[str, Kind] = {}
    for each in list_graphs(graph):
        uses: dict[str, set[tuple[str, int]]] = {}
        for name, use in _list_uses(each.node):
            uses.setdefault(name, set()).add(use)
        for name, tensor in list_initialisers(each):
            found = {_classify(tensor, *use) for use in uses.get(name, (("", 0),))}
            kinds[name] = min(found, key=_ORDER.index)
    return kinds


_ORDER: tuple[Kind, ...] = ("parameter", "buffer", "constant")
"""What an initialiser is first that several nodes take."""


def list_initialisers(graph: "GraphProto") -> "Iterator[tuple[str, TensorProto]]":
    """List the initialisers of one graph: also weights that nodes give, and sparse ones."""
    from onnx import TensorProto

    for tensor in graph.initializer:
        yield tensor.name, tensor
    for sparse in graph.sparse_initializer:
        whole = TensorProto(name=sparse.values.name, data_type=sparse.values.data_type, dims=sparse.dims)
        yield whole.name, whole
    taken = {
        name
        for node in graph.node
        for place, name in enumerate(node.input)
        if place in WEIGHTS.get(node.op_type, ())
    }
    shapes = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.output and node.output[0] in taken:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value" and attribute.t.dims:
                        yield node.output[0], attribute.t
            elif node.op_type == "ConstantOfShape" and node.input[0] in shapes:
                yield node.output[0], _fill(node, shapes[node.input[0]])


def _fill(node: "NodeProto", shape: "TensorProto") -> "TensorProto":
    """Give the tensor that a node fills with one number, without its elements."""
    from onnx import TensorProto, numpy_helper

    dims = numpy_helper.to_array(shape).tolist()
    number = next((each.t.data_type for each in node.attribute if each.name == "value"), TensorProto.FLOAT)
    return TensorProto(name=node.output[0], data_type=number, dims=dims)


class Initialiser(Struct, frozen=True, kw_only=True):
    """An initialiser of a graph, for who counts them by themselves."""

    shape: Shape
    kind: Kind
    operators: frozenset[str]
    """Those of the nodes that take it, without those in the graphs of other nodes."""
    dense: bool
    """Whether it is among the dense initialisers; else it is sparse, or a node gives it."""


def describe_initialisers(graph: "GraphProto") -> dict[str, Initialiser]:
    """Describe the initialisers of a graph by their names."""
    kinds = classify(graph)
    operators: dict[str, set[str]] = {}
    for name, (operator, _) in _list_uses(graph.node):
        operators.setdefault(name, set()).add(operator)
    dense = {tensor.name for tensor in graph.initializer}
    return {
        name: Initialiser(
            shape=tuple(tensor.dims),
            kind=kinds[name],
            operators=frozenset(operators.get(name, ())),
            dense=name in dense,
        )
        for name, tensor in list_initialisers(graph)
    }


def _classify(tensor: "TensorProto", operator: str, place: int) -> Kind:
    from onnx import TensorProto

    kind = TensorProto.DataType.Name(tensor.data_type)
    if place in BUFFERS.get(operator, ()):
        return "buffer"
    if kind in WHOLE or not prod(tensor.dims) or not tensor.dims or place in CONSTANTS.get(operator, ()):
        return "constant"
    if kind == "INT32" and operator not in BIASES:
        return "constant"
    if operator in UNITS and COMPUTED.fullmatch(tensor.name) and _is_filled(tensor, 1 if place == 1 else 0):
        return "constant"
    return "parameter"


def _is_filled(tensor: "TensorProto", number: int) -> bool:
    """Tell whether every element is a number; not known of large tensors, whose elements are dropped."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        return False
    try:
        return bool((numpy_helper.to_array(tensor) == number).all())
    except (TypeError, ValueError):
        return False


def _list_uses(nodes: "Iterable[NodeProto]") -> Iterator[tuple[str, tuple[str, int]]]:
    for node in nodes:
        for place, name in enumerate(node.input):
            yield name, (node.op_type, place)


def list_graphs(graph: "GraphProto") -> "Iterator[GraphProto]":
    """List a graph and those in its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from list_graphs(attribute.g)
