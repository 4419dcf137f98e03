"""TorchScript is counted layer by layer, on shapes, as the module that it was made of is."""

import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

IMAGE = (2, 3, 9, 9)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.norm(self.conv(x))) + x


class Net(nn.Module):
    """Layers in containers, one whose weight is another's, and a size that a trace writes down as a tensor."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.blocks = nn.Sequential(Block(4), Block(4))
        self.mix = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4, bias=False)])
        self.mix[1].weight = self.mix[0].weight
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        batch, channels = x.shape[:2]
        x = x.reshape(batch, channels, -1).mean(2) * channels**-0.5
        for layer in self.mix:
            x = layer(x)
        return self.head(F.softmax(x, dim=-1))


def save(script):
    """What torch.jit.load gives of a script that was saved."""
    buffer = io.BytesIO()
    torch.jit.save(script, buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


def trace(model, image=IMAGE):
    with torch.no_grad():
        return torch.jit.trace(model, torch.rand(image))


WAYS = {
    "scripted": torch.jit.script,
    "traced": trace,
    "scripted, from a file": lambda model: save(torch.jit.script(model)),
    "traced, from a file": lambda model: save(trace(model)),
    "inside eager code": lambda model: nn.Sequential(torch.jit.script(model)),
}


def summarise(cost):
    """What two counts of one network agree in."""
    layers = {}
    for row in cost.layers:
        name = row.name.removeprefix("0.") if "0.stem" in {each.name for each in cost.layers} else row.name
        macs, params = layers.get(name, (0, 0))
        layers[name] = macs + row.macs, params + row.params
    return (
        cost.macs,
        cost.params,
        cost.under("flops").total,
        cost.uncounted,
        {k: v for k, v in layers.items() if any(v)},
    )


@pytest.mark.parametrize("way", WAYS)
def test_layers_parameters_and_flops_are_those_of_the_module(way):
    model = Net().eval()
    own, scripted = resflops.count(model, IMAGE), resflops.count(WAYS[way](model), IMAGE)
    assert summarise(scripted) == summarise(own)
    assert (scripted.trace.execution, scripted.trace.notes) == ("meta", ())
