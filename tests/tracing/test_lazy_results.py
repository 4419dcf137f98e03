"""Results that are computed only when they are read: the count is the same as of a model that computes them."""

import asyncio
import itertools
import operator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import TraceError

# One head on an input of 2 by 6.
HEAD = 2 * 6 * 4


class Heads(nn.Module):
    """Three heads, 6 to 4, and what is done with them."""

    def __init__(self, function=None):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(6, 4) for _ in range(3))
        self.function = function

    def forward(self, x):
        return self.function(self.heads, x)


class Yielding(Heads):
    def forward(self, x):
        for head in self.heads:
            yield head(x)


class Waiting(Heads):
    async def forward(self, x):
        async def run(head):
            await asyncio.sleep(0)
            return head(x)

        return await asyncio.gather(*map(run, self.heads))


class Streaming(Heads):
    async def forward(self, x):
        for head in self.heads:
            yield head(x)


class OwnIterable:
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        yield from self.items


@dataclass
class Named:
    outputs: object


class Pair(NamedTuple):
    count: int
    outputs: object


def resolve(value):
    future = torch.futures.Future()
    future.set_result(value)
    return future


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(Yielding(), id="a generator"),
        pytest.param(Heads(lambda heads, x: map(operator.methodcaller("forward", x), heads)), id="map"),
        pytest.param(Heads(lambda heads, x: zip((head(x) for head in heads), "abc", strict=True)), id="zip"),
        pytest.param(
            Heads(lambda heads, x: filter(torch.is_tensor, (head(x) for head in heads))), id="filter"
        ),
        pytest.param(Heads(lambda heads, x: {"all": [(head(x) for head in heads)]}), id="in containers"),
        pytest.param(Heads(lambda heads, x: Named(head(x) for head in heads)), id="in a dataclass"),
        pytest.param(Heads(lambda heads, x: Pair(3, (head(x) for head in heads))), id="in a named tuple"),
        pytest.param(Heads(lambda heads, x: ((head(x) for _ in "a") for head in heads)), id="nested"),
        pytest.param(
            Heads(lambda heads, x: OwnIterable(head(x) for head in heads)), id="a class of the model's"
        ),
        pytest.param(Heads(lambda heads, x: resolve([head(x) for head in heads])), id="a future"),
        pytest.param(Waiting(), id="a coroutine"),
        pytest.param(Streaming(), id="an asynchronous generator"),
    ],
)
def test_what_is_computed_on_reading_counts(model):
    for real in (False, True):
        trace = resflops.trace(model, (2, 6), real=real)
        assert resflops.count(trace).macs == 3 * HEAD
        assert [op.layer for op in trace.ops if op.op == "linear"] == ["heads.0", "heads.1", "heads.2"]
    # All three results are the model's, so the backward pass reaches each head.
    assert resflops.count(model, (2, 6), backward=True).backward.weight_macs == 3 * HEAD


def test_what_a_submodule_leaves_unread_costs_nothing():
    class FirstOnly(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Yielding()

        def forward(self, x):
            return next(self.inner(x))

    assert resflops.count(FirstOnly(), (2, 6)).macs == HEAD


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(lambda heads, x: (heads[0](x) for _ in itertools.count()), id="generator"),
        pytest.param(lambda heads, x: itertools.cycle([x]), id="cycle"),
    ],
)
def test_an_iterator_without_end_is_refused(endless):
    with pytest.raises(TraceError, match=r"had not ended after 10,000 results; let the model take only"):
        resflops.count(Heads(endless), (2, 6))


def test_an_iterator_of_the_callers_is_not_read():
    items = iter([1, 2])
    model = Heads()
    model.forward = lambda x, given: (model.heads[0](x), given)
    assert resflops.count(model, torch.ones(2, 6), items).macs == HEAD
    assert list(items) == [1, 2]


def test_a_coroutine_runs_beside_the_callers_event_loop_if_it_needs_none():
    class Plain(Heads):
        async def forward(self, x):
            return self.heads[0](x)

    class Sleeping(Heads):
        async def forward(self, x):
            await asyncio.sleep(0)
            return self.heads[0](x)

    async def count():
        assert resflops.count(Plain(), (2, 6)).macs == HEAD
        with pytest.raises(
            TraceError, match=r"caller's own is running in this thread; count the model in another"
        ):
            resflops.count(Sleeping(), (2, 6))

    asyncio.run(count())


def test_what_goes_wrong_on_reading_is_told_as_the_forwards_own_error():
    with pytest.raises(TraceError, match=r"raised ZeroDivisionError: division by zero"):
        resflops.count(Heads(lambda heads, x: (1 / 0 for _ in "a")), (2, 6))
