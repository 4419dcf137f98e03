"""The styles that a model can be called in, and what each of them costs."""

import importlib
from functools import partial

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.tracing.recorder import Recorder


class Learned(nn.Module):
    """A function of what a parameter gives, so that there is a backward pass; and of further inputs."""

    def __init__(self, function, features):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.eye(features))

    def forward(self, x, *more):
        return self.function(x @ self.weight, *more)


def price(model, inputs):
    costs = {name: resflops.count(model, *inputs, convention=name, backward=name != "formula")
             for name in ("macs", "formula", "flops")}  # fmt: skip
    assert costs["flops"].uncounted == ()
    return {name: (cost.total, cost.backward and cost.backward.total) for name, cost in costs.items()}


def trace_by_fx(model, inputs):
    with torch.no_grad():
        return make_fx(model)(*inputs)


MADE = {
    "jit": lambda model, inputs: torch.jit.trace(model, inputs, check_trace=False),
    "exported": lambda model, inputs: torch.export.export(model, inputs).module(),
    "make_fx": trace_by_fx,
}
"""Other styles by what makes a model of one; scripting and ``jit.trace`` run the same aten ops."""


@pytest.fixture
def price_styles(monkeypatch):
    """From a function or a module and its inputs, what each calling style of it costs."""
    tracing = importlib.import_module("resflops.tracing.trace")

    def prices(made, *inputs):
        model = made if isinstance(made, nn.Module) else Learned(made, inputs[0].shape[-1])
        found = {"eager": price(model, inputs)}
        found |= {style: price(make(model, inputs), inputs) for style, make in MADE.items()}
        with monkeypatch.context() as patch:
            patch.setattr(tracing, "Recorder", partial(Recorder, described=False))
            found["fallback"] = price(model, inputs)
        return found

    return prices
