"""What counters that patch ``interpolate`` charge for it: by the size that it is given, or by the factors."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version

SHAPE = (2, 3, 5, 6)
ELEMENTS = 2 * 3 * 5 * 6


class Resizes(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        # calflops refuses a model without parameters.
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(self.function(x))


CASES = [
    (lambda x: F.interpolate(x, size=(10, 9)), (10, 9), 10 * 9, 10 * 9),
    (lambda x: F.interpolate(x, x.new_empty(4, 7).shape, mode="bilinear"), (4, 7), 4 * 7, 4 * 7),
    (lambda x: F.interpolate(x, size=12), (12, 12), 12, 12),
    (lambda x: F.interpolate(x, scale_factor=2), (10, 12), ELEMENTS, 4 * ELEMENTS),
    (lambda x: F.interpolate(x, scale_factor=(2.0, 1.0)), (10, 6), ELEMENTS, 2 * ELEMENTS),
    # 7 rows of 7.5, and 405 elements.
    (lambda x: F.interpolate(x, scale_factor=1.5), (7, 9), ELEMENTS, 405),
    (nn.Upsample(size=(10, 9), mode="bilinear"), (10, 9), 10 * 9, 10 * 9),
    (nn.Upsample(size=12), (12, 12), 12, 12),
    (nn.Upsample(scale_factor=2), (10, 12), ELEMENTS, 4 * ELEMENTS),
]  # fmt: skip
NAMES = ["size", "torch.Size", "one size", "factor", "factors", "cut", "layer", "layer's one size", "layer's factor"]  # fmt: skip


@pytest.mark.parametrize(("function", "size", "calflops", "deepspeed"), CASES, ids=NAMES)
def test_what_is_asked_for_decides(function, size, calflops, deepspeed):
    trace = resflops.trace(Resizes(function), SHAPE)
    # Two per multiply-accumulate, and a bias add per output.
    conv = 2 * 3 * size[0] * size[1] * 3 * 2 + 2 * 3 * size[0] * size[1]
    assert resflops.count(trace, convention="calflops-flops").total == conv + calflops
    assert resflops.count(trace, convention="DeepSpeed-flops").total == conv + deepspeed


@pytest.mark.parametrize("name", ["calflops", "DeepSpeed", "ptflops"])
@pytest.mark.parametrize(("function", "size", "calflops", "deepspeed"), CASES, ids=NAMES)
def test_counters_that_patch_it_are_explained(function, size, calflops, deepspeed, name):
    del size, calflops, deepspeed
    if find_installed_version(PEERS[name]) is None:
        pytest.skip(f"{name} is not installed")
    if name == "ptflops" and function is CASES[5][0]:
        pytest.skip("ptflops counts the cut elements as a fraction")
    for row in resflops.crosscheck(Resizes(function), SHAPE, peers=[name]).rows:
        assert (row.failure, row.unexplained) == ("", 0), row.convention


def test_an_exported_model_tells_sizes_from_factors():
    image = torch.zeros(SHAPE)
    for function, _, calflops, _ in CASES[:1] + CASES[3:4]:
        program = torch.export.export(Resizes(function), (image,))
        (record,) = [op for op in resflops.trace(program.module(), image).ops if op.op == "interpolate"]
        assert bool(record.attributes.get("size")) is (calflops == 90)
