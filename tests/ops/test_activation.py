"""Activations cost the same however they are called."""

import pytest
import torch.nn.functional as F
from torch import nn
from torch.jit import script

import resflops

SHAPE = (2, 4, 6, 6)
NAMES = (
    "relu", "relu6", "hardtanh", "leaky_relu", "elu", "celu", "selu", "sigmoid", "logsigmoid", "silu",
    "hardsigmoid", "hardswish", "softplus", "softsign", "mish", "hardshrink", "softshrink", "tanh",
    "gelu", "glu", "rrelu",
)  # fmt: skip
CASES = {
    **{name: (getattr(F, name), SHAPE) for name in NAMES},
    "celu of two": (lambda x: F.celu(x, 2.0), SHAPE),
    "elu of two": (lambda x: F.elu(x, 2.0), SHAPE),
    "in-place selu": (lambda x: F.selu(x + 1, inplace=True), SHAPE),
    "threshold": (lambda x: F.threshold(x, 0.1, 2.0), SHAPE),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), SHAPE),
    "rrelu in training": (lambda x: F.rrelu(x, training=True), SHAPE),
    "prelu": (F.prelu, SHAPE, (4,)),
    "prelu of one slope": (F.prelu, SHAPE, (1,)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    # Torch writes a softsign as an absolute value, an addition and a quotient, with a gradient for each.
    apart = name == "softsign" and style != "real"
    assert compare_style(style, *CASES[name]) == ({"flops backward"} if apart else set())


def test_a_softsign_is_counted_by_its_parts_where_torch_takes_it_apart(trace_style):
    scale, *ops = [op.op for op in trace_style("make_fx", F.softsign, SHAPE).ops if op.op != "detach"]
    assert scale == "mul"
    assert sorted(ops) == ["abs", "add", "div"]


@pytest.mark.parametrize(
    ("module", "flops"), [(nn.SELU(), 2880), (nn.CELU(), 2880), (nn.CELU(2.0), 2880), (nn.ELU(), 2304)]
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_scaled_elus_are_told_apart_when_scripted(module, flops):
    for each in (module, script(module)):
        assert resflops.count(each, (2, 8, 6, 6), convention="flops").total == flops
