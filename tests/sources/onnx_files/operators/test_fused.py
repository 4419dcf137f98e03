"""What onnxruntime fuses, against the ops one by one."""

import pytest
import torch
import torch.nn.functional as F

from resflops.errors import ShapeError
from tests.sources.onnx_files.operators.nodes import count_work, read_node, trace_function

IMAGE, KERNEL = (1, 4, 9, 8), (6, 2, 3, 3)
MATRIX, WEIGHT = (3, 4), (5, 4)
ROWS = (2, 3, 8)


def read(name, *inputs, **settings):
    return read_node(name, *inputs, domain="com.microsoft", **settings)


CASES = [
    pytest.param(
        read("FusedConv", IMAGE, KERNEL, (6,), group=2, activation="Relu"),
        trace_function(lambda x, w, b: F.relu(F.conv2d(x, w, b, groups=2)), IMAGE, KERNEL, (6,)),
        id="convolution and ReLU",
    ),
    pytest.param(
        read("FusedConv", IMAGE, KERNEL, None, (1, 6, 7, 6), group=2, activation="Clip",
             activation_params=[0.0, 6.0]),
        trace_function(
            lambda x, w, more: (F.conv2d(x, w, groups=2) + more).clamp(0.0, 6.0), IMAGE, KERNEL, (1, 6, 7, 6)
        ),
        id="convolution, sum and limits",
    ),
    pytest.param(
        read("FusedConv", IMAGE, KERNEL, None, (1, 6, 7, 6), group=2),
        trace_function(lambda x, w, more: F.conv2d(x, w, groups=2) + more, IMAGE, KERNEL, (1, 6, 7, 6)),
        id="convolution and sum",
    ),
    pytest.param(
        read("NhwcFusedConv", (1, 9, 8, 4), KERNEL, (6,), group=2, activation="Tanh"),
        trace_function(lambda x, w, b: F.conv2d(x, w, b, groups=2).tanh(), IMAGE, KERNEL, (6,)),
        id="convolution with channels last",
    ),
    pytest.param(
        read("NhwcMaxPool", (1, 9, 8, 4), kernel_shape=[3, 3]),
        trace_function(lambda x: F.max_pool2d(x, 3, 1), IMAGE), id="pooling with channels last",
    ),
    pytest.param(
        read("FusedGemm", MATRIX, WEIGHT, (5,), transB=1, activation="Sigmoid"),
        trace_function(lambda x, w, b: F.linear(x, w, b).sigmoid(), MATRIX, WEIGHT, (5,)),
        id="linear layer and sigmoid",
    ),
    pytest.param(
        read("FusedMatMul", (2, 4, 3), (2, 5, 4), transA=1, transB=1, alpha=0.5),
        trace_function(torch.matmul, (2, 3, 4), (2, 4, 5)), id="transposed factors",
    ),
    pytest.param(
        read("FusedMatMul", (3, 2, 4), (2, 4, 5), transBatchA=1),
        trace_function(torch.matmul, (2, 3, 4), (2, 4, 5)), id="a transposed batch",
    ),
    pytest.param(
        read("GemmFastGelu", ROWS, (8, 5), (5,)),
        trace_function(lambda x, w, b: F.gelu(F.linear(x, w, b), approximate="tanh"), ROWS, (5, 8), (5,)),
        id="product and GELU",
    ),
    pytest.param(read("Gelu", ROWS), trace_function(F.gelu, ROWS), id="GELU"),
    pytest.param(read("BiasGelu", ROWS, (8,)), trace_function(lambda x, b: F.gelu(x + b), ROWS, (8,)),
                 id="GELU of a sum"),
    pytest.param(read("FastGelu", ROWS), trace_function(lambda x: F.gelu(x, approximate="tanh"), ROWS),
                 id="GELU by tanh"),
    pytest.param(
        read("QuickGelu", ROWS), trace_function(lambda x: x * torch.sigmoid(1.702 * x), ROWS), id="quick GELU"
    ),
    pytest.param(
        read("BiasSplitGelu", ROWS, (8,)),
        trace_function(lambda x, b: (x + b)[..., :4] * F.gelu((x + b)[..., 4:]), ROWS, (8,))[1:],
        id="half by GELU of the other",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("records", "own"), CASES)
def test_it_costs_what_its_parts_do(records, own):
    assert count_work(records) == count_work(own)


def test_an_unknown_function_is_uncounted():
    (record,) = read("FusedConv", IMAGE, KERNEL, group=2, activation="Mystery")
    assert record.op == "com.microsoft.FusedConv"


@pytest.mark.parametrize(
    ("name", "inputs"), [("GemmFastGelu", [ROWS, (7, 5)]), ("FusedConv", [IMAGE, KERNEL])]
)
def test_what_does_not_go_together_is_refused(name, inputs):
    with pytest.raises(ShapeError):
        read(name, *inputs)
