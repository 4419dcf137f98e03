"""A model whose names try to break out of every format."""

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops

NAMES = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!-- a",
    "a|b",
    "=cmd()",
    "+1",
    "@SUM(A1)",
    "100%",
    "`code`",
    "two\nlines",
    "\r\nlines",
    "tab\there",
    "$x_1$ & \\alpha {}",
    "a--b ~~c~~",
    "&lt;b&gt;",
    "{{ 7 * 7 }}{% x %}",
    "\x1b[31mred",
    "\u202eright to left",
    "**bold** _i_ [a](http://x)",
    "]]>",
    "\"quoted\" 'twice'",
    "long" * 100,
)
MODEL = "<script>|=cmd()`%\n$"


class Chain(nn.Module):
    """One convolution inside each module that is named, one after the other."""

    def __init__(self, names):
        super().__init__()
        for name in names:
            self.add_module(name, nn.Sequential(nn.Conv2d(2, 2, 1)))

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


@pytest.fixture(scope="session")
def hostile_names():
    return NAMES


@pytest.fixture(scope="session")
def hostile_cost():
    trace = resflops.trace(Chain(NAMES), torch.zeros(1, 2, 4, 4))
    stages = {name: f"stage {name}" for name in NAMES}
    return resflops.count(replace(trace, model=MODEL, stages=stages))


@pytest.fixture(scope="session")
def cost_of_a_chain():
    """The cost of as many layers as asked for."""
    return lambda layers: resflops.count(Chain([f"layer{n}" for n in range(layers)]), (1, 2, 8, 8))
