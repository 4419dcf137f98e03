"""Slices and pieces."""

import numpy as np
import pytest

from tests.sources.onnx_files.operators.nodes import describe, read_node, trace_function

SHAPE = (6, 8)


def test_a_slice_is_an_index_of_torch():
    node = read_node("Slice", SHAPE, np.array([1]), np.array([7]), np.array([1]), np.array([2]))
    own = describe(trace_function(lambda x: x[:, 1:7:2], SHAPE))
    assert describe(node) == own
    assert describe(read_node("Slice", SHAPE, opset=9, axes=[1], starts=[1], ends=[7]))[0][0] == own[0][0]


@pytest.mark.parametrize(
    ("opset", "inputs", "attributes"),
    [
        pytest.param(13, [np.array((2, 6))], {}, id="by an input"),
        pytest.param(11, [], {"split": [2, 6]}, id="by an attribute"),
    ],
)
def test_pieces_of_given_lengths_are_a_split_of_torch(opset, inputs, attributes):
    node = read_node("Split", SHAPE, *inputs, opset=opset, outputs=2, axis=1, **attributes)
    assert describe(node) == describe(trace_function(lambda x: x.split((2, 6), 1), SHAPE))


def test_pieces_of_one_length_are_a_split_of_torch():
    node = read_node("Split", SHAPE, outputs=2, num_outputs=2)
    assert describe(node) == describe(trace_function(lambda x: x.split(3), SHAPE))
