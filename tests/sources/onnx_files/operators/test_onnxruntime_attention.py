"""Attention of onnxruntime's own, against torch's ops by themselves."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import resflops
from resflops.errors import ShapeError
from resflops.records import Work, add_works
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import INT64, constant, model, node, tensor, unknown
from tests.sources.onnx_files.operators.nodes import Of, count_work, read_node, trace_function

INT32 = 6
STREAM = (2, 3, 8)
HEADS = (2, 2, 3, 4)


def read(name, *inputs, **settings):
    return read_node(name, *inputs, domain="com.microsoft", **settings)


def count_attention(query, key, value=None, **settings):
    def attend(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, **settings)

    return count_work(trace_function(attend, query, key, value or key))


def count_projection(columns=24, rows=(2, 3)):
    return count_work(trace_function(F.linear, (*rows, 8), (columns, 8), (columns,)))


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("Attention", [STREAM, (8, 24), (24,)]),
        ("QAttention", [Of("uint8", *STREAM), Of("uint8", 8, 24), (24,), (), ()]),
        ("PackedAttention", [(6, 8), (8, 24), (24,), Of("int32", 2, 3), Of("int32", 3)]),
    ],
)
def test_an_attention_with_projections_is_a_linear_layer_and_an_attention(name, inputs):
    records = read(name, *inputs, num_heads=2)
    assert count_work(records) == add_works([count_projection(), count_attention(HEADS, HEADS)])


def test_the_parts_of_a_projection_may_be_of_several_widths():
    records = read("Attention", STREAM, (8, 32), (32,), num_heads=2, qkv_hidden_sizes=[8, 8, 16])
    own = [count_projection(32), count_attention(HEADS, HEADS, (2, 2, 3, 8))]
    assert count_work(records) == add_works(own)


def test_earlier_keys_are_attended_to_as_well():
    records = read("Attention", STREAM, (8, 24), (24,), None, (2, 2, 2, 5, 4), num_heads=2, outputs=2)
    assert count_work(records) == add_works([count_projection(), count_attention(HEADS, (2, 2, 8, 4))])


@pytest.mark.parametrize(
    ("inputs", "keys"),
    [
        pytest.param([STREAM, (2, 5, 8), (2, 5, 8)], 5, id="one by one"),
        pytest.param([(2, 3, 2, 3, 4)], 3, id="all in one tensor"),
        pytest.param([STREAM, (2, 5, 2, 2, 4)], 5, id="keys and values in one"),
        pytest.param([STREAM, (2, 2, 5, 4), (2, 2, 5, 4)], 5, id="keys by heads"),
        pytest.param([STREAM, STREAM, STREAM, *[None] * 3, (2, 2, 5, 4), (2, 2, 5, 4)], 8, id="earlier keys"),
    ],
)
def test_a_multi_head_attention_is_the_attention_of_torch(inputs, keys):
    records = read("MultiHeadAttention", *inputs, num_heads=2, outputs=3 if len(inputs) > 3 else 1)
    assert count_work(records) == count_attention(HEADS, (2, 2, keys, 4))


def test_a_bias_is_added_to_query_key_and_value():
    plain, shifted = (
        count_work(read("MultiHeadAttention", STREAM, STREAM, STREAM, *bias, num_heads=2))
        for bias in ((), ((24,),))
    )
    assert shifted == add_works([plain, Work(arithmetic=3 * 2 * 3 * 8)])


def test_two_masks_are_two_additions_per_score():
    masks = Of("int32", 2, 3), (2, 2, 3, 3)
    plain, masked = (
        count_work(read("MultiHeadAttention", STREAM, STREAM, STREAM, None, *each, num_heads=2))
        for each in ((), masks)
    )
    assert masked == add_works([plain, Work(arithmetic=2 * 2 * 2 * 3 * 3)])


PAST = (1, 2, 5, 8)
LENGTHS = Of("int32", 1)
QUERY, GROUP = (1, 3, 32), (1, 3, 16)


def read_group(*more, query=QUERY, key=GROUP, past=PAST, total=8, **attributes):
    known = Of("int32") if total is None else np.array([total], "int32")
    return read(
        "GroupQueryAttention", query, key, key, past, past, LENGTHS, known, *more,
        num_heads=4, kv_num_heads=2, outputs=3, **attributes,
    )  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="a length that is known"),
        pytest.param({"total": None}, id="a length that is not"),
        pytest.param({"query": (1, 3, 64), "key": None}, id="all in one tensor"),
        pytest.param({"past": (1, 2, 99, 8)}, id="a buffer for more keys"),
    ],
)
def test_heads_that_share_keys_are_the_grouped_attention_of_torch(settings):
    own = count_attention((1, 4, 3, 8), (1, 2, 8, 8), enable_gqa=True)
    assert count_work(read_group(**settings)) == own


def test_a_rotation_and_a_normalisation_of_query_and_key_are_counted_with_them():
    angles, plain = (99, 4), count_work(read_group())
    turned = count_work(read_group(angles, angles, do_rotary=1))
    assert turned == add_works([plain, Work(arithmetic=3 * (32 + 16) // 2 * 6)])

    def normalise(q, k, weight):
        return F.rms_norm(q, (8,), weight), F.rms_norm(k, (8,), weight)

    normalised = count_work(read_group(*[None] * 7, (8,), (8,)))
    own = count_work(trace_function(normalise, (1, 4, 3, 8), (1, 2, 3, 8), (8,)))
    assert normalised == add_works([plain, own])


def test_a_sink_takes_part_in_each_softmax():
    def attend(q, k, v, sink):
        k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
        scores = (q @ k.transpose(-1, -2)) * 0.5
        weights = torch.cat([scores, sink.expand(1, 4, 3, 1)], -1).softmax(-1)
        return weights[..., :-1] @ v

    own = trace_function(attend, (1, 4, 3, 8), (1, 2, 8, 8), (1, 2, 8, 8), (1, 4, 1, 1))
    assert count_work(read_group(*[None] * 4, (4,))) == count_work(own)


def test_a_rotation_takes_its_cosines_as_third_input():
    records = read("RotaryEmbedding", (1, 3, 16), Of("int64", 1), (99, 4), (99, 4))
    assert count_work(records) == Work(arithmetic=3 * 8 * 6)


@pytest.mark.parametrize("name", ["Attention", "QAttention"])
def test_what_lies_in_a_buffer_of_unknown_length_is_uncounted(name):
    (record,) = read(name, STREAM, (8, 24), (24,), (), (), num_heads=2, past_present_share_buffer=1)
    assert record.op == f"com.microsoft.{name}"


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("Attention", [(2, 3, 7), (8, 24), (24,)], "takes 8 features, but its input has 7"),
        ("MultiHeadAttention", [STREAM, (2, 5, 6), (2, 5, 6)], "do not match"),
    ],
)
def test_what_does_not_go_together_is_refused(name, inputs, message):
    with pytest.raises(ShapeError, match=message):
        read(name, *inputs, num_heads=2)


def test_how_many_keys_there_are_follows_from_the_shape_of_the_mask():
    made = [
        node("ReduceSum", ["mask", "axis"], ["seen"]), node("Sub", ["seen", "axis"], ["last"]),
        node("Cast", ["last"], ["lengths"], to=INT32), node("Shape", ["mask"], ["sizes"]),
        node("Gather", ["sizes", "axis"], ["keys"]), node("Cast", ["keys"], ["total"], to=INT32),
        node("GroupQueryAttention", ["q", "k", "v", "past_k", "past_v", "lengths", "total"], ["y", "", ""],
             domain="com.microsoft", num_heads=4, kv_num_heads=2),
    ]  # fmt: skip
    inputs = [
        tensor("q", 1, "new", 32), tensor("k", 1, "new", 16), tensor("v", 1, "new", 16),
        *(tensor(name, 1, 2, "past", 8) for name in ("past_k", "past_v")),
        tensor("mask", 1, "past + new", dtype=INT64),
    ]  # fmt: skip
    stored = [constant("axis", [1])]
    net = model(made, inputs, [unknown("y")], stored, domains=["com.microsoft"])
    cost = resflops.count(read_trace(net, "net.onnx", Given(sizes={"new": 1, "past": 7})))
    assert (cost.macs, cost.uncounted) == (4 * 8 * (8 + 8), ())


def test_a_projected_query_and_key_may_be_turned():
    plain, turned = (
        count_work(read("Attention", STREAM, (8, 24), (24,), num_heads=2, **each))
        for each in ({}, {"do_rotary": 1})
    )
    assert turned == add_works([plain, Work(arithmetic=2 * 2 * 3 * 4 * 6)])


@pytest.mark.parametrize(
    ("operands", "attributes"),
    [
        pytest.param([STREAM, None, STREAM], {}, id="neither keys nor a packed query"),
        pytest.param([STREAM, (2, 5, 8), None], {}, id="neither values nor packed keys"),
    ],
)
def test_operands_that_are_missing_leave_the_node_unknown(operands, attributes):
    (record,) = read("MultiHeadAttention", *operands, num_heads=2, **attributes)
    assert record.op == "com.microsoft.MultiHeadAttention of unknown sizes"
