"""What a block says of an op, and which kind it is coloured as."""

import pytest
import torch
from torch import nn

import resflops
from resflops.report.block_labels import KINDS, classify_op, describe_attributes, describe_op


def one_op(model, *shapes):
    return resflops.trace(model.eval(), *shapes).ops[0]


@pytest.mark.parametrize(
    ("model", "given", "label", "kind"),
    [
        (nn.Conv2d(3, 64, 7, stride=2), (1, 3, 32, 32), "conv 7×7 /2, 3→64", "convolution"),
        (nn.Conv2d(64, 128, 3), (1, 64, 8, 8), "conv 3×3, 64→128", "convolution"),
        (nn.Conv2d(3, 768, 16, stride=16), (1, 3, 32, 32), "conv 16×16, 3→768", "convolution"),
        (nn.Conv2d(64, 32, 1), (1, 64, 8, 8), "conv 1×1, 64→32", "1×1 convolution"),
        (nn.Conv2d(8, 16, 3, groups=4), (1, 8, 8, 8), "conv 3×3, 8→16, 4 groups", "grouped convolution"),
        (nn.Conv2d(8, 8, 3, groups=8), (1, 8, 8, 8), "depthwise conv 3×3, 8", "grouped convolution"),
        (nn.Conv2d(8, 16, 3, groups=8), (1, 8, 8, 8), "depthwise conv 3×3, 8→16", "grouped convolution"),
        (nn.Conv1d(4, 6, 5), (1, 4, 16), "conv 5, 4→6", "convolution"),
        (nn.Conv3d(4, 6, 3), (1, 4, 8, 8, 8), "conv 3×3×3, 4→6", "convolution"),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 8, 8), "transposed conv 2×2, 4→6", "convolution"),
        (nn.Linear(512, 1000), (1, 512), "linear, 512→1000", "linear, matrix product"),
        (nn.BatchNorm2d(4), (2, 4, 8, 8), "batch norm", "normalization"),
        (nn.GroupNorm(2, 4), (2, 4, 8, 8), "group norm", "normalization"),
        (nn.ReLU(), (1, 4), "relu", "activation"),
        (nn.Softmax(1), (1, 4), "softmax", "activation"),
        (nn.MaxPool2d(3, 2), (1, 4, 8, 8), "max pool 3×3 /2", "pooling"),
        (nn.AdaptiveAvgPool2d(1), (1, 4, 8, 8), "adaptive avg pool", "pooling"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_block_says_what_its_op_is(model, given, label, kind):
    record = one_op(model, given)
    assert (describe_op(record), classify_op(record)) == (label, kind)
    assert kind in KINDS


def test_attention_and_arithmetic_are_kinds_of_their_own():
    class Attention(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x) + x

    attention, add = resflops.trace(Attention(), (1, 2, 4, 8)).ops
    assert (describe_op(attention), classify_op(attention)) == ("attention", "attention")
    assert (describe_op(add), classify_op(add)) == ("add", "arithmetic")


def test_a_matrix_product_with_a_bias_says_its_features():
    class Projection(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.zeros(8, 24)), nn.Parameter(torch.zeros(24))

        def forward(self, x):
            return torch.addmm(self.bias, x, self.weight)

    assert describe_op(one_op(Projection(), (3, 8))) == "addmm, 8→24"


def test_attributes_are_written_out():
    record = one_op(nn.Conv2d(3, 8, 3, bias=False), torch.zeros(1, 3, 8, 8))
    assert describe_attributes(record) == (
        "kernel 3×3, stride 1×1, padding 0×0, dilation 1×1, groups 1, bias no"
    )
