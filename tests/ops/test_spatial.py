"""Convolutions, pools and what reads between pixels cost the same however they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.cost import cost_of
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord, Trace
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

try:
    from torchvision import ops
except ImportError:
    ops = None

FAMILIES = ("convolution", "pooling", "interpolation", "folding", "detection")
CONVENTIONS = ("macs", "formula", "flops")


class Call(nn.Module):
    """A function behind a parameter, so that its input needs a gradient."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.function(x * self.scale)


class Deformed(nn.Module):
    """A deformable convolution with offsets of its own."""

    def __init__(self, *, masked):
        super().__init__()
        self.inner = ops.DeformConv2d(4, 6, 3)
        self.offset = nn.Parameter(torch.zeros(2, 18, 7, 6))
        self.mask = nn.Parameter(torch.zeros(2, 9, 7, 6)) if masked else None

    def forward(self, x):
        return self.inner(x, self.offset, self.mask)


def dispatch(model, x):
    """What the aten ops of a model cost, no torch function being described."""
    modules = Modules(model)
    recorder = Recorder(modules, described=False)
    recorder.take_inputs([x])
    with torch.no_grad(), recorder:
        made = recorder.made_by([model(x)])
    return cost_of(
        Trace(
            model="", inputs=(), modules=modules.records, ops=tuple(recorder.ops), tells_parameters=True,
            outputs=made,
        ),
        backward=True,
    )  # fmt: skip


STYLES = {
    "scripted": lambda model, x: resflops.count(torch.jit.trace(model, x), x, backward=True),
    "exported": lambda model, x: resflops.count(torch.export.export(model, (x,)).module(), x, backward=True),
    "made by make_fx": lambda model, x: resflops.count(make_fx(model)(x), x),
    "dispatched": dispatch,
}
"""Ways to call a model that reach torch's dispatcher. What make_fx makes has no parameters."""

LINE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 9, 8), (2, 4, 5, 6, 7)


def grid(*sizes):
    return torch.zeros(2, *sizes, len(sizes))


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
    "col2im": (lambda x: F.fold(x, (4, 4), 2), (2, 12, 9)),
}  # fmt: skip
if ops is not None:
    BOXES = torch.tensor([[0, 0, 0, 4, 4.0]])
    CASES["deform_conv2d"] = (Deformed(masked=False), IMAGE)
    CASES["deform_conv2d, masked"] = (Deformed(masked=True), IMAGE)
    CASES["torchvision.roi_align"] = (lambda x: ops.roi_align(x, BOXES, 2, sampling_ratio=2), IMAGE)
if hasattr(torch.ops.aten, "_upsample_lanczos2d_aa"):
    CASES["interpolate, lanczos"] = (
        lambda x: F.interpolate(x, (4, 3), mode="lanczos", antialias=True),
        IMAGE,
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CASES)
def test_an_op_costs_the_same_however_it_is_called(name, style):
    function, shape = CASES[name]
    model, x = Call(function).eval(), torch.rand(shape)
    plain, other = resflops.count(model, x, backward=True), STYLES[style](model, x)
    assert plain.uncounted == other.uncounted == ()
    assert [plain.under(each).total for each in CONVENTIONS] == [
        other.under(each).total for each in CONVENTIONS
    ]
    if style != "made by make_fx":
        ours, theirs = plain.backward, other.backward
        assert ours.uncounted == theirs.uncounted == ()
        assert (ours.input_work, ours.weight_work) == (theirs.input_work, theirs.weight_work)


@pytest.mark.skipif(ops is None, reason="some ops are torchvision's")
def test_a_case_names_every_op_that_has_a_work_of_its_own():
    named = {name.partition(",")[0] for name in CASES}
    declared = {name for name, known in OPS.items() if known.family in FAMILIES and known.work}
    # Quantised layers have no float model to call in another style, and boxes are chosen by their values.
    assert declared - named == {"conv1d_relu", "conv2d_relu", "conv3d_relu", "torchvision.nms"}


COMPLETE = {
    "convolution": {"bias": True, "mask": True},
    "pooling": {"kernel": (2, 2), "padding": (0, 0)},
    "interpolation": {"mode": "bilinear", "sampling_ratio": 2},
}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        pytest.param(name, field, id=f"{name} without {field}")
        for name, known in OPS.items()
        if known.family in FAMILIES and known.attributes
        for field in known.attributes.__struct_fields__
        if field in COMPLETE[known.family]
    ],
)
def test_a_missing_attribute_is_an_error(name, missing):
    given = COMPLETE[OPS[name].family]
    record = OpRecord(
        op=name, layer="", input_shapes=((1, 4, 8, 8), (4, 4, 2, 2)), output_shapes=((1, 4, 4, 4),),
        attributes={key: value for key, value in given.items() if key != missing},
    )  # fmt: skip
    whole = OpRecord(
        op=name, layer="", input_shapes=record.input_shapes, output_shapes=record.output_shapes,
        attributes=given,
    )  # fmt: skip
    assert OPS[name].work(whole)
    with pytest.raises(MissingAttributeError, match=f"`{missing}`"):
        OPS[name].work(record)


def test_a_mode_that_nothing_is_known_of_is_an_error_and_not_four_taps():
    record = OpRecord(
        op="interpolate", layer="", input_shapes=((1, 4, 8, 8),), output_shapes=((1, 4, 4, 4),),
        attributes={"mode": "sinc"},
    )  # fmt: skip
    with pytest.raises(MissingAttributeError, match="sinc"):
        OPS["interpolate"].work(record)


def test_every_window_of_a_resize_by_area_is_averaged():
    # 5 -> 3: windows of 2, 3 and 2 elements, as adaptive average pooling cuts them.
    assert (
        resflops.count(Call(lambda x: F.interpolate(x, 3, mode="area")), (1, 1, 5)).work.arithmetic == 5 + 7
    )


def test_the_gradient_of_a_global_mean_is_one_quotient_however_it_is_called():
    for pool in (nn.AdaptiveAvgPool2d(1), lambda x: x.mean((-2, -1))):
        backward = resflops.count(Call(pool), IMAGE, backward=True).backward
        # The quotients; and the scale's own gradient, a product per element and their sum.
        assert backward.work.arithmetic == 8 + 2 * 4 * 72 * 2 - 1
