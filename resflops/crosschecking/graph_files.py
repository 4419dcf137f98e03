# mypy: disable-error-code="import-untyped,import-not-found"
"""Run the peers that take ONNX files on such a file, each in a process of its own, without torch."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from resflops.cost import price
from resflops.cost.convention import MACS, Convention, make_charger
from resflops.counters import TIME_LIMIT, CountsParameters, Peer
from resflops.counters.installed import find_installed_version, list_figures
from resflops.crosschecking.answer import Answer, import_ask, to_integer
from resflops.crosschecking.process import Failure, run_in_process
from resflops.crosschecking.reconciliation import (
    ParameterCause,
    Reconciliation,
    fold_paths,
    reconcile,
)
from resflops.crosschecking.selection import build_failure, explain_missing
from resflops.errors import UsageError
from resflops.records import Shape, Trace, Work
from resflops.sources.found_model import FoundModel
from resflops.sources.onnx_files import GraphReading, load_graph, match_nodes
from resflops.sources.onnx_files.parameters import describe_initialisers

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

__all__ = ["GraphAnswer", "GraphFile", "ask_onnx_tool", "reconcile_graph_file"]

FOLDED = "what follows from shapes and constants alone, computed before the first pass"
NAMESAKES = "nodes missed because others have their names"
RESIZED = "other sizes than ONNX infers"
CONSTANTS = "constants and statistics among the initialisers"
PASSED_OVER = "initialisers of operators that it passes over"
NOT_DENSE = "weights that are sparse or given by Constant nodes"


class GraphFile(Struct, frozen=True, kw_only=True):
    """What a peer that takes ONNX files is given."""

    graph: "Path | ModelProto"
    shapes: dict[str, Shape]
    """The shapes of its inputs, by name."""
    sizes: dict[str, Shape] = {}
    """The shapes of what its nodes make, by name, where they are known."""
    folded: frozenset[str] = frozenset()
    """The first outputs of the nodes that follow from shapes and constants alone, and are no ops of ours."""


class GraphAnswer(Answer, frozen=True, kw_only=True):
    """The figures that a peer gives for an ONNX file."""

    missed: tuple[str, ...] = ()
    """The first outputs of the nodes that it does not look at."""
    resized: dict[str, int] = field(default_factory=dict)
    """What it charged for nodes that it takes to have other sizes, by their first outputs."""


def reconcile_graph_file(
    found: FoundModel,
    traced: Trace,
    *,
    peers: Sequence[Peer],
    spec: str = "",
    seconds: float = TIME_LIMIT,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Reconciliation]:
    """Run peers on an ONNX file and explain what each says, one after the other.

    Args:
        found: the model that was found in the file.
        traced: its trace, which was read from the file.
        peers: the peers to run; one that takes no such file, or is not installed, gives a row that says so.
        spec: the name of the model in the rows; its spec if not given.
        seconds: the time limit for each peer.
        say: is called with a text about what is being done.

    Raises:
        ModelError: the file was changed since the trace was read from it.
        UsageError: ``seconds`` is not above 0.
    """
    if not seconds > 0:
        raise UsageError(f"seconds must be more than 0, got {seconds!r}; it is how long a peer may take")
    given = found.graph
    assert given is not None  # noqa: S101 - that of an ONNX graph
    model = load_graph(given, traced.model) if isinstance(given, Path) else given
    reading, graph = match_nodes(model, traced), model.graph
    traced = replace(traced, model=spec or traced.model)
    file = GraphFile(
        graph=given,
        shapes={each.name: each.shape for each in traced.inputs},
        sizes=_list_sizes(graph, reading),
        folded=frozenset(_name_node(graph.node[place]) for place in reading.folded),
    )
    for peer in peers:
        version = find_installed_version(peer)
        if peer.takes != "onnx":
            reason = (
                f"{peer.name} takes a PyTorch module, and {traced.model} is an ONNX graph; "
                "give the model that it was exported from"
            )
            yield from build_failure(traced, peer, version=version or "", reason=reason)
        elif version is None:
            yield from build_failure(traced, peer, version="", reason=explain_missing(peer))
        else:
            say(f"running {peer.name} on {traced.model}")
            yield from _reconcile_one(peer, version, traced, reading, graph, file, seconds=seconds)


def _reconcile_one(
    peer: Peer,
    version: str,
    traced: Trace,
    reading: GraphReading,
    graph: "GraphProto",
    file: GraphFile,
    *,
    seconds: float,
) -> Iterator[Reconciliation]:
    ask: Callable[[GraphFile], GraphAnswer] = import_ask(peer)
    answer: GraphAnswer | Failure = run_in_process(lambda: ask(file), seconds=seconds, kind=GraphAnswer)
    if isinstance(answer, Failure):
        yield from build_failure(traced, peer, version=version, reason=answer.reason)
        return
    names = [_name_node(node) for node in graph.node]
    missed = {place for place, name in enumerate(names) if name in answer.missed}
    resized = {place for place, name in enumerate(names) if name in answer.resized} - reading.folded
    charged = sum(answer.resized[names[place]] for place in resized)
    for figure, convention in list_figures(peer):
        main = figure == peer.convention.name
        yield reconcile(
            traced,
            peer,
            convention,
            version=version,
            figure=answer.figures[figure],
            non_op_charges={
                **(answer.non_op_charges if main else {}),
                NAMESAKES: -_charge(convention, reading, missed),
                **({RESIZED: charged - _charge(convention, reading, resized)} if main else {}),
            },
            peer_params=answer.params if main else None,
            parameter_causes=_find_parameter_causes(graph, peer.counts_parameters) if main else (),
        )


def _list_sizes(graph: "GraphProto", reading: GraphReading) -> dict[str, Shape]:
    """List the shapes of what nodes make, by name; the last op of a node gives its outputs."""
    last = dict(zip(reading.nodes, reading.trace.ops, strict=True))
    return {
        name: shape
        for place, record in last.items()
        for name, shape in zip(filter(None, graph.node[place].output), record.output_shapes, strict=False)
    }


def _charge(convention: Convention, reading: GraphReading, nodes: set[int]) -> int:
    """Charge the ops of some nodes under a convention."""
    charge = make_charger(convention, reading.trace)
    works = price(reading.trace, MACS).works
    return sum(
        each.amount
        for node, record, work in zip(reading.nodes, reading.trace.ops, works, strict=True)
        if node in nodes
        for each in charge(record, work or Work())
    )


def _find_parameter_causes(
    graph: "GraphProto", counts: CountsParameters | None
) -> tuple[ParameterCause, ...]:
    """List why a peer that counts initialisers gives another number of parameters than we do."""
    if counts is None:
        return ()
    causes: dict[str, dict[str, int]] = {}
    for name, each in describe_initialisers(graph).items():
        is_counted = each.dense and not each.operators <= {*counts.passed_over}
        # Those without a dimension have no elements for who multiplies the sizes of none.
        if is_counted and each.kind != "parameter" and each.shape:
            causes.setdefault(CONSTANTS, {})[name] = prod(each.shape)
        elif not is_counted and each.kind == "parameter":
            causes.setdefault(PASSED_OVER if each.dense else NOT_DENSE, {})[name] = -prod(each.shape)
    return tuple(
        [
            ParameterCause(name=cause, amount=sum(amounts.values()), modules=fold_paths(amounts))
            for cause, amounts in causes.items()
        ]
    )


def ask_onnx_tool(file: GraphFile) -> GraphAnswer:
    """Ask onnx-tool, by the steps of its model_profile, which only prints what they find."""
    import numpy as np
    import onnx_tool

    model = onnx_tool.loadmodel(file.graph, {"verbose": False})
    graph = model.graph
    graph.graph_reorder_nodes()
    graph.shape_infer(
        {name: np.zeros(shape, graph.tensormap[name].dtype) for name, shape in file.shapes.items()}
    )
    graph.profile(exclude_ops=onnx_tool.NoMacsOps)
    # It keeps its nodes by name, so that one is lost for each that has the name of another.
    charged = {_name_node(node): getattr(node, "macs", (0, 0))[0] for node in graph.nodemap.values()}
    return GraphAnswer(
        figures={"onnx-tool": to_integer(graph.macs[0])},
        params=int(graph.params),
        non_op_charges={FOLDED: sum(to_integer(charged.get(name, 0)) for name in file.folded)},
        missed=tuple([name for name in map(_name_node, model.mproto.graph.node) if name not in charged]),
        resized={
            _name_node(node): to_integer(charged[_name_node(node)])
            for node in graph.nodemap.values()
            if any(
                tuple(graph.tensormap[name].get_shape()) != tuple(file.sizes[name])
                for name in (*node.input, *node.output)
                if name in file.sizes
            )
        },
    )


def _name_node(node: Any) -> str:  # noqa: ANN401 - onnx's own, or that of a peer
    """Name a node by its first output, as no other node has it."""
    return next((name for name in node.output if name), "")
