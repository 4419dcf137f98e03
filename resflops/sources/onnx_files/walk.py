"""The walk through a graph: node by node, with the shapes and values that are known, into a recording."""

from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from resflops.errors import ModelError, ShapeError, pluralize
from resflops.ops import Call, Mismatch, is_free
from resflops.sources.onnx_files.inference import ONNX, Mistyped, evaluate, infer_outputs
from resflops.sources.onnx_files.layers import Layer, find_layer
from resflops.sources.onnx_files.modules import Initialisers
from resflops.sources.onnx_files.operators import OPERATORS, OperatorCall, Steps
from resflops.sources.onnx_files.recording import Recording
from resflops.sources.onnx_files.tensors import GraphTensor, read_constant

if TYPE_CHECKING:
    import numpy as np
    from onnx import AttributeProto, ModelProto, NodeProto

__all__ = ["Scope", "Walk", "name_operator"]

Scope = MutableMapping[str, GraphTensor]
"""The tensors that a node may take, by name: those of its graph and of the graphs around it."""

UNKNOWN = "of unknown sizes"


def name_operator(node: "NodeProto") -> str:
    """Name an operator, with its domain in front if that is not ONNX's own."""
    return node.op_type if node.domain in ONNX else f"{node.domain}.{node.op_type}"


class Walk:
    """Walks through the nodes of a graph and records what each one is.

    Args:
        model: the file.
        name: what the user calls it.
        recording: what is recorded.
        initialisers: the initialisers of the graph.
    """

    def __init__(
        self, model: "ModelProto", name: str, recording: Recording, initialisers: Initialisers
    ) -> None:
        self.name, self.recording, self._initialisers = name, recording, initialisers
        self.opsets = {
            "" if each.domain in ONNX else each.domain: each.version for each in model.opset_import
        }
        self.layers: dict[str, Layer] = {}
        """The layers by path, in the order in which the walk meets them."""
        self.folded = 0
        """How many nodes follow from shapes and constants alone."""
        self._version = model.ir_version
        self._unnamed: Counter[str] = Counter()

    def run(self, nodes: Iterable["NodeProto"], scope: Scope) -> None:
        """Visit nodes one after the other."""
        for node in nodes:
            self.visit(node, scope)

    def visit(self, node: "NodeProto", scope: Scope) -> None:
        """Record one node, and enter its outputs into the scope."""
        inputs = [self._look_up(name, node, scope) for name in node.input]
        if node.op_type == "Identity" and node.domain in ONNX and inputs[0] is not None:
            # The tensor itself: the older exporter of torch gives weights that are equal a name each.
            scope[node.output[0]] = inputs[0]
            return
        if node.op_type == "Constant" and node.domain in ONNX:
            scope[node.output[0]] = _read_constant_node(node)
            return
        layer = self._find_layer(node)
        for tensor in inputs:
            if tensor is not None:
                self._initialisers.note_use(tensor, layer.path)
        outputs = self._infer(node, inputs)
        scope.update((tensor.name, tensor) for tensor in outputs)
        if (inputs and all(tensor is None or tensor.static for tensor in inputs)) or _asks_for_shape(
            node, inputs
        ):
            self._fold(node, inputs, outputs)
            return
        self._record(node, inputs, outputs, layer)

    def list_notes(self) -> tuple[str, ...]:
        """Say what a reader of the figures should know."""
        if not self.folded:
            return ()
        return (
            f"not counted: {self.folded:,} {pluralize('node', self.folded)} that follow from shapes and "
            "constants alone, which a runtime computes before the first pass",
        )

    def _look_up(self, name: str, node: "NodeProto", scope: Scope) -> GraphTensor | None:
        if not name:
            return None
        if (found := scope.get(name)) is None:
            raise ModelError(
                f"{self.name}: {_describe(node)} takes {name!r}, which no node before it makes; "
                "the file is damaged, or its nodes are in a circle"
            )
        return found

    def _find_layer(self, node: "NodeProto") -> Layer:
        number = self._unnamed[node.op_type]
        self._unnamed[node.op_type] += 1
        layer = find_layer(node, number)
        self.layers.setdefault(layer.path, layer)
        return layer

    def _infer(self, node: "NodeProto", inputs: Sequence[GraphTensor | None]) -> list[GraphTensor]:
        try:
            found = infer_outputs(node, inputs, self.opsets, self._version)
        except Mistyped as error:
            raise self._make_shape_error(node, inputs, str(error)) from None
        return [found.get(name) or GraphTensor(name=name, dtype="") for name in node.output if name]

    def _fold(
        self, node: "NodeProto", inputs: Sequence[GraphTensor | None], outputs: Sequence[GraphTensor]
    ) -> None:
        """Evaluate a node that follows from shapes and constants; nothing computes it in a pass."""
        self.folded += 1
        self.recording.folded.add(self.recording.node)
        for tensor in outputs:
            tensor.static = True
        if _asks_for_shape(node, inputs) and inputs[0] is not None:
            outputs[0].value = _read_shape(node, inputs[0])
            return
        for tensor, value in zip(outputs, evaluate(node, inputs, outputs, self.opsets), strict=False):
            tensor.value = value
            if value is not None and not tensor.is_known:
                tensor.sizes = value.shape

    def _record(
        self,
        node: "NodeProto",
        inputs: Sequence[GraphTensor | None],
        outputs: Sequence[GraphTensor],
        layer: Layer,
    ) -> None:
        operator = name_operator(node)
        made, taken = tuple(outputs), tuple([tensor for tensor in inputs if tensor is not None])
        read = OPERATORS.get(operator)
        if read is None:
            self.recording.record(Call(operator, taken, ()), layer.path, made)
            return
        if not all(tensor.is_known for tensor in (*taken, *made)):
            name = read if isinstance(read, str) and is_free(read) else f"{operator} {UNKNOWN}"
            self.recording.record(Call(name, taken, ()), layer.path, made)
            return
        call = OperatorCall(
            op_type=operator,
            version=self.opsets.get("" if node.domain in ONNX else node.domain, 1),
            inputs=tuple(inputs),
            outputs=made,
            attributes=read_attributes(node),
        )
        try:
            described = call.call(read) if isinstance(read, str) else read(call)
            last = self._perform(described, layer) if isinstance(described, Iterator) else described
        except Mismatch as mismatch:
            raise self._make_shape_error(node, inputs, str(mismatch)) from None
        self.recording.record(last or Call(operator, taken, ()), layer.path, made)

    def _perform(self, steps: Steps, layer: Layer) -> Call:
        """Record the ops before the last of a node that is several, and return the last."""
        try:
            call = next(steps)
            while True:
                dtype = call.dtype or (call.inputs[0].dtype if call.inputs else "float32")
                result = GraphTensor(name="", dtype=dtype, sizes=call.shape)
                self.recording.record(call, layer.path, (result,))
                call = steps.send(result)
        except StopIteration as stop:
            last: Call = stop.value
            return last

    def _make_shape_error(
        self, node: "NodeProto", inputs: Sequence[GraphTensor | None], reason: str
    ) -> ShapeError:
        shapes = ", ".join(
            "×".join("?" if size is None else str(size) for size in tensor.sizes or ()) or "a scalar"
            for tensor in inputs
            if tensor is not None
        )
        return ShapeError(f"{self.name}: {_describe(node)} does not take inputs of {shapes}: {reason}")


