"""A cost is the same after it has been saved and read, under every convention."""

import pytest
import torch
from torch import nn

import resflops
from resflops.cost import Cost
from resflops.cost.convention import Convention, find_convention, register_convention
from resflops.counters import CONVENTIONS, PEERS

OWN = Convention(
    name="elements",
    counts="every element that any op gives, twice those of additions",
    source="here",
    prices={"output_elements": 1},
    op_prices={"add": {"output_elements": 2}},
)

EVERY = [
    *CONVENTIONS,
    *(each.name for peer in PEERS.values() for e in peer.editions for each in e.conventions),
]


class Mixture(nn.Module):
    """Views, copies, an op without a rule, and ops of many families."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 4, bidirectional=True, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.dropout = nn.LayerNorm(8), nn.Dropout(0.5)

    def forward(self, x):
        x, _ = self.lstm(x)
        x = self.norm(x + self.attention(x, x, x)[0])
        x = self.dropout(torch.cat([x, x.flip(1)]).transpose(1, 2).contiguous())
        return torch.special.bessel_j0(x.flatten(1)).softmax(-1).cumsum(-1)


@pytest.fixture(scope="module", params=["resnet18", "mixture in training"])
def cost(request):
    if request.param == "resnet18":
        return resflops.count(resflops.load("resnet18"), (1, 3, 224, 224))
    return resflops.count(Mixture(), (2, 5, 6))


@pytest.mark.parametrize("name", EVERY)
def test_a_cost_read_from_a_file_is_what_was_saved_under_every_convention(cost, tmp_path, name):
    cost.save(tmp_path / "macs.json")
    cost.under(name).save(tmp_path / "own.json")
    live, elsewhere = cost.under(name), Cost.load(tmp_path / "macs.json").under(name)
    assert elsewhere == live == Cost.load(tmp_path / "own.json")
    assert elsewhere.prices == live.prices
    assert elsewhere.layers == live.layers
    assert elsewhere.uncounted == live.uncounted


@pytest.fixture
def _registered():
    register_convention(OWN)
    yield
    del CONVENTIONS[OWN.name]


@pytest.mark.usefixtures("_registered")
def test_views_and_copies_are_free_under_a_convention_of_elements_before_and_after(tmp_path):
    cost = resflops.count(resflops.load("resnet18"), (1, 3, 224, 224), convention=OWN.name)
    cost.save(tmp_path / "cost.json")
    flattened = 512
    additions = 64 * 56 * 56 * 2 + 128 * 28 * 28 * 2 + 256 * 14 * 14 * 2 + 512 * 7 * 7 * 2
    read = Cost.load(tmp_path / "cost.json").under("macs").under(OWN.name)
    assert read.total == cost.total == 8_230_376 + additions
    assert [op.op for op in cost.trace.ops if op.op == "flatten"] == ["flatten"]
    assert cost.total != 8_230_376 + additions + flattened
    assert find_convention(OWN.name) is OWN
