"""Layers of the model's own classes, which torchinfo charges by their parameters whatever they do with them."""

import pytest
import torch
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking.reconciliation import find_parameter_causes, reconcile

CAUSE = "layers of other classes than torch's, by their parameters"


class Scale(nn.Module):
    """Works out a root mean square by several ops, and has a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * self.weight


class Conv1D(nn.Module):
    """A linear layer that is called a convolution, as GPT-2's is."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(4, 6)), nn.Parameter(torch.ones(6))

    def forward(self, x):
        return torch.addmm(self.bias, x.flatten(0, 1), self.weight).view(*x.shape[:2], 6)


class Standardised(nn.Conv2d):
    """Normalises its own weight, by an op that torchinfo does not look at."""

    def forward(self, x):
        weight = nn.functional.batch_norm(self.weight.flatten(1)[None], None, None, training=True).view_as(
            self.weight
        )
        return nn.functional.conv2d(x, weight, self.bias)


class TwoTables(nn.Module):
    """A table that is never called, and two others that share its weight."""

    def __init__(self):
        super().__init__()
        self.shared, self.first, self.second = (nn.Embedding(10, 4) for _ in range(3))
        self.first.weight = self.second.weight = self.shared.weight

    def forward(self, x):
        return self.first(x) + self.second(x)


def test_what_a_layer_is_charged_as_a_whole_is_a_cause():
    trace = resflops.trace(nn.Sequential(Scale(), nn.Linear(4, 3)), (2, 5, 4))
    peer = PEERS["torchinfo"]
    row = reconcile(
        trace,
        peer,
        peer.convention,
        version="",
        figure=2 * 4 + 2 * 15,
        peer_params=None,
        by_layer={"0": 2 * 4},
    )
    (cause,) = [cause for cause in row.causes if cause.name == CAUSE]
    assert (cause.amount, cause.layers, cause.where) == (2 * 4, 1, ("0",))
    assert row.unexplained == 0


def test_a_tied_parameter_of_a_module_that_is_never_called_counts_where_it_is_called():
    trace = resflops.trace(TwoTables(), torch.zeros(1, 3, dtype=torch.long))
    (cause,) = find_parameter_causes(trace, PEERS["torchinfo"])
    assert (cause.amount, cause.modules) == (40, ("second",))


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (lambda: nn.Sequential(Scale(), nn.Linear(4, 3)), (2, 5, 4)),
        (lambda: nn.Sequential(Conv1D(), nn.Linear(6, 3)), (2, 5, 4)),
        (lambda: nn.Sequential(Standardised(3, 4, 3), nn.BatchNorm2d(4)), (2, 3, 8, 8)),
        (TwoTables, torch.zeros(1, 3, dtype=torch.long)),
    ],
    ids=["Scale", "Conv1D", "Standardised", "TwoTables"],
)
def test_torchinfo_is_explained(make, inputs):
    if find_installed_version(PEERS["torchinfo"]) is None:
        pytest.skip("torchinfo is not installed")
    (row,) = resflops.crosscheck(make(), inputs, peers=["torchinfo"]).rows
    assert (row.failure, row.unexplained, row.unexplained_params) == ("", 0, 0)