def _describe(node: "NodeProto") -> str:
    return f"{name_operator(node)} {node.name!r}" if node.name else f"a node {name_operator(node)}"


def _is_static(inputs: Sequence[GraphTensor | None]) -> bool:
    return bool(inputs) and all(tensor is None or tensor.static for tensor in inputs)


def _asks_for_shape(node: "NodeProto", inputs: Sequence[GraphTensor | None]) -> bool:
    """Tell whether a node gives the shape of a tensor, whatever the tensor follows from."""
    return (
        node.op_type in {"Shape", "Size"}
        and node.domain in ONNX
        and inputs[0] is not None
        and inputs[0].is_known
    )


def _read_shape(node: "NodeProto", asked: GraphTensor) -> "np.ndarray[Any, Any]":
    import numpy as np

    if node.op_type == "Size":
        return np.array(asked.numel(), dtype=np.int64)
    attributes = read_attributes(node)
    return np.array(asked.shape[attributes.get("start", 0) : attributes.get("end")], dtype=np.int64)


def _read_constant_node(node: "NodeProto") -> GraphTensor:
    """Read the value of a Constant node, in whichever of its attributes it is."""
    import numpy as np
    from onnx import numpy_helper

    (attribute,) = node.attribute
    value = read_attribute(attribute)
    if attribute.name != "value":
        kinds = {"value_float": np.float32, "value_floats": np.float32}
        value = numpy_helper.from_array(np.array(value, dtype=kinds.get(attribute.name)))
    return read_constant(node.output[0], value, static=True)


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
