"""Random networks of NAS-Bench-201's search space, as its paper builds them (arXiv 2001.00326)."""

import random

from torch import Tensor, nn

EDGES = 6
CHANNELS = (16, 32, 64)
CELLS = 5


def make_convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """Make what the search space calls a convolution: ReLU, convolution, batch norm."""
    return nn.Sequential(
        nn.ReLU(inplace=False),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Zero(nn.Module):
    """The edge that is not there."""

    def forward(self, x: Tensor) -> Tensor:
        """Give zeros."""
        return x.mul(0.0)


def make_edge(choice: str, channels: int) -> nn.Module:
    """Make one of the five operations that an edge may be."""
    if choice == "none":
        return Zero()
    if choice == "skip":
        return nn.Identity()
    if choice == "pool":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return make_convolution(channels, channels, int(choice))


class Cell(nn.Module):
    """Four nodes, each the sum of an edge from every node before it."""

    def __init__(self, choices: list[str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(make_edge(choice, channels) for choice in choices)

    def forward(self, x: Tensor) -> Tensor:
        """Sum up node by node."""
        nodes, edges = [x], iter(self.edges)
        for _ in range(3):
            parts = [next(edges)(node) for node in nodes]
            nodes.append(sum(parts[1:], start=parts[0]))
        return nodes[-1]


class Reduction(nn.Module):
    """The residual block between stages."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = make_convolution(channels // 2, channels, 3, stride=2)
        self.second = make_convolution(channels, channels, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels // 2, channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Add the block to its shortcut."""
        result: Tensor = self.second(self.first(x)) + self.shortcut(x)
        return result


def candidate(number: int) -> nn.Module:
    """Build the candidate of a number: the same in every process."""
    draw = random.Random(number)
    choices = draw.choices(("none", "skip", "1", "3", "pool"), k=EDGES)
    layers: list[nn.Module] = [
        nn.Conv2d(3, CHANNELS[0], 3, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS[0]),
    ]
    for channels in CHANNELS:
        layers += [] if channels == CHANNELS[0] else [Reduction(channels)]
        layers += [Cell(choices, channels) for _ in range(CELLS)]
    return nn.Sequential(
        *layers, nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )
