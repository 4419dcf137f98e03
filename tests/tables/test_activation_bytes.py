"""The bytes that layers write and keep, beside their cost."""

import pytest
import torch
from torch import nn

import resflops
from resflops.sources import find
from resflops.tables.activation_bytes import add_bytes_of_layers, add_bytes_of_models
from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import build_comparison, build_entry


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(8 * 16, 10))

    def forward(self, x):
        return self.body(torch.relu_(self.norm(self.conv(x))))


COST = resflops.count(Net(), (2, 3, 4, 4))
MAP, SCORES = 2 * 8 * 16 * 4, 2 * 10 * 4
STATISTICS = 2 * 8 * 4


def test_a_layer_keeps_what_the_gradients_of_others_need():
    table = add_bytes_of_layers(build_breakdown(COST), COST)
    sizes = {
        row["name"]: (row["written_bytes"], row["kept_bytes"]) for row in table.rows if row["op"] != "relu"
    }
    # The map of the convolution for the norm, that of the norm for ReLU, which writes into it, and the product.
    assert sizes["conv"] == (MAP, MAP)
    assert sizes["norm"] == (MAP + STATISTICS, MAP + STATISTICS)
    assert sizes["body.1"] == (SCORES, 0)
    assert table.total is not None
    assert table.total["written_bytes"] == 2 * MAP + STATISTICS + SCORES
    assert table.total["kept_bytes"] == 2 * MAP + STATISTICS


@pytest.mark.parametrize("depth", [1, 2])
def test_parts_of_the_module_tree_add_their_layers_up(depth):
    table = add_bytes_of_layers(build_breakdown(COST, depth=depth), COST, depth=depth)
    sizes = {row["name"]: row["written_bytes"] for row in table.rows}
    assert sizes["body" if depth == 1 else "body.1"] == SCORES
    assert sum(sizes.values()) == table.total["written_bytes"]


def test_a_model_has_the_sums_of_its_layers():
    cost = resflops.count("resnet34")
    table = add_bytes_of_models(build_comparison([build_entry(find("resnet34"), cost)]), [cost])
    (row,) = table.rows
    memory = resflops.memory("resnet34", (1, 3, 224, 224), training=True, loss="sum")
    begins = next(place for place, step in enumerate(memory.steps) if step.phase == "backward")
    forward = [block for block in memory.blocks if 0 <= block.born < begins]
    # The pass on shapes has the loss as well, a number of four bytes.
    assert row["written_bytes"] == sum(block.size for block in forward) - 4
    assert row["kept_bytes"] == sum(block.size for block in forward if block.kind == "activations") - 4
    assert "bytes written" in str(table)
