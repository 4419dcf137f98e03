"""From an ONNX file to a trace: the graph is read, and nothing of it runs."""

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import ModelError
from resflops.records import InputRecord, OpRecord, Trace
from resflops.sources.onnx_files.damage import explain_damage
from resflops.sources.onnx_files.folding import describe_folding, describe_padding
from resflops.sources.onnx_files.modules import Initialisers
from resflops.sources.onnx_files.order import order_nodes
from resflops.sources.onnx_files.recording import Recording
from resflops.sources.onnx_files.sizes import Given, OpenSizes, list_inputs
from resflops.sources.onnx_files.stated import StatedTypes
from resflops.sources.onnx_files.tensors import GraphTensor, read_type
from resflops.sources.onnx_files.walk import Walk

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

__all__ = ["GraphReading", "match_nodes", "read_graph", "read_trace"]


class GraphReading(Struct, frozen=True, kw_only=True):
    """The trace of a graph, and which node each part of it comes from, by the node's place in the graph."""

    trace: Trace
    nodes: tuple[int, ...]
    """For each op of the trace, the node that it is, or that it is a part of."""
    folded: frozenset[int]
    """The nodes that follow from shapes and constants alone."""
    parameters: dict[int, str]
    """The names of the initialisers by the numbers that ``OpRecord.producers`` has for them."""


def read_trace(model: "ModelProto", name: str, given: Given) -> Trace:
    """Read the trace of one pass through an ONNX graph; see ``read_graph``."""
    return read_graph(model, name, given).trace


def read_graph(model: "ModelProto", name: str, given: Given) -> GraphReading:
    """Read the trace of one pass through an ONNX graph, and which nodes its ops come from.

    Args:
        model: the graph; the elements of its weights are not needed.
        name: what the user calls it.
        given: what the user says of its inputs.

    Raises:
        InputError: a shape does not fit, or a size is left open.
        ModelError: the graph is damaged.
        ShapeError: a node does not take its inputs.
    """
    with explain_damage(name):
        reading = _read_graph(model, name, given)
        # A size may be more than any tensor has.
        reading.trace.check()
    return reading


def _read_graph(model: "ModelProto", name: str, given: Given) -> GraphReading:
    graph, recording = model.graph, Recording()
    sizes = OpenSizes(name, list_inputs(graph), given)
    scope: dict[str, GraphTensor] = {}
    inputs = _enter_inputs(graph, sizes, recording, scope)
    initialisers = Initialisers(graph, recording)
    initialisers.enter(graph, scope)
    walk = Walk(model, name, recording, initialisers, StatedTypes(graph, sizes))
    for recording.node in order_nodes(graph, name):
        walk.run([graph.node[recording.node]], scope)
    modules, numbers = initialisers.list_modules(walk.layers, graph.name)
    makers = [recording.find_origin(scope[each.name]).maker for each in graph.output if each.name in scope]
    trace = Trace(
        model=name,
        inputs=inputs,
        modules=modules,
        ops=tuple([_renumber(record, numbers) for record in recording.ops]),
        notes=(*sizes.notes, *describe_folding(graph), *describe_padding(graph), *walk.list_notes()),
        tells_parameters=True,
        outputs=tuple([maker for maker in makers if maker >= 0]),
        given_storages=tuple(recording.given),
        held_until={},
        upper_bound=walk.upper_bound,
    )
    return GraphReading(
        trace=trace,
        nodes=tuple(recording.nodes),
        folded=frozenset(recording.folded.difference(recording.nodes)),
        parameters=initialisers.name_all(numbers),
    )


def match_nodes(model: "ModelProto", trace: Trace) -> GraphReading:
    """Read a graph again on the inputs of a trace that was read from it, to see which nodes its ops are.

    Raises:
        ModelError: it is not the graph that the trace was read from: the file was changed in between.
    """
    given = Given(shapes={each.name: each.shape for each in trace.inputs})
    reading = read_graph(model, trace.model, given)
    # The trace may have been converted to another type of floating-point numbers.
    if [(each.op, each.output_shapes) for each in reading.trace.ops] != [
        (each.op, each.output_shapes) for each in trace.ops
    ]:
        raise ModelError(f"{trace.model} was changed while it was counted; count it again")
    return reading


def _enter_inputs(
    graph: "GraphProto", sizes: OpenSizes, recording: Recording, scope: dict[str, GraphTensor]
) -> tuple[InputRecord, ...]:
    from onnx import helper

    types = {each.name: each.type for each in graph.input}
    records = []
    for name, shape in sizes.list_shapes().items():
        type_ = types[name]
        if type_.HasField("tensor_type"):
            type_ = helper.make_tensor_type_proto(type_.tensor_type.elem_type, shape)
        tensor = scope[name] = read_type(name, type_)
        recording.enter_input(tensor, name)
        records.append(InputRecord(name=name, shape=shape, dtype=tensor.dtype))
    return tuple(records)


def _renumber(record: OpRecord, numbers: dict[int, int]) -> OpRecord:
    """Give parameters the numbers that they have among the modules."""
    return replace(
        record,
        producers=tuple([numbers.get(number, number) for number in record.producers]),
        affine_producers=tuple([numbers.get(number, number) for number in record.affine_producers]),
    )
