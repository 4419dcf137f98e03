"""Ops that do gradients, as autograd runs them: each costs what the op declares whose gradient it does."""

import pytest
import torch
import torch.nn.functional as F

from resflops.ops import OPS

MAP = (2, 6, 4)
IMAGE = (1, 4, 5, 5)


def differentiate(function):
    """The same function with, besides, the gradients of everything that it takes."""

    def both(*operands):
        out, pull_back = torch.func.vjp(function, *operands)
        return pull_back(torch.ones_like(out))

    return both


# What the gradients take, by hand: so many operations for each of 48 elements, unless said otherwise.
FIGURES = {
    "relu": (F.relu, 48, MAP),
    "sigmoid": (torch.sigmoid, 3 * 48, MAP),
    "tanh": (torch.tanh, 3 * 48, MAP),
    "gelu": (F.gelu, 11 * 48, MAP),
    "gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), 18 * 48, MAP),
    "silu": (F.silu, 9 * 48, MAP),
    "hardswish": (F.hardswish, 5 * 48, MAP),
    "hardsigmoid": (F.hardsigmoid, 3 * 48, MAP),
    "hardtanh": (F.hardtanh, 2 * 48, MAP),
    "leaky relu": (F.leaky_relu, 2 * 48, MAP),
    "elu": (F.elu, 3 * 48, MAP),
    "softplus": (F.softplus, 6 * 48, MAP),
    "softshrink": (F.softshrink, 48, MAP),
    "hardshrink": (F.hardshrink, 48, MAP),
    "logsigmoid": (F.logsigmoid, 6 * 48, MAP),
    "logit": (lambda x: torch.logit(x, 0.1), 4 * 48, MAP),
    "glu": (F.glu, 8 * 24, MAP),
    # Two rows of 6: three for each element, and 5 sums a row.
    "softmax": (lambda x: F.softmax(x, -1), 3 * 12 + 2 * 5, (2, 6)),
    "log softmax": (lambda x: F.log_softmax(x, -1), 3 * 12 + 2 * 5, (2, 6)),
    # Two products of 1·6·5·5 outputs by 2·3·3 taps, a multiply-accumulate being two; 150 for the bias.
    "convolution": (
        lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=2),
        2 * 2 * 150 * 18 + 150, IMAGE, (6, 2, 3, 3), (6,),
    ),
    # Two products of 1·4·5·5 inputs by 6·2·2 taps; 6·10·10 for the bias.
    "transposed": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2),
        2 * 2 * 100 * 24 + 600, IMAGE, (4, 6, 2, 2), (6,),
    ),
    # For 12 elements: 10 for the input, 2 for the weight, 1 for the bias.
    "layer norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b), 13 * 12, (2, 6), (6,), (6,)),
    "group norm": (lambda x, w, b: F.group_norm(x, 2, w, b), 13 * 48, MAP, (6,), (6,)),
    "batch norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), 9 * 48, MAP, (6,), (6,)),
    "max pool": (lambda x: F.max_pool2d(x, 2), 8, (1, 2, 4, 4)),
    "max pool 3d": (lambda x: F.max_pool3d(x, 2), 8, (1, 1, 4, 4, 4)),
    # A division for each of 8 outputs, an addition for each element of its window.
    "average pool": (lambda x: F.avg_pool2d(x, 2), 8 + 32, (1, 2, 4, 4)),
    "average pool 3d": (lambda x: F.avg_pool3d(x, 2), 8 + 64, (1, 1, 4, 4, 4)),
    "adaptive average pool": (lambda x: F.adaptive_avg_pool2d(x, 2), 8 + 2 * 36, (1, 2, 5, 5)),
    "adaptive average pool 3d": (lambda x: F.adaptive_avg_pool3d(x, 2), 8 + 64, (1, 1, 4, 4, 4)),
    "adaptive max pool": (lambda x: F.adaptive_max_pool2d(x, 2), 8, (1, 2, 4, 4)),
    "adaptive max pool 3d": (lambda x: F.adaptive_max_pool3d(x, 2), 8, (1, 1, 4, 4, 4)),
    # Four taps of each of 2·8·8 outputs, a product and a sum for each; one sum where it is copied.
    "bilinear": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), 8 * 128, (1, 2, 4, 4)),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), 128, (1, 2, 4, 4)),
    "padding by reflection": (lambda x: F.pad(x, (1, 1), mode="reflect"), 4, (1, 2, 5)),
    "padding by repetition": (lambda x: F.pad(x, (1, 1), mode="replicate"), 4, (1, 2, 5)),
    # For 12 elements, each of the two operands.
    "squared error": (lambda x, y: F.mse_loss(x, y, reduction="none"), 2 * 2 * 12, (2, 6), (2, 6)),
    # For 3·5 pairs of points a division, and 3 for each of 4 coordinates, for either side.
    "distances": (lambda x, y: torch.cdist(x, y, p=1.0), 2 * 15 * (1 + 12), (3, 4), (5, 4)),
    # Nine samples of 2 channels: 2 for each of 4 taps, and 7 for each of 2 coordinates.
    "grid": (lambda x, g: F.grid_sample(x, g, align_corners=False), 18 * (8 + 14), (1, 2, 4, 4), (1, 3, 3, 2)),
    # A comparison and a product for either, the 48 gradients of the slopes added to 6.
    "learned slopes": (lambda x, w: F.prelu(x, w), 2 * 96 + 42, MAP, (6,)),
    "table": (lambda w: F.embedding(torch.tensor([1, 2, 1]), w), 12, (5, 4)),
    "bag": (lambda w: F.embedding_bag(torch.tensor([[1, 2, 1]]), w, mode="sum"), 12, (5, 4)),
    "slice": (lambda x: x[:, 1:3], 0, (2, 6)),
    "select": (lambda x: x.select(1, 2), 0, (2, 6)),
    "diagonal": (lambda x: x.diagonal(), 0, (6, 6)),
    # Three windows of 2 of either row: an element is added for each window that it is in.
    "windows": (lambda x: x.unfold(1, 2, 2), 12, (2, 6)),
}  # fmt: skip
CASES = {name: (differentiate(function), *operands) for name, (function, _, *operands) in FIGURES.items()}
FORWARD = {name: (function, *operands) for name, (function, _, *operands) in FIGURES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_gradient_that_is_run_costs_what_the_op_declares(name, price_style):
    forward, both = price_style("eager", *FORWARD[name]), price_style("eager", *CASES[name])
    assert both["flops"] - forward["flops"] == FIGURES[name][1]


@pytest.mark.parametrize(
    ("flags", "macs", "additions"),
    [
        pytest.param((True, True, True), 2 * 2700, 150, id="all"),
        pytest.param((False, True, False), 2700, 0, id="weight alone"),
        pytest.param((True, False, False), 2700, 0, id="input alone"),
        pytest.param((False, False, True), 0, 150, id="bias alone"),
    ],
)
def test_a_convolution_does_the_gradients_that_its_flags_ask_for(flags, macs, additions, trace_style):
    def run(x, w):
        return torch.ops.aten.convolution_backward(
            torch.ones(1, 6, 5, 5), x, w, [6], [1, 1], [1, 1], [1, 1], False, [0, 0], 2, list(flags)
        )  # fmt: skip

    (record,) = (op for op in trace_style("eager", run, IMAGE, (6, 2, 3, 3)).ops if "backward" in op.op)
    work = OPS[record.op].work(record)
    assert (work.macs, work.arithmetic) == (macs, additions)
