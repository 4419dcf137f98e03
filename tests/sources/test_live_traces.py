"""Traces that are taken now: on which device a model is built, and how often."""

import pytest
import torch
from torch import nn

from resflops.errors import DataDependentError, TraceError
from resflops.sources.found_model import FoundModel
from resflops.sources.live_traces import trace_found


class Refusing(nn.Module):
    """A model that refuses what has not four features, in one of the ways that models do."""

    def __init__(self, refuse):
        super().__init__()
        self.head, self.refuse = nn.Linear(4, 2), refuse

    def forward(self, x):
        self.refuse(x)
        return self.head(x)


def refuse_by_torch(x):
    torch._assert(x.shape[-1] == 4, "four features")


def refuse_by_statement(x):
    assert x.shape[-1] == 4, "four features"


def refuse_by_values(x):
    torch._assert(x.sum() == 4, "four in all")


def trace_refused(refuse):
    """Trace it on three features; give the error, and the devices that it was built on."""
    devices = []

    def make():
        net = Refusing(refuse)
        devices.append(net.head.weight.device.type)
        return net

    with pytest.raises(TraceError) as raised:
        trace_found(FoundModel(spec="net", make=make), input_shape=(2, 3))
    return raised.value, devices


def test_sizes_that_torch_asserts_are_refused_without_a_build_on_the_cpu():
    error, devices = trace_refused(refuse_by_torch)
    assert "AssertionError: four features" in str(error)
    assert not isinstance(error, DataDependentError)
    assert devices == ["meta"]


@pytest.mark.parametrize(
    ("refuse", "words"), [(refuse_by_statement, "four features"), (refuse_by_values, "four in all")]
)
def test_whatever_values_may_cure_gets_a_second_try_with_them(refuse, words):
    error, devices = trace_refused(refuse)
    assert words in str(error)
    assert devices == ["meta", "cpu"]
