"""The attributes of a node as Python values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto

__all__ = ["read_attribute", "read_attributes"]


def read_attributes(node: "NodeProto") -> dict[str, Any]:
    """Read the attributes of a node as Python values."""
    return {attribute.name: read_attribute(attribute) for attribute in node.attribute}


def read_attribute(attribute: "AttributeProto") -> Any:  # noqa: ANN401 - as many types as ONNX has
    """Read one attribute: a number, a text, a list of either, or a message of protobuf."""
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Sequence) and value and isinstance(value[0], bytes):
        return [each.decode(errors="replace") for each in value]
    return value
