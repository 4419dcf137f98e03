"""Pools: their attributes, and one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import MissingAttributeError
from resflops.ops import OPS

LINE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 9, 8), (2, 4, 5, 6, 7)
CASES = {
    "max_pool1d": (nn.MaxPool1d(3, 2, 1), LINE),
    "max_pool2d": (nn.MaxPool2d(3, 2, 1, dilation=2), IMAGE),
    "max_pool2d, in ceil mode": (nn.MaxPool2d((20, 3), (20, 4), ceil_mode=True), IMAGE),
    "max_pool2d, with indices": (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], IMAGE),
    "max_pool3d": (nn.MaxPool3d(2), VOLUME),
    "avg_pool1d": (nn.AvgPool1d(2), LINE),
    "avg_pool2d": (nn.AvgPool2d(3, 2, 1), IMAGE),
    "avg_pool2d, in ceil mode": (nn.AvgPool2d(20, ceil_mode=True), IMAGE),
    "avg_pool3d": (nn.AvgPool3d(2, padding=1), VOLUME),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(4), LINE),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d((3, None)), IMAGE),
    "adaptive_avg_pool2d, global": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_avg_pool3d": (nn.AdaptiveAvgPool3d(2), VOLUME),
    "adaptive_max_pool1d": (nn.AdaptiveMaxPool1d(4), LINE),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d((3, 2)), IMAGE),
    "adaptive_max_pool3d": (nn.AdaptiveMaxPool3d(2), VOLUME),
    "fractional_max_pool2d": (nn.FractionalMaxPool2d(2, output_size=3), IMAGE),
    "fractional_max_pool3d": (nn.FractionalMaxPool3d(2, output_size=2), VOLUME),
    "lp_pool2d": (nn.LPPool2d(2, 3), IMAGE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


GIVEN = {"kernel": (2, 2), "padding": (0, 0)}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        pytest.param(name, field, id=f"{name} without {field}")
        for name, known in OPS.items()
        if known.family == "pooling" and known.attributes
        for field in known.attributes.__struct_fields__
        if field in GIVEN
    ],
)
def test_a_missing_attribute_is_an_error(name, missing, record):
    shapes = [(1, 4, 8, 8)], (1, 4, 4, 4)
    assert OPS[name].work(record(name, *shapes, **GIVEN))
    with pytest.raises(MissingAttributeError, match=f"`{missing}`"):
        OPS[name].work(record(name, *shapes, **{key: GIVEN[key] for key in GIVEN if key != missing}))


class Scaled(nn.Module):
    """A function behind a parameter of one element."""

    def __init__(self, function):
        super().__init__()
        self.function, self.scale = function, nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.function(x * self.scale)


def test_the_gradient_of_a_global_mean_is_one_quotient_however_it_is_called():
    for pool in (nn.AdaptiveAvgPool2d(1), lambda x: x.mean((-2, -1))):
        backward = resflops.count(Scaled(pool), IMAGE, backward=True).backward
        # The quotients; and the scale's own gradient, a product per element and their sum.
        assert backward.work.arithmetic == 8 + 2 * 4 * 72 * 2 - 1


def test_a_norm_of_windows_takes_what_one_of_a_vector_does_and_so_does_its_gradient(record):
    windows = record("lp_pool2d", [(1, 1, 4, 6)], (1, 1, 2, 2), kernel=(2, 3), padding=(0, 0))
    vectors = record("norm", [(4, 6)], (4,), ord=2)
    for count in (lambda each: OPS[each.op].work(each), lambda each: OPS[each.op].gradient.work(each, (0,))):
        pooled, own = count(windows), count(vectors)
        # Windows may overlap, so that a gradient is added up; vectors do not.
        overlapping = 24 if isinstance(pooled, tuple) else 0
        pooled, own = (each[0] if isinstance(each, tuple) else each for each in (pooled, own))
        assert pooled.arithmetic - overlapping == own.arithmetic
        assert pooled.transcendental == own.transcendental
