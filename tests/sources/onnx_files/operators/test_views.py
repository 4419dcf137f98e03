"""Views: what costs nothing, and lies where it did."""

import numpy as np
import pytest
import torch

from tests.sources.onnx_files.operators.nodes import Of, describe, read_node, trace_function

SHAPE = (2, 3, 4)
CASES = {
    "Reshape": (lambda x: x.reshape(6, -1), [np.array((6, -1))], {}),
    "Flatten": (lambda x: x.flatten(1), [], {"axis": 1}),
    "Unsqueeze": (lambda x: x.unsqueeze(1), [np.array([1])], {}),
    "Transpose": (lambda x: x.permute(2, 0, 1), [], {"perm": [2, 0, 1]}),
    "Expand": (lambda x: x.expand(5, 2, 3, 4), [np.array((5, 2, 3, 4))], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_view_of_torch(name):
    function, inputs, attributes = CASES[name]
    node = read_node(name, SHAPE, *inputs, **attributes)
    assert describe(node) == describe(trace_function(function, SHAPE))


def test_dimensions_were_attributes_before_opset_13():
    assert describe(read_node("Squeeze", (2, 1, 3), opset=11, axes=[1])) == describe(
        trace_function(lambda x: x.squeeze(1), (2, 1, 3))
    )
    assert describe(read_node("Unsqueeze", (2, 3), opset=11, axes=[0])) == describe(
        trace_function(lambda x: x.unsqueeze(0), (2, 3))
    )


def test_bits_are_taken_for_another_type():
    node = read_node("BitCast", (2, 3), to=6, opset=26)
    assert describe(node) == describe(trace_function(lambda x: x.view(torch.int32), (2, 3)))


def test_a_view_stays_free_where_values_decide_its_sizes():
    (node,) = read_node("Reshape", SHAPE, Of("int64", 2))
    assert (node.op, node.output_shapes) == ("reshape", ((),))
