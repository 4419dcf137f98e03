"""Convolutions over time and linear attention."""

import pytest

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, read_node


@pytest.mark.parametrize(
    ("inputs", "attributes", "work"),
    [
        pytest.param([], {}, Work(macs=2 * 4 * 8 * 3), id="plain"),
        pytest.param([(4,)], {}, Work(macs=192, bias_adds=64), id="with a bias"),
        pytest.param(
            [None, (2, 4, 2)], {"activation": "silu"},
            Work(macs=192, arithmetic=4 * 64, transcendental=64), id="with a SiLU",
        ),
    ],
)  # fmt: skip
def test_a_causal_convolution_takes_a_mac_for_each_tap(inputs, attributes, work):
    node = read_node("CausalConvWithState", (2, 4, 8), (4, 1, 3), *inputs, **attributes, opset=27, outputs=2)
    assert count_work(node) == work


@pytest.mark.parametrize(
    ("rule", "update", "macs"),
    [
        # Each of 2 × 6 steps: 4 queries of 8 by a state of 8 × 5.
        pytest.param("gated", None, 2 * 6 * 4 * 8 * 5, id="queries"),
        # And 2 keys of 8, by the delta rule.
        pytest.param("gated_delta", (2, 6, 2), 2 * 6 * (4 + 2) * 8 * 5, id="queries and keys"),
    ],
)
def test_linear_attention_meets_its_state_at_each_step(rule, update, macs):
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    node = read_node(
        "LinearAttention", (2, 6, 32), (2, 6, 16), (2, 6, 10), (2, 2, 8, 5), (2, 6, 2), update,
        update_rule=rule, **heads, opset=27, outputs=2,
    )  # fmt: skip
    assert count_work(node) == Work(macs=macs)
