"""Functions that a file defines for its nodes: a node of one stands for the nodes in it."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto

__all__ = ["Functions", "fill_in"]


class Functions:
    """The functions of a file, by what a node of each says.

    Args:
        model: the file.
    """

    def __init__(self, model: "ModelProto") -> None:
        self._known = {(each.domain, each.name, _read_overload(each)): each for each in model.functions}

    def find(self, node: "NodeProto") -> "FunctionProto | None":
        """Find the function that a node calls; None if it calls none."""
        return self._known.get((node.domain, node.op_type, _read_overload(node))) if self._known else None


def fill_in(function: "FunctionProto", call: "NodeProto") -> "Iterator[NodeProto]":
    """Give the nodes of a function with the attributes of a call in place of its parameters."""
    filling = _Call(
        attributes={each.name: each for each in (*function.attribute_proto, *call.attribute)},
        left_out={name for name, given in zip_longest(function.input, call.input) if name and not given},
    )
    for node in function.node:
        yield _fill_in_node(node, filling)


class _Call(Struct, frozen=True):
    """What the call of a function gives it."""

    attributes: dict[str, Any]
    left_out: set[str]
    """The inputs that it does not give, which the nodes that take them leave out, too."""


def _fill_in_node(node: "NodeProto", call: _Call) -> "NodeProto":
    from onnx import NodeProto

    if call.left_out.isdisjoint(node.input) and not any(
        each.ref_attr_name or each.HasField("g") for each in node.attribute
    ):
        return node
    filled = NodeProto()
    filled.CopyFrom(node)
    filled.input[:] = ["" if name in call.left_out else name for name in node.input]
    del filled.attribute[:]
    filled.attribute.extend(_fill_in_attributes(node.attribute, call))
    return filled


def _fill_in_attributes(attributes: "Sequence[AttributeProto]", call: _Call) -> "Iterator[AttributeProto]":
    from onnx import AttributeProto

    for each in attributes:
        # One that the call leaves out is left out here, too, for the operator's own default.
        source = call.attributes.get(each.ref_attr_name) if each.ref_attr_name else each
        if source is None:
            continue
        attribute = AttributeProto()
        attribute.CopyFrom(source)
        attribute.name = each.name
        if attribute.HasField("g"):
            nodes = [_fill_in_node(node, call) for node in attribute.g.node]
            del attribute.g.node[:]
            attribute.g.node.extend(nodes)
        yield attribute


def _read_overload(named: "FunctionProto | NodeProto") -> str:
    # Files of older versions of the format have none.
    return str(getattr(named, "overload", ""))
