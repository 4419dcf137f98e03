"""Tensors of an ONNX graph, as far as they are known before it runs: a type, a shape and perhaps values."""

from math import prod
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from resflops.records import Shape

if TYPE_CHECKING:
    import numpy as np
    from onnx import TensorProto, TypeProto

__all__ = ["MOST_VALUES", "GraphTensor", "find_type", "name_element_type", "read_constant", "read_type"]

MOST_VALUES = 1 << 20
"""How many elements a tensor may have whose values are followed."""

_NAMES = {
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
    "FLOAT8E8M0": "float8_e8m0fnu",
    "FLOAT4E2M1": "float4_e2m1fn_x2",
}
"""Element types that torch spells in another way than ONNX does in capitals."""


_NUMBERS = {name: number for number, name in _NAMES.items()}


class GraphTensor(Struct, kw_only=True, dict=True):
    """One tensor of a graph; each name of the graph stands for one of them.

    It has what the operators' declarations ask of a tensor: ``shape``, ``dtype``, ``dim()``, ``numel()``.
    """

    name: str
    dtype: str
    sizes: tuple[int | None, ...] | None = None
    """Its shape; None for a size that is not known, or where not even their number is."""
    value: Any = None
    """Its elements as an array, where they follow from shapes and constants alone."""
    type: Any = None
    """The ``TypeProto``, for the shape inference of the nodes that take it."""
    static: bool = False
    """Whether it follows from shapes and constants that are no weights, so that nothing computes it in a
    pass."""
    stored: bool = False
    """Whether it is a weight or another initialiser that the model is given with."""
    source: "GraphTensor | None" = None
    """The tensor whose elements it is, as an operator sees them under another shape."""

    @property
    def is_known(self) -> bool:
        """Whether every size is known."""
        return self.sizes is not None and None not in self.sizes

    @property
    def shape(self) -> Shape:
        """Its shape, where every size is known."""
        return tuple([size for size in self.sizes or () if size is not None])

    def view(self, *sizes: int) -> "GraphTensor":
        """See the tensor, or a part of it, under another shape; in the recording it stays what it is."""
        whole = self.source or self
        return GraphTensor(name=self.name, dtype=self.dtype, sizes=sizes, static=self.static, source=whole)

    def dim(self) -> int:
        """Give the number of its dimensions."""
        return len(self.shape)

    def numel(self) -> int:
        """Give the number of its elements."""
        return prod(self.shape)


def find_type(tensor: GraphTensor) -> "TypeProto | None":
    """Find the type of a tensor as ONNX writes it; None if not even that of its elements is known."""
    from onnx import TensorProto, helper

    if tensor.type is None and tensor.dtype:
        number = TensorProto.DataType.Value(_NUMBERS.get(tensor.dtype, tensor.dtype.upper()))
        tensor.type = helper.make_tensor_type_proto(number, tensor.sizes)
    found: TypeProto | None = tensor.type
    return found


def name_element_type(number: int) -> str:
    """Name an element type as torch does: ``float32`` for FLOAT."""
    from onnx import TensorProto

    try:
        name: str = TensorProto.DataType.Name(number)
    except ValueError:
        return f"type {number}"
    return _NAMES.get(name, name.lower())


def read_type(name: str, type_: "TypeProto | None", *, static: bool = False) -> GraphTensor:
    """Make a tensor of what shape inference says of it; of a sequence or an optional nothing is known."""
    if type_ is None or not type_.HasField("tensor_type"):
        return GraphTensor(name=name, dtype="", type=type_, static=static)
    tensor = type_.tensor_type
    sizes = None
    if tensor.HasField("shape"):
        sizes = tuple([each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim])
    return GraphTensor(
        name=name, dtype=name_element_type(tensor.elem_type), sizes=sizes, type=type_, static=static
    )


def read_constant(name: str, tensor: "TensorProto", *, static: bool) -> GraphTensor:
    """Make a tensor of an initialiser or of the value of a Constant node.

    Args:
        name: its name in the graph.
        tensor: the initialiser, whose elements may be missing.
        static: whether it is no weight: then its values are followed.
    """
    from onnx import helper

    return GraphTensor(
        name=name,
        dtype=name_element_type(tensor.data_type),
        sizes=tuple(tensor.dims),
        value=_read_values(tensor) if static else None,
        type=helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims)),
        static=static,
        stored=not static,
    )


def _read_values(tensor: "TensorProto") -> "np.ndarray[Any, Any] | None":
    from onnx import TensorProto, numpy_helper

    if prod(tensor.dims) > MOST_VALUES or tensor.data_location == TensorProto.EXTERNAL:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (TypeError, ValueError):
        return None
