"""Running sums and products."""

import pytest
import torch

from tests.sources.onnx_files.operators.nodes import Of, describe, number, read_node, trace_function


@pytest.mark.parametrize(
    ("name", "function"),
    [pytest.param("CumSum", torch.cumsum, id="sum"), pytest.param("CumProd", torch.cumprod, id="product")],
)
def test_it_is_the_function_of_torch(name, function):
    node = read_node(name, (3, 8), number(1, "int64"), opset=26)
    own = trace_function(lambda x: function(x, 1), (3, 8))
    assert describe(node) == describe(own)
    assert node[0].attributes == own[0].attributes


def test_the_dimension_need_not_be_known():
    (node,) = read_node("CumSum", (3, 8), Of("int64"))
    assert (node.op, node.attributes) == ("cumsum", {})
