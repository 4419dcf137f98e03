"""Who feeds whom: every edge of a trace's graph, through ops that only look at a tensor in another way."""

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.records import MODEL_INPUT
from resflops.report.graph import build_graph


class Residual(nn.Module):
    """A convolution, a shortcut around it, and a view on the way to a fully connected layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.fc = nn.Linear(2 * 4 * 4, 3)

    def forward(self, x):
        x = torch.relu(x)
        return self.fc(torch.flatten(self.conv(x) + x, 1))


class Joined(nn.Module):
    """Two branches joined by a free op, whose halves are then told apart again."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, y):
        one, two = torch.cat([self.one(x), self.two(y)], 1).chunk(2, 1)
        return one * two, one


class Written(nn.Module):
    """What a layer makes is written into a slice of a new tensor, which another layer reads."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(8, 2)

    def forward(self, x):
        wide = torch.zeros(1, 8)
        wide[:, 4:] = self.one(x)
        return self.two(wide)


class Looked(nn.Module):
    """Free ops that are more than another view stand in the graph."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)

    def forward(self, tokens):
        return torch.roll(self.embedding(tokens).transpose(1, 2).contiguous(), 1)


def edges(trace):
    graph = build_graph(trace)
    names = {MODEL_INPUT: "input"} | {
        place: trace.ops[node.op].layer or trace.ops[node.op].op for place, node in enumerate(graph.nodes)
    }
    return [
        (names[source], names[place]) for place, node in enumerate(graph.nodes) for source in node.sources
    ]


def test_a_shortcut_is_an_edge_and_a_view_is_none():
    trace = resflops.trace(Residual(), (1, 2, 4, 4))
    assert edges(trace) == [
        ("input", "relu"), ("relu", "conv"), ("conv", "add"), ("relu", "add"), ("add", "fc"),
    ]  # fmt: skip
    graph = build_graph(trace)
    assert [trace.ops[graph.nodes[place].op].layer for place in graph.outputs] == ["fc"]


def test_what_joins_tensors_stays_though_it_is_free():
    trace = resflops.trace(Joined(), (1, 4), (1, 4))
    assert edges(trace) == [
        ("input", "one"), ("input", "two"), ("one", "cat"), ("two", "cat"), ("cat", "mul"),
    ]  # fmt: skip
    assert len(build_graph(trace).outputs) == 2


def test_what_is_written_into_a_slice_feeds_who_reads_the_whole():
    assert edges(resflops.trace(Written(), (1, 4))) == [("input", "one"), ("one", "two")]


def test_an_embedding_and_a_shift_are_shown_though_they_are_free():
    trace = resflops.trace(Looked(), torch.zeros(1, 3, dtype=torch.int64))
    assert edges(trace) == [("input", "embedding"), ("embedding", "roll")]


def test_every_edge_of_resnet34_leads_on_and_every_block_has_its_shortcut():
    trace = resflops.trace(resflops.load("resnet34"), (1, 3, 224, 224))
    graph = build_graph(trace)
    assert all(source < place for place, node in enumerate(graph.nodes) for source in node.sources)
    joins = [node for node in graph.nodes if len(node.sources) == 2]
    assert {trace.ops[node.op].op for node in joins} == {"add"}
    assert len(joins) == 16


@pytest.mark.parametrize("known", [True, False])
def test_a_trace_that_does_not_say_who_feeds_whom_is_told_from_one_that_does(known):
    trace = resflops.trace(Residual(), (1, 2, 4, 4))
    if not known:
        trace = replace(trace, ops=tuple(replace(record, producers=()) for record in trace.ops))
    assert build_graph(trace).complete == known
