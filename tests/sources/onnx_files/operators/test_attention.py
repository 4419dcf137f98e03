"""Attention, against torch's own and by hand where torch has no such op."""

import pytest
import torch
import torch.nn.functional as F

from resflops.errors import ShapeError
from resflops.records import Work, add_works
from tests.sources.onnx_files.operators.nodes import Of, count_work, describe, read_node, trace_function

QUERY, KEYS = (2, 4, 3, 8), (2, 4, 5, 8)
MASK = (3, 5)


def attend(**settings):
    return lambda q, k, v, mask=None: F.scaled_dot_product_attention(q, k, v, mask, **settings)


@pytest.mark.parametrize(
    ("inputs", "attributes", "settings"),
    [
        pytest.param((QUERY, KEYS, KEYS), {}, {}, id="plain"),
        pytest.param((QUERY, KEYS, (2, 4, 5, 6)), {}, {}, id="values of another width"),
        pytest.param((QUERY, KEYS, KEYS, MASK), {}, {}, id="masked"),
        pytest.param((QUERY, KEYS, KEYS), {"is_causal": 1}, {"is_causal": True}, id="causal"),
        pytest.param((QUERY, (2, 2, 5, 8), (2, 2, 5, 8)), {}, {"enable_gqa": True}, id="shared keys"),
    ],
)
def test_it_is_the_attention_of_torch(inputs, attributes, settings):
    assert describe(read_node("Attention", *inputs, **attributes)) == describe(
        trace_function(attend(**settings), *inputs)
    )


def test_heads_may_be_side_by_side():
    records = read_node("Attention", (2, 3, 32), (2, 5, 16), (2, 5, 16), q_num_heads=4, kv_num_heads=2)
    assert [each.op for each in records] == [*["reshape"] * 3, "scaled_dot_product_attention", "reshape"]
    assert records[-1].output_shapes == ((2, 3, 32),)
    own = trace_function(attend(enable_gqa=True), QUERY, (2, 2, 5, 8), (2, 2, 5, 8))
    assert count_work(records) == count_work(own)


def test_keys_of_earlier_steps_are_attended_to_as_well():
    past = (2, 4, 6, 8)
    records = read_node("Attention", QUERY, QUERY, QUERY, None, past, past, outputs=3)
    assert [each.op for each in records] == ["cat", "cat", "scaled_dot_product_attention"]
    assert records[-1].output_shapes == (QUERY, (2, 4, 9, 8), (2, 4, 9, 8))
    assert count_work(records).macs == 2 * 4 * 3 * 9 * (8 + 8)


def test_a_cap_is_a_quotient_a_tangent_and_a_product_per_score():
    plain, capped = (
        read_node("Attention", QUERY, KEYS, KEYS, MASK, **each) for each in ({}, {"softcap": 9.0})
    )
    scores = 2 * 4 * 3 * 5
    cap = Work(arithmetic=2 * scores, transcendental=scores)
    assert count_work(capped) == add_works([count_work(plain), cap])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        pytest.param((QUERY, (2, 4, 5, 6), KEYS), "do not match", id="widths"),
        pytest.param(((2, 4, 3, 8), (2, 3, 5, 8), (2, 3, 5, 8)), "do not divide the 4", id="heads"),
        pytest.param(
            ((2, 3, 32), (2, 5, 32), (2, 5, 32)), "expected to have q_num_heads", id="no number of heads"
        ),
    ],
)
def test_what_does_not_go_together_is_refused(inputs, message):
    with pytest.raises(ShapeError, match=message):
        read_node("Attention", *inputs)


@pytest.mark.parametrize(
    ("shape", "attributes", "turned"),
    [
        pytest.param((2, 4, 3, 8), {}, 8, id="heads apart"),
        pytest.param((2, 3, 32), {"num_heads": 4}, 8, id="heads side by side"),
        pytest.param((2, 4, 3, 8), {"rotary_embedding_dim": 4}, 4, id="half of a head"),
    ],
)
def test_a_rotation_is_four_products_a_difference_and_a_sum_per_pair(shape, attributes, turned):
    angles = (9, turned // 2)
    places = Of("int64", 2, 3)
    records = read_node("RotaryEmbedding", shape, angles, angles, places, **attributes)
    assert count_work(records) == Work(arithmetic=2 * 4 * 3 * (turned // 2) * 6)
    assert records[-1].output_shapes == (shape,)


def test_torch_and_the_scores_one_by_one_multiply_as_often():
    def attend_by_steps(q, k, v):
        return torch.softmax(q @ k.transpose(-1, -2), -1) @ v

    own = trace_function(attend_by_steps, QUERY, KEYS, KEYS)
    assert count_work(read_node("Attention", QUERY, KEYS, KEYS, softcap=1.0)).macs == count_work(own).macs
