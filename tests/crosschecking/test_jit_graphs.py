"""What counters that read a graph of torch.jit.trace charge beside a model's ops, and what they do not see."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking.jit_graphs import CLOSED_CALLS, SIZE_ARITHMETIC, charge_closed_calls


@torch.jit._script_if_tracing
def offset(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Scripted where it is traced, as torchvision's suppression of boxes is."""
    return torch.matmul(x, x) + (x * shift)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.matmul(x) * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.function(self.conv(x))


SHAPE = (1, 3, 4, 4)
CONV = 3 * 3 * 16
PRODUCT = 3 * 4 * 4 * 4
ELEMENTS = 3 * 4 * 4


def explain(function, name):
    if find_installed_version(PEERS[name]) is None:
        pytest.skip(f"{name} is not installed")
    (row,) = resflops.crosscheck(Calls(function), SHAPE, peers=[name]).rows
    assert (row.failure, row.unexplained) == ("", 0)
    return row.figure, {cause.name: cause.amount for cause in row.causes if not cause.ops}


@pytest.mark.parametrize(
    ("function", "figure", "causes"),
    [
        (lambda x: offset(x, x[0, 0, 0, 0]), CONV, {CLOSED_CALLS: -PRODUCT - ELEMENTS}),
        (Square.apply, CONV, {CLOSED_CALLS: -PRODUCT - ELEMENTS}),
        (lambda x: Square.apply(x) @ x, CONV + PRODUCT, {CLOSED_CALLS: -PRODUCT - ELEMENTS}),
        # Python multiplies two sizes in a real run; here two more scale them for interpolate.
        (lambda x: x.reshape(x.shape[0] * x.shape[1], -1), CONV + 1, {SIZE_ARITHMETIC: 1}),
        (
            lambda x: F.interpolate(x, scale_factor=2.0, recompute_scale_factor=True),
            CONV + 2,
            {SIZE_ARITHMETIC: 2},
        ),
        # torchprofile has a handler for leaky_relu, and none for leaky_relu_.
        (lambda x: F.leaky_relu(x), CONV + ELEMENTS, {}),
        (lambda x: F.leaky_relu(x, inplace=True), CONV, {}),
        (lambda x: F.leaky_relu_(F.leaky_relu(x)), CONV + ELEMENTS, {}),
        # A product of single numbers that is the model's own.
        (lambda x: x + x.mean() * 2, CONV + 2, {}),
        (lambda x: x + torch.full((), x.shape[1] * 1.5) * x.shape[2], CONV + 2, {SIZE_ARITHMETIC: 1}),
    ],
    ids=[
        "scripted",
        "autograd function",
        "beside others",
        "sizes",
        "factors",
        "leaky",
        "leaky in place",
        "leaky twice",
        "a mean",
        "a made number",
    ],
)
def test_torchprofile_is_explained(function, figure, causes):
    assert explain(function, "torchprofile") == (figure, causes)


@pytest.mark.parametrize(
    ("function", "figure", "causes"),
    [
        (lambda x: offset(x, x[0, 0, 0, 0]), CONV, {CLOSED_CALLS: -PRODUCT}),
        (Square.apply, CONV, {CLOSED_CALLS: -PRODUCT}),
        (lambda x: x @ x, CONV + PRODUCT, {}),
    ],
    ids=["scripted", "autograd function", "product"],
)
def test_fvcore_is_explained(function, figure, causes):
    assert explain(function, "fvcore") == (figure, causes)


def test_looking_inside_leaves_torch_and_the_model_as_they_were():
    model = Calls(Square.apply)
    forward, is_tracing, script = (
        vars(Square)["forward"],
        torch.jit._trace.is_tracing,
        torch.jit._trace.script,
    )
    charged = charge_closed_calls(model, (torch.zeros(SHAPE),), {}, PEERS["fvcore"].convention)
    assert charged == PRODUCT
    assert vars(Square)["forward"] is forward
    assert (torch.jit._trace.is_tracing, torch.jit._trace.script) == (is_tracing, script)
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("name", ["fvcore", "torchprofile"])
def test_masks_that_torchvision_pastes_by_a_scripted_function_are_not_seen(name):
    """Two masks of 4×4 pasted into boxes of 2×3 and 4×4 pixels: 4 per pixel of the resizing."""
    heads = pytest.importorskip("torchvision.models.detection.roi_heads")
    boxes = torch.tensor([[0.0, 0, 1, 2], [1, 1, 4, 4]])

    def paste(x):
        return heads.paste_masks_in_image(x[0][:2, None], boxes.to(x), (8, 8), padding=0)

    figure, causes = explain(paste, name)
    assert CLOSED_CALLS in causes
    assert figure - sum(causes.values()) > figure
