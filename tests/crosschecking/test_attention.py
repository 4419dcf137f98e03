"""A layer attends where it runs an attention, whatever its class is called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.crosschecking.reconciliation import find_attention


class Mixer(nn.Module):
    """Attention written out, by a name that tells nothing."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return (q @ k.transpose(-2, -1) / 8**0.5).softmax(-1) @ v


class SpatialAttention(nn.Module):
    """A convolution that weighs places, as CBAM's: no attention of queries to keys."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        mean, largest = x.mean(1, keepdim=True), x.amax(1, keepdim=True)
        return x * self.conv(torch.cat((mean, largest), 1)).sigmoid()


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("model", "shape", "layers"),
    [
        pytest.param(nn.Sequential(Mixer(), nn.Linear(8, 8)), (2, 5, 8), {"0"}, id="by products"),
        pytest.param(
            Calls(lambda x: F.scaled_dot_product_attention(x, x, x)), (2, 5, 8), {""}, id="by an op"
        ),
        pytest.param(nn.Sequential(SpatialAttention()), (1, 3, 8, 8), set(), id="only called so"),
        pytest.param(Calls(lambda x: (x @ x).softmax(-1)), (5, 5), set(), id="no product after it"),
        pytest.param(Calls(lambda x: x.softmax(-1) @ x), (5, 5), set(), id="no product before it"),
        pytest.param(Calls(lambda x: x @ x @ x), (5, 5), set(), id="no softmax"),
    ],
)
def test_what_a_layer_runs_tells_whether_it_attends(model, shape, layers):
    assert find_attention(resflops.trace(model, shape)) == layers
