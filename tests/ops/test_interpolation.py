"""What reads between pixels: its attributes, and one cost however it is called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import MissingAttributeError
from resflops.ops import OPS

try:
    from torchvision import ops
except ImportError:
    ops = None

LINE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 9, 8), (2, 4, 5, 6, 7)


def grid(*sizes):
    return torch.zeros(2, *sizes, len(sizes))


CASES = {
    "interpolate, nearest": (lambda x: F.interpolate(x, scale_factor=2), LINE),
    "interpolate, nearest-exact": (lambda x: F.interpolate(x, (7, 5), mode="nearest-exact"), IMAGE),
    "interpolate, linear": (lambda x: F.interpolate(x, 5, mode="linear"), LINE),
    "interpolate, bilinear": (lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"), IMAGE),
    "interpolate, bicubic": (lambda x: F.interpolate(x, (7, 5), mode="bicubic"), IMAGE),
    "interpolate, trilinear": (lambda x: F.interpolate(x, (3, 3, 3), mode="trilinear"), VOLUME),
    "interpolate, area": (lambda x: F.interpolate(x, (4, 3), mode="area"), IMAGE),
    "interpolate, bilinear against aliasing": (
        lambda x: F.interpolate(x, (4, 3), mode="bilinear", antialias=True), IMAGE,
    ),
    "interpolate, bicubic against aliasing": (
        lambda x: F.interpolate(x, (4, 3), mode="bicubic", antialias=True), IMAGE,
    ),
    "interpolate, area of all": (lambda x: F.interpolate(x, 1, mode="area"), IMAGE),
    "upsample": (nn.UpsamplingBilinear2d(scale_factor=2), IMAGE),
    "grid_sample": (lambda x: F.grid_sample(x, grid(5, 6), align_corners=False), IMAGE),
    "grid_sample, nearest": (lambda x: F.grid_sample(x, grid(5, 6), "nearest", align_corners=False), IMAGE),
    "grid_sample, bicubic": (lambda x: F.grid_sample(x, grid(5, 6), "bicubic", align_corners=False), IMAGE),
    "grid_sample of volumes": (lambda x: F.grid_sample(x, grid(3, 4, 5), align_corners=False), VOLUME),
    "affine_grid_generator": (lambda x: F.affine_grid(x, (2, 3, 4, 5), align_corners=False), (2, 2, 3)),
}  # fmt: skip
if ops is not None:
    BOXES = torch.tensor([[0, 0, 0, 4, 4.0]])
    CASES["torchvision.roi_align"] = (lambda x: ops.roi_align(x, BOXES, 2, sampling_ratio=2), IMAGE)
if hasattr(torch.ops.aten, "_upsample_lanczos2d_aa"):
    CASES["interpolate, lanczos"] = (
        lambda x: F.interpolate(x, (4, 3), mode="lanczos", antialias=True),
        IMAGE,
    )


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


GIVEN = {"mode": "bilinear", "sampling_ratio": 2}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        pytest.param(name, field, id=f"{name} without {field}")
        for name, known in OPS.items()
        if known.family == "interpolation" and known.attributes
        for field in known.attributes.__struct_fields__
        if field in GIVEN
    ],
)
def test_a_missing_attribute_is_an_error(name, missing, record):
    shapes = [(1, 4, 8, 8), (4, 4, 2, 2)], (1, 4, 4, 4)
    assert OPS[name].work(record(name, *shapes, **GIVEN))
    with pytest.raises(MissingAttributeError, match=f"`{missing}`"):
        OPS[name].work(record(name, *shapes, **{key: GIVEN[key] for key in GIVEN if key != missing}))


def test_a_mode_that_nothing_is_known_of_is_an_error_and_not_four_taps(record):
    given = record("interpolate", [(1, 4, 8, 8)], (1, 4, 4, 4), mode="sinc")
    with pytest.raises(MissingAttributeError, match="sinc"):
        OPS["interpolate"].work(given)


class Resized(nn.Module):
    def forward(self, x):
        return F.interpolate(x, 3, mode="area")


def test_every_window_of_a_resize_by_area_is_averaged():
    # 5 -> 3: windows of 2, 3 and 2 elements, as adaptive average pooling cuts them.
    assert resflops.count(Resized(), (1, 1, 5)).work.arithmetic == 7
