"""Ops that reach torch's dispatcher whole: Fourier transforms, torchvision's own, quantised layers."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.records import Work


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def count(model, *inputs, **how):
    model = model if isinstance(model, nn.Module) else Call(model)
    cost = resflops.count(resflops.trace(model, *inputs, **how))
    assert cost.uncounted == ()
    return cost.work


IMAGE = torch.rand(2, 4, 8, 8)
CASES = {
    # Real to complex and back over 8·8 points: half of 5·64·6, for each of 8 images.
    "fourier": (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), [IMAGE], Work(arithmetic=2 * 8 * 960)),
    "max unpooling": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), [IMAGE],
        Work(comparisons=128 * 3),
    ),
    "fractional pooling": (nn.FractionalMaxPool2d(2, output_size=3), [IMAGE], Work(comparisons=72 * 3)),
    "fold": (lambda x: F.fold(F.unfold(x, 2, stride=2), 8, 2, stride=2), [IMAGE], Work(arithmetic=512)),
    "antialiased": (
        lambda x: F.interpolate(x, size=(4, 4), mode="bilinear", antialias=True), [IMAGE],
        Work(arithmetic=8 * 4 * (8 * 7 + 4 * 7)),
    ),
    "scatter": (lambda x: torch.zeros(2, 4, 8, 8).scatter_add(0, (x * 0).long(), x), [IMAGE],
                Work(arithmetic=512 + 512)),
    "weight norm": (
        nn.utils.parametrizations.weight_norm(nn.Linear(8, 3, bias=False)), [torch.rand(5, 8)],
        Work(macs=5 * 8 * 3, arithmetic=3 * 24 + 3, transcendental=3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_ops_that_arrive_whole_count_the_same_on_meta_and_for_real(name):
    model, inputs, expected = CASES[name]
    assert count(model, *inputs) == count(model, *inputs, real=True) == expected


def test_torchvision_ops_have_rules():
    ops = pytest.importorskip("torchvision").ops
    offset, mask = torch.zeros(2, 18, 6, 6), torch.zeros(2, 9, 6, 6)
    assert count(ops.DeformConv2d(4, 6, 3), IMAGE, offset, mask) == Work(
        macs=2 * 6 * 36 * 36, bias_adds=2 * 6 * 36, arithmetic=8 * 2 * 36 * 36
    )
    boxes = torch.tensor([[0, 0, 0, 4, 4.0]])
    assert count(lambda x, b: ops.roi_align(x, b, 2, sampling_ratio=2), IMAGE, boxes).arithmetic == 16 * 32
    assert (
        count(lambda b, s: ops.nms(b, s, 0.5), torch.rand(5, 4), torch.rand(5), real=True).comparisons == 50
    )


def test_boxes_of_unknown_size_are_left_uncounted_and_not_zero():
    ops = pytest.importorskip("torchvision").ops
    model = Call(lambda x, boxes: ops.roi_align(x, boxes, 2))
    cost = resflops.count(model, IMAGE, torch.tensor([[0, 0, 0, 4, 4.0]]))
    assert [each.op for each in cost.uncounted] == ["torchvision.roi_align by size"]


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers_count_the_macs_of_the_layers_they_stand_for():
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("this build of torch has no quantised kernels")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.nn.quantized
        linear = quantised.dynamic.Linear(8, 3)
        convolution = nn.Sequential(
            quantised.Quantize(0.1, 0, torch.quint8),
            quantised.Conv2d(4, 6, 3),
            torch.ao.nn.intrinsic.quantized.ConvReLU2d(6, 6, 3),
            quantised.DeQuantize(),
        )
        assert count(linear, torch.rand(5, 8), real=True) == Work(macs=5 * 24, bias_adds=15)
        work = count(convolution, IMAGE, real=True)
    assert work.macs == 2 * 6 * 36 * 36 + 2 * 6 * 16 * 54
    assert work.bias_adds == 2 * 6 * (36 + 16)
