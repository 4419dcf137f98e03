"""A cell-based search space: 7⁶ = 117,649 cells, each repeated fifteen times on 32x32 images.

The network is that of NAS-Bench-201 (arXiv 2001.00326): three stages of five cells with 16, 32 and 64
channels, and a residual block between stages. An edge of a cell may also be a separable or a dilated
convolution.

    resflops sweep tests/benchmarks/cell_space.py:candidates,count=20000 --input 1x3x32x32 --out cells.csv
"""

import random
from collections.abc import Callable, Iterator
from functools import partial

from nas_networks import Reduction, Zero, make_convolution
from torch import Tensor, nn

CHOICES = ("none", "skip", "pool", "1", "3", "separable", "dilated")
EDGES = 6
STAGES = (16, 32, 64)
CELLS = 5


def make_edge(choice: str, channels: int) -> nn.Module:
    """Make one of the seven operations that an edge may be."""
    if choice == "none":
        return Zero()
    if choice == "skip":
        return nn.Identity()
    if choice == "pool":
        return nn.AvgPool2d(3, stride=1, padding=1)
    if choice == "separable":
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        return nn.Sequential(nn.ReLU(), depthwise, pointwise, nn.BatchNorm2d(channels))
    if choice == "dilated":
        dilated = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, bias=False)
        return nn.Sequential(nn.ReLU(), dilated, nn.BatchNorm2d(channels))
    return make_convolution(channels, channels, int(choice))


class Cell(nn.Module):
    """Four nodes, each the sum of an edge from every node before it."""

    def __init__(self, choices: tuple[str, ...], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(make_edge(choice, channels) for choice in choices)

    def forward(self, x: Tensor) -> Tensor:
        """Sum up node by node."""
        first, *others = self.edges
        b = first(x)
        c = others[0](x) + others[1](b)
        d: Tensor = others[2](x) + others[3](b) + others[4](c)
        return d


def build(choices: tuple[str, ...]) -> nn.Module:
    """Build the network of one cell."""
    stem = nn.Sequential(nn.Conv2d(3, STAGES[0], 3, padding=1, bias=False), nn.BatchNorm2d(STAGES[0]))
    layers: list[nn.Module] = [stem]
    for channels in STAGES:
        if channels != STAGES[0]:
            layers.append(Reduction(channels))
        layers += [Cell(choices, channels) for _ in range(CELLS)]
    last = STAGES[-1]
    head = (nn.BatchNorm2d(last), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 10))
    return nn.Sequential(*layers, *head)


def candidates(count: int = 20_000, seed: int = 0) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """Give so many different cells, in an order that a seed fixes."""
    for number in random.Random(seed).sample(range(len(CHOICES) ** EDGES), count):
        choices = tuple(CHOICES[number // len(CHOICES) ** edge % len(CHOICES)] for edge in range(EDGES))
        yield "|".join(choices), partial(build, choices)
