"""Modules whose TorchScript does what Python has no graph of its own for, and how they are saved and loaded.

Torch compiles them from their source, so they stand in a file.
"""

import io
from enum import Enum
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


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


class Twice(nn.Module):
    """One layer under two names, called by both."""

    def __init__(self):
        super().__init__()
        self.first = self.second = nn.Linear(4, 4)

    def forward(self, x):
        return self.second(self.first(x))


class Numbers(nn.Module):
    """Arithmetic as TorchScript does it."""

    def forward(self, x):
        n, m = x.size(0), x.size(1)
        y = x * (n / m) + n // m - n % m
        y = y * float(n**2) + max(n, m) + min([n, m, 3]) - abs(-n) + int(2.7) + -n
        if n > m or not n >= 3:
            y = y + 1
        for i in range(n, -1, -2):
            y = y + i
        if bool(n & 1) ^ (m >= 2):
            y = y * round(1.6)
        return y


class Containers(nn.Module):
    """Lists, dicts, tuples and texts."""

    def __init__(self):
        super().__init__()
        self.sizes = torch.jit.Attribute([1, 2], list[int])

    def forward(self, x):
        items = [x, x + 1]
        items.append(x * 2)
        items += [x]
        items.insert(0, x - 1)
        items.reverse()
        last = items.pop()
        named: dict[str, torch.Tensor] = {"a": x}
        named["b"] = last
        for key, value in named.items():
            if key.startswith("b") and key in named:
                items.append(value)
        self.sizes.append(3)
        pair: tuple[int, list[int]] = (len(items), self.sizes[1:] + [4] * 2)
        total = sum(pair[1]) + pair[0] + len(list(named.keys()))
        left, right = x.chunk(2)
        del named["a"]
        text = "{}-{}".format("a", total)
        return torch.cat(items) * total, left + right, text, len(named), sorted([3, 1, 2]), pair[1].index(3)


class Scaled:
    """A class of the file's own, which is no module."""

    def __init__(self, factor: int, x: torch.Tensor):
        self.factor = factor
        self.x = x

    def apply(self, more: int) -> torch.Tensor:
        return self.x * self.factor * more


class Result(NamedTuple):
    scores: torch.Tensor
    more: torch.Tensor | None


class Objects(nn.Module):
    """Objects, named tuples, optional arguments, contexts and types that are asked for."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.calls = 0

    def forward(self, x, scale: float | None = None):
        made = Scaled(2, x)
        if x.shape[0] > 1:
            made.factor = 3
        with torch.no_grad():
            y = made.apply(2)
        self.calls += 1
        if scale is not None:
            y = y * scale
        y = y.to(torch.float64).to(y.dtype) if x.dtype == torch.float32 else y
        assert y.dim() == 2, "takes a batch"
        return Result(self.layer(y) + self.calls, None)


class Recurrent(nn.Module):
    """A recurrent network, whose weights torch packs for each cell when it quantises it."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, 2, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0])


class Forks(nn.Module):
    """Two tasks that TorchScript may run at once."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        other = torch.jit.fork(self.two, x)
        return self.one(x) + torch.jit.wait(other)


class Deciding(nn.Module):
    """A path that depends on values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        if float(x.sum()) > 0.0:
            x = self.layer(x)
        return self.layer(x)


class Saves(nn.Module):
    """Writes a file."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        torch.save(x, self.path)
        return self.layer(x)


class Color(Enum):
    RED = 1
    GREEN = 2


class Enumerates(nn.Module):
    """An enum, which Python cannot go through, around layers that it could."""

    def __init__(self):
        super().__init__()
        self.color = Color.RED
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        if self.color.value == 2:
            x = x + 1
        return self.layer(x)


class Fills(nn.Module):
    """The same with a tensor of numbers, of which compiled code dies on shapes."""

    def __init__(self):
        super().__init__()
        self.color = Color.RED
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x) * self.color.value + torch.tensor([1.0, 2.0, 3.0, 4.0])


def save(script):
    """Give what torch.jit.load gives of a script that was saved."""
    buffer = io.BytesIO()
    torch.jit.save(script, buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


def trace(model, shape):
    """Trace a model without gradients."""
    with torch.no_grad():
        return torch.jit.trace(model, torch.rand(shape))
