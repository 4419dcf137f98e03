"""Parts of transformers that onnxruntime has one operator for, against the ops one by one."""

import pytest
import torch
import torch.nn.functional as F

from tests.sources.onnx_files.operators.nodes import Of, count_work, read_node, trace_function

ROWS, IDS = (2, 3, 8), Of("int32", 2, 3)
IMAGE = (1, 8, 3, 3)


def read(name, *inputs, **settings):
    return read_node(name, *inputs, domain="com.microsoft", **settings)


def normalise(x, weight, bias):
    return F.layer_norm(x, (8,), weight, bias)


def embed(ids, words, places, weight, bias):
    return normalise(F.embedding(ids, words) + F.embedding(ids, places), weight, bias)


CASES = [
    pytest.param(
        read("SkipLayerNormalization", ROWS, ROWS, (8,), (8,), (8,)),
        trace_function(lambda x, y, z, w, b: normalise(x + y + z, w, b), ROWS, ROWS, (8,), (8,), (8,)),
        id="sum and normalisation",
    ),
    pytest.param(
        read("SkipSimplifiedLayerNormalization", ROWS, ROWS, (8,)),
        trace_function(lambda x, y, w: F.rms_norm(x + y, (8,), w), ROWS, ROWS, (8,)),
        id="sum and root mean square",
    ),
    pytest.param(
        read("EmbedLayerNormalization", IDS, None, (9, 8), (5, 8), None, (8,), (8,)),
        trace_function(embed, IDS, (9, 8), (5, 8), (8,), (8,)), id="embeddings",
    ),
    pytest.param(
        read("BiasAdd", ROWS, (8,), ROWS), trace_function(lambda x, b, y: x + b + y, ROWS, (8,), ROWS), id="sums"
    ),
    pytest.param(
        read("BiasSoftmax", ROWS, (1, 3, 8), axis=2, is_inner_broadcast=0),
        trace_function(lambda x, mask: (x + mask).softmax(-1), ROWS, (1, 3, 8)), id="masked softmax",
    ),
    pytest.param(
        read("GroupNorm", (1, 3, 3, 8), (8,), (8,), groups=2, activation=1),
        trace_function(lambda x, w, b: F.silu(F.group_norm(x, 2, w, b)), IMAGE, (8,), (8,)),
        id="groups and SiLU",
    ),
    pytest.param(
        read("SkipGroupNorm", (1, 3, 3, 8), (8,), (8,), (1, 3, 3, 8), (8,), groups=2, activation=0),
        trace_function(
            lambda x, y, z, w, b: F.group_norm(x + y + z, 2, w, b), IMAGE, IMAGE, (8, 1, 1), (8,), (8,)
        ),
        id="sum and groups",
    ),
    pytest.param(read("Inverse", (2, 3, 3)), trace_function(torch.inverse, (2, 3, 3)), id="inverse"),
    pytest.param(
        read_node("SimplifiedLayerNormalization", ROWS, (8,), opset=14),
        trace_function(lambda x, w: F.rms_norm(x, (8,), w), ROWS, (8,)), id="root mean square",
    ),
    pytest.param(
        read_node("LayerNormalization", ROWS, (8,), (8,), opset=14),
        trace_function(normalise, ROWS, (8,), (8,)), id="a normalisation in an opset before it",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("records", "own"), CASES)
def test_it_costs_what_its_parts_do(records, own):
    assert count_work(records) == count_work(own)
