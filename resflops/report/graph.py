"""Who feeds whom in a trace: its ops as a graph, without those that only look at a tensor in another way.

A view, a copy or a reshape passes on what it was given, so an edge goes through it from the op before to
the op after. An op that joins several tensors, such as ``cat``, stays even if it is free: without it every
op before it would lead to every op after it.
"""

from collections.abc import Iterator

from msgspec import Struct

from resflops.ops import is_free
from resflops.records import MODEL_INPUT, OpRecord, Trace

__all__ = ["Graph", "GraphNode", "build_graph"]


class GraphNode(Struct, frozen=True, kw_only=True, gc=False):
    """One op of a trace that stands in its graph."""

    op: int
    """Its index among the trace's ops."""
    sources: tuple[int, ...]
    """The places of the nodes that feed it, in the order of its inputs; MODEL_INPUT is the caller's."""


class Graph(Struct, frozen=True, kw_only=True):
    """The nodes in the order of the trace, so that every edge leads from an earlier node to a later one."""

    nodes: tuple[GraphNode, ...]
    outputs: tuple[int, ...]
    """The places of the nodes that make the model's outputs."""
    complete: bool
    """Whether the trace says who feeds whom; very old files do not."""


def build_graph(trace: Trace) -> Graph:
    """Build the graph of a trace."""
    nodes: list[GraphNode] = []
    # For every op of the trace, the nodes that its outputs come from.
    reached: list[tuple[int, ...]] = []
    for index, record in enumerate(trace.ops):
        sources = tuple(dict.fromkeys(_list_sources(record, reached)))
        if is_free(record.op) and len(sources) < 2:
            reached.append(sources)
        else:
            reached.append((len(nodes),))
            nodes.append(GraphNode(op=index, sources=sources))
    made = dict.fromkeys(place for op in trace.outputs for place in reached[op])
    return Graph(
        nodes=tuple(nodes),
        outputs=tuple(place for place in made if place != MODEL_INPUT),
        complete=all(len(record.producers) == len(record.input_shapes) for record in trace.ops),
    )


def _list_sources(record: OpRecord, reached: list[tuple[int, ...]]) -> Iterator[int]:
    for producer in (*record.producers, *record.affine_producers):
        if producer >= 0:
            yield from reached[producer]
        elif producer == MODEL_INPUT:
            yield MODEL_INPUT
