"""The walk through a graph: node by node, with the shapes and values that are known, into a recording."""

from collections import ChainMap, Counter
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING

from resflops.errors import ModelError, ShapeError, pluralize
from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.attributes import read_attributes
from resflops.sources.onnx_files.constants import asks_for_shape, is_static, read_constant_node, read_shape
from resflops.sources.onnx_files.control_flow import MOST_TRIPS, find_flow
from resflops.sources.onnx_files.damage import explain_damage
from resflops.sources.onnx_files.functions import Functions, fill_in
from resflops.sources.onnx_files.inference import ONNX, Mistyped, evaluate, infer_outputs, read_opsets
from resflops.sources.onnx_files.layers import Layer, find_layer, is_scoped
from resflops.sources.onnx_files.modules import Initialisers
from resflops.sources.onnx_files.neighbours import Neighbours
from resflops.sources.onnx_files.operators import OPERATORS, OperatorCall, Steps
from resflops.sources.onnx_files.order import order_nodes
from resflops.sources.onnx_files.recording import Recording
from resflops.sources.onnx_files.stated import StatedTypes
from resflops.sources.onnx_files.tensors import GraphTensor

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

__all__ = ["Scope", "Walk", "describe_node", "name_operator"]

Scope = MutableMapping[str, GraphTensor]
"""The tensors that a node may take, by name: those of its graph and of the graphs around it."""

UNKNOWN = "of unknown sizes"
MOST_NODES = 1_000_000
DEEPEST = 64
"""How deep calls of functions may go."""


def name_operator(node: "NodeProto") -> str:
    """Name an operator, with its domain in front if that is not ONNX's own."""
    return node.op_type if node.domain in ONNX else f"{node.domain}.{node.op_type}"


def describe_node(node: "NodeProto") -> str:
    """Describe a node in a message."""
    return f"{name_operator(node)} {node.name!r}" if node.name else f"a node {name_operator(node)}"


