"""Mixtures of experts, against the products of their rows."""

import pytest
import torch
import torch.nn.functional as F

from resflops.errors import ShapeError
from resflops.records import Work, add_works
from tests.sources.onnx_files.operators.nodes import Of, count_work, read_node, trace_function

STREAM, SCORES = (2, 3, 8), (6, 4)
ROWS, CHOSEN = 2 * 3 * 2, 2


def read(name, *inputs, **settings):
    return read_node(name, *inputs, domain="com.microsoft", k=CHOSEN, **settings)


def choose(function):
    """What is around the products: shares of the experts, and the sum of what they give by these."""

    def run(stream, scores):
        shares = scores.softmax(-1).topk(CHOSEN).values
        given = function(stream.reshape(6, 8).repeat_interleave(CHOSEN, 0)) * shares.reshape(ROWS, 1)
        return given.reshape(6, CHOSEN, 8).sum(1)

    return trace_function(run, STREAM, SCORES)


FIRST, BACK = torch.ones(16, 8), torch.ones(8, 16)


def test_two_products_and_a_function():
    records = read("MoE", STREAM, SCORES, (4, 16, 8), None, (4, 8, 16), activation_type="gelu")
    own = choose(lambda x: F.linear(F.gelu(F.linear(x, FIRST)), BACK))
    assert count_work(records) == count_work(own)
    assert count_work(records).macs == ROWS * (16 * 8 + 8 * 16)


def test_biases_are_added():
    records = read("MoE", STREAM, SCORES, (4, 16, 8), (4, 16), (4, 8, 16), (4, 8), activation_type="silu")
    own = choose(lambda x: F.linear(F.silu(F.linear(x, FIRST) + FIRST[:, 0]), BACK) + BACK[:, 0])
    assert count_work(records) == count_work(own)


@pytest.mark.parametrize(
    ("weights", "settings"),
    [
        pytest.param([(4, 32, 8), None, (4, 8, 16)], {"swiglu_fusion": 1}, id="in one product"),
        pytest.param([(4, 16, 8), None, (4, 8, 16), None, (4, 16, 8)], {}, id="in two"),
    ],
)
def test_gates(weights, settings):
    records = read("MoE", STREAM, SCORES, *weights, activation_type="swiglu", **settings)
    own = choose(lambda x: F.linear(F.silu(F.linear(x, FIRST)) * F.linear(x, FIRST), BACK))
    assert count_work(records) == count_work(own)


def test_gates_may_be_scaled_shifted_and_limited():
    weights = [(4, 32, 8), None, (4, 8, 16)]
    settings = {"activation_type": "swiglu", "swiglu_fusion": 1}
    plain = read("MoE", STREAM, SCORES, *weights, **settings)
    more = read(
        "MoE", STREAM, SCORES, *weights, **settings, activation_alpha=1.702, activation_beta=1.0, swiglu_limit=7.0
    )  # fmt: skip
    # A product by the factor and a sum; one limit of the gate and two of what it multiplies.
    extra = Work(arithmetic=2 * ROWS * 16, comparisons=3 * ROWS * 16)
    assert count_work(more) == add_works([count_work(plain), extra])


@pytest.mark.parametrize(
    ("bits", "packed"),
    [pytest.param({}, 2, id="four bits"), pytest.param({"expert_weight_bits": 8}, 1, id="eight bits")],
)
def test_a_packed_weight_counts_by_what_it_holds(bits, packed):
    first, back = Of("uint8", 4, 16, 8 // packed), Of("uint8", 4, 8, 16 // packed)
    scales = (4, 16), (4, 8)
    records = read(
        "QMoE", STREAM, SCORES, first, scales[0], None, back, scales[1], activation_type="relu", **bits
    )
    own = choose(lambda x: F.linear(F.relu(F.linear(x, FIRST)), BACK))
    assert count_work(records) == count_work(own)


def test_an_unknown_function_is_uncounted():
    records = read("MoE", STREAM, SCORES, (4, 16, 8), None, (4, 8, 16), activation_type="mystery")
    assert [each.op for each in records] == ["com.microsoft.MoE"]


@pytest.mark.parametrize(
    ("weights", "kind", "message"),
    [
        ([(4, 16, 7), None, (4, 8, 16)], "relu", "takes 7 features, but its input has 8"),
        ([(4, 16, 8), None, (4, 8, 16)], "swiglu", "has no third weight"),
    ],
)
def test_what_does_not_go_together_is_refused(weights, kind, message):
    with pytest.raises(ShapeError, match=message):
        read("MoE", STREAM, SCORES, *weights, activation_type=kind)
