"""Normalisations: their attributes, and one cost however they are called."""

import pytest
from torch import nn
from torch.nn.utils import parametrizations

from resflops.errors import MissingAttributeError
from resflops.ops import OPS

IMAGE = (2, 4, 6, 6)
CASES = {
    "batch norm": (nn.BatchNorm2d(4).eval(), IMAGE),
    "batch norm, not affine": (nn.BatchNorm2d(4, affine=False).eval(), IMAGE),
    "layer norm": (nn.LayerNorm(6), IMAGE),
    "layer norm without bias": (nn.LayerNorm((6, 6), bias=False), IMAGE),
    "group norm": (nn.GroupNorm(2, 4), IMAGE),
    "group norm, not affine": (nn.GroupNorm(2, 4, affine=False), IMAGE),
    "instance norm": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "rms norm": (nn.RMSNorm(6), IMAGE),
    "rms norm, not affine": (nn.RMSNorm((6, 6), elementwise_affine=False), IMAGE),
    "local response norm": (nn.LocalResponseNorm(3), IMAGE),
    "weight norm": (parametrizations.weight_norm(nn.Linear(6, 3)), IMAGE),
}
DISPATCHED = ("scripted", "exported", "make_fx", "fallback")
DIFFERS = {
    # Torch runs a batch norm, whose gradient for the input makes that of the weights in passing.
    **{(style, "instance norm"): {"flops backward"} for style in DISPATCHED},
    # Torch writes these as powers, means and products, and each has a gradient of its own.
    **{
        (style, name): {"flops", "flops backward"}
        for style in DISPATCHED
        for name in ("rms norm", "rms norm, not affine", "local response norm")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


GIVEN = {"training": False, "weight": True, "bias": True, "groups": 8, "size": 3}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        pytest.param(name, field, id=f"{name} without {field}")
        for name, known in OPS.items()
        if known.family == "normalization" and known.attributes
        for field in known.attributes.__struct_fields__
        if field in GIVEN
    ],
)
def test_a_missing_attribute_is_an_error(name, missing, record):
    shapes = [(2, 4, 6, 6)], (2, 4, 6, 6)
    assert OPS[name].work(record(name, *shapes, **GIVEN))
    with pytest.raises(MissingAttributeError, match=f"`{missing}`"):
        OPS[name].work(record(name, *shapes, **{key: GIVEN[key] for key in GIVEN if key != missing}))
