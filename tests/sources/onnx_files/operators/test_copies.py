"""Copies."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto

from resflops.ops import is_free
from tests.sources.onnx_files.operators.nodes import Of, describe, read_node, trace_function

IMAGE = (2, 4, 6, 6)
CASES = {
    "Cast": (lambda x: x.to(torch.int32), [], {"to": TensorProto.INT32}),
    "DepthToSpace": (lambda x: F.pixel_shuffle(x, 2), [], {"blocksize": 2, "mode": "CRD"}),
    "SpaceToDepth": (lambda x: F.pixel_unshuffle(x, 2), [], {"blocksize": 2}),
    "Tile": (lambda x: x.repeat(1, 1, 2, 3), [np.array((1, 1, 2, 3))], {}),
    "Trilu": (torch.triu, [], {}),
    "Trilu below": (torch.tril, [], {"upper": 0}),
    "Pad": (lambda x: F.pad(x, (1, 2)), [np.array((0, 0, 0, 1, 0, 0, 0, 2))], {}),
    "Pad by reflection": (
        lambda x: F.pad(x, (1, 2, 0, 0), mode="reflect"), [np.array((0, 0, 0, 1, 0, 0, 0, 2))],
        {"mode": "reflect"},
    ),
    "Pad by the edge": (
        lambda x: F.pad(x, (1, 2, 0, 0), mode="replicate"), [np.array((0, 0, 0, 1, 0, 0, 0, 2))],
        {"mode": "edge"},
    ),
    "Pad in a circle": (
        lambda x: F.pad(x, (1, 2, 0, 0), mode="circular"), [np.array((0, 0, 0, 1, 0, 0, 0, 2))],
        {"mode": "wrap"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_copy_of_torch(name):
    function, inputs, attributes = CASES[name]
    node = read_node(name.partition(" ")[0], IMAGE, *inputs, **attributes)
    assert describe(node) == describe(trace_function(function, IMAGE))


def test_joined_tensors_are_joined_as_in_torch():
    node = read_node("Concat", (2, 3), (2, 5), axis=1)
    own = trace_function(lambda x, y: torch.cat([x, y], 1), (2, 3), (2, 5))
    assert describe(node) == describe(own)
    assert node[0].attributes == own[0].attributes


@pytest.mark.parametrize(
    ("name", "inputs", "attributes"),
    [
        pytest.param("CastLike", [Of("int32", 1)], {}, id="cast like another"),
        pytest.param("CenterCropPad", [np.array((4, 8))], {"axes": [2, 3]}, id="crop and pad"),
        pytest.param("ReverseSequence", [Of("int64", 4)], {}, id="reversed sequences"),
    ],
)
def test_what_torch_has_no_function_for_is_free(name, inputs, attributes):
    (node,) = read_node(name, IMAGE, *inputs, **attributes)
    assert is_free(node.op)
    assert node.input_shapes == (IMAGE,)
