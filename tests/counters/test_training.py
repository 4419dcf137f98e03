"""FlopCounterMode on training: a forward that takes gradients itself counts what torch's own counter counts."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import resflops


class Slope(nn.Module):
    """A model that gives the gradients of another one's parameters."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *inputs):
        out = self.inner(*inputs)
        return torch.autograd.grad(out.sum(), list(self.inner.parameters()), allow_unused=True)


class Attending(nn.Module):
    def __init__(self, mask=None, heads=2, **options):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.mask, self.heads, self.options = mask, heads, options

    def forward(self, x):
        operands = [part(x) for part in self.parts]
        if self.heads:
            operands = [each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in operands]
        return F.scaled_dot_product_attention(*operands, attn_mask=self.mask, **self.options)


class Functional(Attending):
    """It holds the function, where nothing that replaces it in its module is seen."""

    attend = staticmethod(F.scaled_dot_product_attention)

    def forward(self, x):
        q, k, v = (part(x).unsqueeze(1) for part in self.parts)
        return self.attend(q, k, v)


def find_convention():
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    if (major, minor) >= (2, 15):
        return "FlopCounterMode"
    return f"FlopCounterMode-{'2.14' if minor == 14 else '2.9' if minor >= 9 else '2.6'}"


MODELS = {
    "convolutions": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2)), (2, 3, 9, 9)),
    "dilated": (nn.Sequential(nn.Conv1d(3, 4, 3), nn.Conv1d(4, 5, 3, dilation=2, padding=2)), (2, 3, 19)),
    "volumes": (nn.Sequential(nn.Conv3d(3, 4, 3), nn.Conv3d(4, 5, 1)), (1, 3, 5, 5, 5)),
    "transposed": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 5, 3, stride=2)), (2, 3, 9, 9)),
    "normalised": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3)), (2, 3, 9, 9)),
    "attention": (Attending(), (2, 5, 8)),
    "causal": (Attending(is_causal=True), (2, 5, 8)),
    "masked": (Attending(torch.zeros(5, 5)), (2, 5, 8)),
    "masked by truth values": (Attending(torch.ones(5, 5, dtype=torch.bool)), (2, 5, 8)),
    "three dimensions": (Attending(heads=0), (2, 5, 8)),
    "held function": (Functional(), (2, 5, 8)),
    "mask of three dimensions": (Attending(torch.zeros(2, 5, 5)), (2, 5, 8)),
    "layer": (nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), (2, 5, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_training_counts_what_torch_counts(name):
    model, shape = MODELS[name]
    x = torch.rand(shape)
    with FlopCounterMode(display=False) as counter:
        Slope(model)(x)
    cost = resflops.count(Slope(model), x, convention=find_convention())
    assert cost.trace.execution == "meta"
    assert (cost.total, cost.uncounted) == (counter.get_total_flops(), ())


@pytest.mark.parametrize("name", ["attention", "masked by truth values", "three dimensions", "layer"])
def test_a_pass_on_shapes_runs_the_kernels_of_a_real_one(name):
    model, shape = MODELS[name]
    on_shapes, real = (resflops.trace(Slope(model), torch.rand(shape), real=real) for real in (False, True))
    kernels = [[op.op for op in trace.ops if "attention" in op.op] for trace in (on_shapes, real)]
    assert kernels[0] == kernels[1]
    assert resflops.count(on_shapes).macs == resflops.count(real).macs


def test_a_grouped_convolution_counts_by_its_groups():
    # 2 images of 7×7 points, 8 channels of 9 taps over 2 of the 4 channels; twice that again backward.
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 8, 3, groups=2))
    grouped, first = 2 * 49 * 8 * 9 * 2, 2 * 81 * 4 * 4
    cost = resflops.count(Slope(model), (2, 4, 9, 9), convention=find_convention())
    assert cost.total == 2 * (3 * grouped + 2 * first)


def test_the_function_is_what_it_was_afterwards():
    before = F.scaled_dot_product_attention
    resflops.count(Slope(Attending()), (2, 5, 8))
    assert F.scaled_dot_product_attention is before