class Walk:
    """Walks through the nodes of a graph and records what each one is.

    Args:
        model: the file.
        name: what the user calls it.
        recording: what is recorded.
        initialisers: the initialisers of the graph.
        stated: what the file states of its tensors.
    """

    def __init__(
        self,
        model: "ModelProto",
        name: str,
        recording: Recording,
        initialisers: Initialisers,
        stated: StatedTypes,
    ) -> None:
        self.name, self.recording, self._initialisers = name, recording, initialisers
        self.opsets = read_opsets(model.opset_import)
        self.layers: dict[str, Layer] = {}
        """The layers by path, in the order in which the walk meets them."""
        self.folded = 0
        """How many nodes follow from shapes and constants alone."""
        self.upper_bound = False
        """Whether a branch stands for another that has fewer multiply-accumulates."""
        self._notes: dict[str, None] = {}
        self._stated = stated
        self._functions = Functions(model)
        self._neighbours = Neighbours(model.graph)
        self._calls: list[str] = []
        self._visited = 0
        self._version = model.ir_version
        self._unnamed: Counter[str] = Counter()

    def run(self, nodes: Iterable["NodeProto"], scope: Scope) -> None:
        """Visit nodes one after the other."""
        for node in nodes:
            with explain_damage(f"{self.name}: {describe_node(node)}"):
                self.visit(node, scope)

    def run_graph(
        self, graph: "GraphProto", scope: Scope, given: Sequence[GraphTensor | None]
    ) -> list[GraphTensor]:
        """Walk through a graph that a node holds, and give its outputs.

        Args:
            graph: the graph.
            scope: the tensors around it, which its nodes may take.
            given: its inputs.
        """
        inner: dict[str, GraphTensor] = {}
        self._initialisers.enter(graph, inner)
        inner.update(
            (info.name, tensor)
            for info, tensor in zip(graph.input, given, strict=False)
            if tensor is not None
        )
        within = ChainMap(inner, scope)
        self.run([graph.node[place] for place in order_nodes(graph, self.name)], within)
        return [self._require(each.name, graph, within) for each in graph.output]

    def visit(self, node: "NodeProto", scope: Scope) -> None:
        """Record one node, and enter its outputs into the scope."""
        self._visited += 1
        if self._visited > MOST_NODES:
            raise ModelError(
                f"{self.name}: more than {MOST_NODES:,} nodes would run in one pass, those of functions and "
                "loops among them; a file of that kind is not followed"
            )
        inputs = [self._look_up(name, node, scope) for name in node.input]
        if node.domain in ONNX and self._enter_tensor(node, inputs, scope):
            return
        layer = self._find_layer(node)
        for tensor in inputs:
            if tensor is not None:
                self._initialisers.note_use(tensor, layer.path)
        recorded = len(self.recording.ops)
        outputs: Sequence[GraphTensor]
        if (function := self._functions.find(node)) is not None:
            outputs = self._run_function(function, node, inputs, layer)
        elif (follow := find_flow(node)) is not None:
            try:
                outputs = follow(self, node, inputs, scope, layer.path)
            except Mismatch as mismatch:
                raise self._make_shape_error(node, inputs, str(mismatch)) from None
        else:
            outputs = self._run_operator(node, inputs, layer)
        if len(self.recording.ops) > recorded:
            self.layers.setdefault(layer.path, layer)
        scope.update((name, tensor) for name, tensor in zip(node.output, outputs, strict=False) if name)

    def _enter_tensor(self, node: "NodeProto", inputs: Sequence[GraphTensor | None], scope: Scope) -> bool:
        """Enter what a node gives that is no op but a name of a tensor; False for any other node."""
        if node.op_type == "Identity" and inputs[0] is not None:
            # The older exporter of torch gives weights that are equal a name each.
            scope[node.output[0]] = inputs[0]
            return True
        # A weight that a node gives is in the scope with the initialisers.
        if node.op_type in {"Constant", "ConstantOfShape"} and node.output[0] in self._initialisers:
            return True
        if node.op_type != "Constant":
            return False
        scope[node.output[0]] = read_constant_node(node)
        return True

    def note_branch(self, node: "NodeProto", taken: str, macs: int, others: int) -> None:
        """Note which branch stands for both where values decide."""
        self.upper_bound = True
        self._notes[
            f"{describe_node(node)} takes one of two branches by values: counted is its {taken} branch, with "
            f"{macs:,} multiply-accumulates where the other has {others:,}"
        ] = None

    def note_loop(self, node: "NodeProto", macs: int) -> None:
        """Note what one trip of a loop takes where values decide how many are made."""
        self._notes[
            f"{describe_node(node)} runs as often as values decide, or above {MOST_TRIPS:,} times, and "
            f"is not counted; one trip has {macs:,} multiply-accumulates"
        ] = None

    def list_notes(self) -> tuple[str, ...]:
        """Say what a reader of the figures should know."""
        if not self.folded:
            return tuple(self._notes)
        return (
            *self._notes,
            f"not counted: {self.folded:,} {pluralize('node', self.folded)} that follow from shapes and "
            "constants alone, which a runtime computes before the first pass",
        )

    def _run_operator(
        self, node: "NodeProto", inputs: Sequence[GraphTensor | None], layer: Layer
    ) -> list[GraphTensor]:
        outputs = self._infer(node, inputs)
        made = [tensor for tensor in outputs if tensor.name]
        if is_static(inputs) or asks_for_shape(node, inputs):
            self._fold(node, inputs, made)
        else:
            self._record(node, inputs, made, layer)
        return outputs

    def _run_function(
        self, function: "FunctionProto", call: "NodeProto", inputs: Sequence[GraphTensor | None], layer: Layer
    ) -> list[GraphTensor]:
        """Walk through the nodes of a function of the file, which belong to the layer of the call."""
        if len(self._calls) > DEEPEST:
            raise ModelError(
                f"{self.name}: its functions call each other in a circle, among them {function.name}"
            )
        inner = {
            name: tensor for name, tensor in zip(function.input, inputs, strict=False) if tensor is not None
        }
        outer = self.opsets
        self.opsets = outer | read_opsets(function.opset_import)
        self._calls.append(layer.path)
        try:
            self.run(fill_in(function, call), inner)
        finally:
            self.opsets = outer
            self._calls.pop()
        return [self._require(name, function, inner) for name in function.output]

    def _look_up(self, name: str, node: "NodeProto", scope: Scope) -> GraphTensor | None:
        found = scope.get(name) if name else None
        if found is None and name:
            raise ModelError(
                f"{self.name}: {describe_node(node)} takes {name!r}, which nothing in the file makes; "
                "the file is damaged, so export the model again"
            )
        return found

    def _require(self, name: str, owner: "GraphProto | FunctionProto", scope: Scope) -> GraphTensor:
        if (found := scope.get(name)) is None:
            raise ModelError(
                f"{self.name}: {owner.name or 'a graph'} gives {name!r}, which no node in it makes; "
                "the file is damaged, so export the model again"
            )
        return found

    def _find_layer(self, node: "NodeProto") -> Layer:
        number = self._unnamed[node.op_type]
        self._unnamed[node.op_type] += 1
        layer = find_layer(node if self._calls else self._neighbours.find_owner(node), number)
        if self._calls and not is_scoped(node):
            # In a function, a node without a scope of its own belongs to the call.
            inner = (node.name,) if node.name and self._functions.find(node) else ()
            layer = Layer(".".join((*filter(None, [self._calls[-1]]), *inner)))
        return layer

    def _infer(self, node: "NodeProto", inputs: Sequence[GraphTensor | None]) -> list[GraphTensor]:
        try:
            found = infer_outputs(node, inputs, self.opsets, self._version)
        except Mistyped as error:
            raise self._make_shape_error(node, inputs, str(error)) from None
        if self._calls:
            # In a function, names are its own.
            return [found.get(name) or GraphTensor(name=name, dtype="") for name in node.output]
        return [self._stated.complete(name, found.get(name)) for name in node.output]

    def _fold(
        self, node: "NodeProto", inputs: Sequence[GraphTensor | None], outputs: Sequence[GraphTensor]
    ) -> None:
        """Evaluate a node that follows from shapes and constants; nothing computes it in a pass."""
        self.folded += 1
        self.recording.folded.add(self.recording.node)
        for tensor in outputs:
            tensor.static = True
        if asks_for_shape(node, inputs) and inputs[0] is not None:
            outputs[0].value = read_shape(node, inputs[0])
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
        bound = OPERATORS.get(operator)
        if bound is None:
            self.recording.record(Call(operator, taken, ()), layer.path, made)
            return
        if not bound.is_told_by(taken, made):
            name = bound.free or f"{operator} {UNKNOWN}"
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
            described = bound.read(call)
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
        return ShapeError(f"{self.name}: {describe_node(node)} does not take inputs of {shapes}: {reason}")
