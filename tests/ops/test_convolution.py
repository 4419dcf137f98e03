"""Convolutions, deformable ones too: their attributes, and one cost however they are called."""

import pytest
import torch
from torch import nn

from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import Work

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


# 2 images of 4 channels in 2 groups, 6 outputs of 3x3 taps: 2·36 points, 4·9 samples each.
DEFORMED = [(2, 4, 8, 8), (6, 2, 3, 3), (2, 18, 6, 6)], (2, 6, 6, 6)
SAMPLES, MACS = 2 * 36 * 4 * 9, 2 * 6 * 36 * 2 * 9


@pytest.mark.parametrize(("mask", "each"), [(False, 7), (True, 8)])
def test_every_tap_of_a_deformable_convolution_is_read_between_pixels(mask, each, record):
    given = record("deform_conv2d", *DEFORMED, bias=False, mask=mask)
    assert OPS[given.op].work(given) == Work(macs=MACS, arithmetic=each * SAMPLES)


@pytest.mark.parametrize(
    ("needed", "works"),
    [
        ((0, 1, 2, 3), (Work(macs=MACS, arithmetic=8 * SAMPLES), Work(macs=MACS), Work(arithmetic=14 * SAMPLES), Work(arithmetic=432))),
        ((1, 2), (Work(macs=MACS), Work(macs=MACS, arithmetic=14 * SAMPLES))),
        ((1,), (Work(macs=MACS),)),
        ((1, 3), (Work(macs=MACS), Work(arithmetic=432))),
    ],
)  # fmt: skip
def test_the_gradient_of_a_deformable_convolution_goes_through_its_samples(needed, works, record):
    assert OPS["deform_conv2d"].gradient.work(
        record("deform_conv2d", *DEFORMED, bias=True, mask=False), needed
    ) == works  # fmt: skip


@pytest.mark.parametrize("needed", [(0,), (2,)])
def test_a_mask_is_one_more_product_a_sample_backward(needed, record):
    plain, masked = (
        OPS["deform_conv2d"].gradient.work(record("deform_conv2d", *DEFORMED, bias=True, mask=mask), needed)
        for mask in (False, True)
    )
    assert masked[0].arithmetic - plain[0].arithmetic == SAMPLES


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_a_fused_activation_is_a_comparison_an_output(spatial, record):
    shapes = [(1, 4, *[8] * spatial), (6, 4, *[1] * spatial)], (1, 6, *[8] * spatial)
    points = 6 * 8**spatial
    assert OPS[f"conv{spatial}d_relu"].work(record(f"conv{spatial}d_relu", *shapes, bias=True)) == Work(
        macs=4 * points, bias_adds=points, comparisons=points
    )


@pytest.mark.parametrize(
    ("image", "weight", "factors"),
    [
        ((2, 4, 5, 6), (4, 3, 3, 2), ((2, 5, 6, 4), (3, 2, 3))),
        ((4, 5, 6), (4, 3, 3, 2), ((5, 6, 4), (3, 2, 3))),
        ((1, 4, 5), (4, 3, 2), ((5, 4), (2, 3))),
        ((7, 4, 5), (4, 3, 2), ((7, 5, 4), (2, 3))),
    ],
)
def test_a_transposed_convolution_shows_its_input_points_and_taps(image, weight, factors, record):
    op = f"conv_transpose{len(weight) - 2}d"
    assert OPS[op].factors(record(op, [image, weight], (), bias=False)) == factors
