"""An exported program costs what the model costs that it was exported from: op by op, layer by layer."""

import pytest
import torch
from torch import nn

import resflops
from resflops.sources.programs import make_module

CONVENTIONS = ("macs", "formula", "flops")


class Residual(nn.Module):
    """A block with a second path around it, and an activation that it calls twice."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.norm(self.conv(x)))
        out += x
        return self.relu(out)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential(Residual(8), Residual(8))
        self.last = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.blocks(self.pool(self.stem(x)))
        return self.fc(torch.flatten(self.last(x), 1))


IMAGE = torch.zeros(2, 3, 32, 32)


def export(model, *inputs, **how):
    return torch.export.export(model, inputs, **how)


def compare(model, program, *inputs):
    """Require that a program is recorded as its model is, and costs the same."""
    own, its = resflops.trace(model, *inputs), resflops.trace(program, *inputs)
    assert its.ops == own.ops
    assert its.modules == own.modules
    for convention in CONVENTIONS:
        backward = convention != "formula"
        expected = resflops.count(own, convention=convention, backward=backward)
        cost = resflops.count(its, convention=convention, backward=backward)
        assert (cost.total, cost.params, cost.layers) == (expected.total, expected.params, expected.layers)
        assert cost.backward == expected.backward


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        pytest.param(Convolutional(), (IMAGE,), id="residual network"),
    ],
)
def test_a_program_is_recorded_as_its_model(model, inputs):
    model.eval()
    compare(model, export(model, *inputs), *inputs)


def test_the_module_of_a_program_computes_what_the_program_computes():
    model = Convolutional().eval()
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(make_module(export(model, x))(x), model(x))
