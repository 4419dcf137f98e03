"""Modules that stand in several places of a model, whose calls some counters count in each."""

import pytest
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version

CAUSE = "modules that stand in several places, counted in each"


class Block(nn.Module):
    def __init__(self, shared):
        super().__init__()
        self.shared, self.own = shared, nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.own(self.shared(x)))


class Model(nn.Module):
    """A linear layer that stands in two blocks, and is called in both."""

    def __init__(self):
        super().__init__()
        shared = nn.Linear(4, 4)
        self.first, self.second = Block(shared), Block(shared)

    def forward(self, x):
        return self.second(self.first(x))


# One call of a layer is 3 rows of 4 features to 4.
CALL = 3 * 4 * 4


@pytest.mark.parametrize(
    ("name", "figure", "cause"),
    [
        # Two calls in each of two places.
        ("calflops", 4 * CALL + 2 * CALL, 2 * CALL),
        ("ptflops", 4 * (CALL + 12) + 2 * (CALL + 12) + 2 * 12, 2 * (CALL + 12)),
        # Two hooks in each of two places.
        ("thop", 8 * CALL + 2 * CALL, 6 * CALL),
        ("DeepSpeed", 4 * CALL, None),
    ],
)
def test_what_is_counted_in_each_place_is_a_cause(name, figure, cause):
    if find_installed_version(PEERS[name]) is None:
        pytest.skip(f"{name} is not installed")
    for row in resflops.crosscheck(Model(), (3, 4), peers=[name]).rows:
        assert (row.failure, row.unexplained, row.unexplained_params) == ("", 0, 0), row.convention
        if row.convention == name:
            assert row.figure == figure
            assert {each.name: each.amount for each in row.causes}.get(CAUSE) == cause
