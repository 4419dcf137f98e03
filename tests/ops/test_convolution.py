"""Convolutions, deformable ones too: their attributes, and one cost however they are called."""

import pytest
import torch
from torch import nn

from resflops.errors import MissingAttributeError
from resflops.ops import OPS

try:
    from torchvision import ops
except ImportError:
    ops = None

LINE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 9, 8), (2, 4, 5, 6, 7)


class Deformed(nn.Module):
    """A deformable convolution with offsets of its own."""

    def __init__(self, *, masked):
        super().__init__()
        self.inner = ops.DeformConv2d(4, 6, 3)
        self.offset = nn.Parameter(torch.zeros(2, 18, 7, 6))
        self.mask = nn.Parameter(torch.zeros(2, 9, 7, 6)) if masked else None

    def forward(self, x):
        return self.inner(x, self.offset, self.mask)


CASES = {
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1), LINE),
    "conv2d": (nn.Conv2d(4, 6, (3, 2), groups=2, dilation=2, bias=False), IMAGE),
    "conv2d, padded to the same size": (nn.Conv2d(4, 6, 3, padding="same"), IMAGE),
    "conv2d, without a batch": (nn.Conv2d(4, 6, 3), IMAGE[1:]),
    "conv3d": (nn.Conv3d(4, 6, 2, padding=1), VOLUME),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 6, 3, stride=2), LINE),
    "conv_transpose2d": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), IMAGE,
    ),
    "conv_transpose3d": (nn.ConvTranspose3d(4, 6, 2, dilation=2, bias=False), VOLUME),
}  # fmt: skip
if ops is not None:
    CASES["deform_conv2d"] = (Deformed(masked=False), IMAGE)
    CASES["deform_conv2d, masked"] = (Deformed(masked=True), IMAGE)


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


GIVEN = {"bias": True, "mask": True}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        pytest.param(name, field, id=f"{name} without {field}")
        for name, known in OPS.items()
        if known.family == "convolution" and known.attributes
        for field in known.attributes.__struct_fields__
        if field in GIVEN
    ],
)
def test_a_missing_attribute_is_an_error(name, missing, record):
    shapes = [(1, 4, 8, 8), (4, 4, 2, 2)], (1, 4, 4, 4)
    assert OPS[name].work(record(name, *shapes, **GIVEN))
    with pytest.raises(MissingAttributeError, match=f"`{missing}`"):
        OPS[name].work(record(name, *shapes, **{key: GIVEN[key] for key in GIVEN if key != missing}))
