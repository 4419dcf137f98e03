"""What follows from shapes and constants alone: nodes whose result is known before a pass."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resflops.sources.onnx_files.attributes import read_attribute, read_attributes
from resflops.sources.onnx_files.inference import ONNX
from resflops.sources.onnx_files.tensors import GraphTensor, read_constant

if TYPE_CHECKING:
    import numpy as np
    from onnx import NodeProto

__all__ = ["asks_for_shape", "is_static", "read_constant_node", "read_shape"]


def is_static(inputs: Sequence[GraphTensor | None]) -> bool:
    """Tell whether a node takes nothing but what follows from shapes and constants."""
    return bool(inputs) and all(tensor is None or tensor.static for tensor in inputs)


def asks_for_shape(node: "NodeProto", inputs: Sequence[GraphTensor | None]) -> bool:
    """Tell whether a node gives the shape of a tensor, whatever the tensor follows from."""
    return (
        node.op_type in {"Shape", "Size"}
        and node.domain in ONNX
        and inputs[0] is not None
        and inputs[0].is_known
    )


def read_shape(node: "NodeProto", asked: GraphTensor) -> "np.ndarray[Any, Any]":
    """Give the result of a node that asks for a shape, or for the number of elements."""
    import numpy as np

    if node.op_type == "Size":
        return np.array(asked.numel(), dtype=np.int64)
    attributes = read_attributes(node)
    return np.array(asked.shape[attributes.get("start", 0) : attributes.get("end")], dtype=np.int64)


def read_constant_node(node: "NodeProto") -> GraphTensor:
    """Read the value of a Constant node, in whichever of its attributes it is."""
    import numpy as np
    from onnx import numpy_helper

    attribute = next((each for each in node.attribute if each.name in _VALUES), None)
    if attribute is None:
        # A sparse tensor, or what newer versions may add.
        return GraphTensor(name=node.output[0], dtype="", static=True)
    value = read_attribute(attribute)
    if attribute.name != "value":
        value = numpy_helper.from_array(np.array(value, dtype=_VALUES[attribute.name]))
    return read_constant(node.output[0], value, static=True)


_VALUES = {
    "value": None,
    "value_float": "float32",
    "value_floats": "float32",
    "value_int": "int64",
    "value_ints": "int64",
    "value_string": "object",
    "value_strings": "object",
}
"""The attributes of a Constant, with the type that each has."""
