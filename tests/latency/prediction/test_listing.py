"""What one forward pass does, from its trace alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from resflops import count
from resflops.latency.prediction.listing import list_ops


def list_kinds(module: nn.Module, *shape: int) -> list[str]:
    return [each.sized.kind for each in list_ops(count(module.eval(), shape))]


class Norm2d(nn.LayerNorm):
    """As ConvNeXt has it."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Shuffle(nn.Module):
    def forward(self, x):
        return x.view(1, 2, 4, 6, 6).transpose(1, 2).contiguous().view(1, 8, 6, 6)


@pytest.mark.parametrize(
    ("module", "kinds"),
    [
        pytest.param(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True), nn.ReLU()),
                     ["1×1 convolution", "relu in place", "relu", *["module call"] * 4], id="in place"),
        pytest.param(Shuffle(), ["view", "view", "copy", "view", "module call"], id="a copy among views"),
        pytest.param(nn.Sequential(Norm2d(8), nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 4, 1)),
                     ["view", "copy", "layer_norm", "view", "convolution, channels last",
                      "1×1 convolution, channels last", *["module call"] * 4], id="channels last"),
        pytest.param(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(288, 3)),
                     ["view", "view", "linear", *["module call"] * 4], id="views"),
    ],
)  # fmt: skip
def test_every_op_is_listed_as_it_runs(module, kinds) -> None:
    assert list_kinds(module, 1, 8, 6, 6) == kinds


def test_ops_carry_the_layer_they_ran_in() -> None:
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(4, 4))

        def forward(self, x):
            return functional.relu(self.inner(x)) + torch.ones(4)

    found = list_ops(count(Net(), (2, 4)))
    assert [(each.layer, each.sized.kind) for each in found if each.record and each.sized.kind != "copy"] == [
        ("inner.0", "linear"), ("", "relu"), ("", "add, broadcast"),
    ]  # fmt: skip
    assert [each.layer for each in found if each.record is None] == ["", "inner.0", "inner"]
