"""Who feeds whom in a trace: its ops as a graph, without those that only pass a tensor on.

A view, a reshape or a plain copy passes on what it was given, so an edge goes through it from the op before
to the op after. One that joins several tensors stays even if it is free, such as ``cat``: without it every op
before it would lead to every op after it. What is written into a tensor in place, as into a slice of it,
feeds whoever reads the tensor later.
"""

from collections.abc import Iterator

from msgspec import Struct

from resflops.ops import OPS, is_free
from resflops.records import MODEL_INPUT, OpRecord, Trace

__all__ = ["Graph", "GraphNode", "build_graph"]

PASSING_FAMILIES = ("bookkeeping", "creation")
PASSING = ("clone", "contiguous", "copy", "setitem", "to")
"""What passes on a tensor as it is, besides the views."""


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
    walk = _Walk(trace)
    nodes: list[GraphNode] = []
    for index, record in enumerate(trace.ops):
        sources = tuple(dict.fromkeys(walk.list_sources(record)))
        if _passes_on(record) and len(sources) < 2:
            walk.step(record, sources)
        else:
            walk.step(record, (len(nodes),))
            nodes.append(GraphNode(op=index, sources=sources))
    made = dict.fromkeys(place for op in trace.outputs for place in walk.read(op, 0))
    return Graph(
        nodes=tuple(nodes),
        outputs=tuple(place for place in made if place != MODEL_INPUT),
        complete=all(len(record.producers) == len(record.input_shapes) for record in trace.ops),
    )


def _passes_on(record: OpRecord) -> bool:
    declared = OPS.get(record.op)
    if declared is None or not is_free(record.op):
        return False
    return bool(declared.shares) or declared.family in PASSING_FAMILIES or record.op in PASSING


class _Walk:
    """A walk along the ops in order, with the nodes that each tensor comes from so far."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._reached: list[tuple[int, ...]] = []
        self._seen: set[int] = set()
        self._writes: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        """For each memory the ops that wrote into it later, and the nodes that these come from."""

    def list_sources(self, record: OpRecord) -> Iterator[int]:
        """List the nodes that an op's inputs come from."""
        indices = record.output_indices or (0,) * len(record.producers)
        for producer, slot in (*zip(record.producers, indices, strict=True),
                               *((each, 0) for each in record.affine_producers)):  # fmt: skip
            if producer >= 0:
                yield from self.read(producer, slot)
            elif producer == MODEL_INPUT:
                yield MODEL_INPUT

    def read(self, producer: int, slot: int) -> Iterator[int]:
        """List the nodes that an output of an op comes from, with what was written into it since."""
        yield from self._reached[producer]
        storages = self._trace.ops[producer].storages
        if slot < len(storages):
            for index, sources in self._writes.get(storages[slot], ()):
                if index > producer:
                    yield from sources

    def step(self, record: OpRecord, sources: tuple[int, ...]) -> None:
        """Take note of where an op's outputs come from, and of what it writes into."""
        declared = OPS.get(record.op)
        is_view = declared is not None and bool(declared.shares)
        if record.storages and record.storages[0] in self._seen and not is_view:
            self._writes.setdefault(record.storages[0], []).append((len(self._reached), sources))
        self._seen.update(record.storages)
        self._reached.append(sources)
