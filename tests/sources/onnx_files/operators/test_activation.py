"""Activations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

ROWS = (3, 8)
CASES = {
    "Celu": (F.celu, {}),
    "Elu": (F.elu, {}),
    "Gelu": (F.gelu, {}),
    "Gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), {"approximate": "tanh"}),
    "HardSigmoid": (F.hardsigmoid, {}),
    "HardSwish": (F.hardswish, {}),
    "LeakyRelu": (F.leaky_relu, {}),
    "Mish": (F.mish, {}),
    "Relu": (F.relu, {}),
    "Selu": (F.selu, {}),
    "Shrink": (F.hardshrink, {}),
    "Shrink with a bias": (F.softshrink, {"bias": 0.5}),
    "Sigmoid": (torch.sigmoid, {}),
    "Softplus": (F.softplus, {}),
    "Softsign": (F.softsign, {}),
    "Swish": (F.silu, {}),
    "Tanh": (torch.tanh, {}),
    "ThresholdedRelu": (lambda x: F.threshold(x, 1.0, 0.0), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_activation_of_torch(name):
    function, attributes = CASES[name]
    node = read_node(name.partition(" ")[0], ROWS, **attributes)
    assert describe(node) == describe(trace_function(function, ROWS))


def test_a_learned_slope_is_an_input():
    node = read_node("PRelu", (2, 4, 5), np.ones((4, 1), "float32"))
    assert describe(node) == describe(trace_function(F.prelu, (2, 4, 5), torch.ones(4, 1)))


def test_a_swish_with_a_factor_takes_a_product_more():
    scaled = read_node("Swish", ROWS, alpha=1.5)
    assert count_work(scaled) == Work(arithmetic=24 * 5, transcendental=24)


@pytest.mark.parametrize(
    ("alpha", "arithmetic"), [pytest.param(1.0, 5, id="SiLU"), pytest.param(1.5, 6, id="Swish")]
)
def test_a_gate_multiplies_another_tensor(alpha, arithmetic):
    gated = read_node("SwiGLU", ROWS, ROWS, alpha=alpha, opset=28)
    assert count_work(gated) == Work(arithmetic=24 * arithmetic, transcendental=24)
