"""Softmax and its relatives, which opset 13 changed."""

import pytest
import torch

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

SHAPE = (2, 3, 4)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        pytest.param("Softmax", torch.softmax, id="softmax"),
        pytest.param("LogSoftmax", torch.log_softmax, id="logarithm"),
    ],
)
@pytest.mark.parametrize(
    ("opset", "axis"),
    [pytest.param(13, 1, id="along one"), pytest.param(12, 2, id="along the last in an older opset")],
)
def test_it_is_the_function_of_torch(name, function, opset, axis):
    node = read_node(name, SHAPE, opset=opset, axis=axis)
    assert describe(node) == describe(trace_function(lambda x: function(x, axis), SHAPE))


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_until_opset_13_all_dimensions_from_the_axis_on_are_one_row(name):
    older, flat = read_node(name, SHAPE, opset=12), read_node(name, (2, 12), axis=1)
    assert count_work(older) == count_work(flat)
    assert older[-1].output_shapes == (SHAPE,)
    assert read_node(name, SHAPE)[0].attributes == {"dim": -1}


@pytest.mark.parametrize(
    ("opset", "comparisons"),
    [pytest.param(13, 2 * 3 * 3, id="along the last"), pytest.param(12, 2 * 11, id="from the second on")],
)
def test_a_hardmax_compares_each_row_once(opset, comparisons):
    node = read_node("Hardmax", SHAPE, opset=opset)
    assert count_work(node) == Work(comparisons=comparisons)
    assert node[-1].output_shapes == (SHAPE,)
