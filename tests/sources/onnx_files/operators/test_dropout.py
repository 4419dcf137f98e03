"""Dropout, which drops nothing unless the graph says so."""

import pytest
import torch.nn.functional as F

from tests.sources.onnx_files.operators.nodes import Of, describe, number, read_node, trace_function

ROWS = (3, 8)


@pytest.mark.parametrize(
    ("opset", "inputs", "dropping"),
    [
        pytest.param(7, [], False, id="opset 7"),
        pytest.param(12, [], False, id="without an input that says it"),
        pytest.param(13, [number(0.5), number(False, "bool")], False, id="in inference"),
        pytest.param(13, [number(0.5), number(True, "bool")], True, id="in training"),
        pytest.param(13, [None, number(True, "bool")], True, id="in training at the usual rate"),
        pytest.param(13, [number(0.0), number(True, "bool")], False, id="at a rate of zero"),
    ],
)
def test_it_drops_what_torch_does(opset, inputs, dropping):
    node = read_node("Dropout", ROWS, *inputs, opset=opset)
    own = trace_function(lambda x: F.dropout(x, 0.5, training=dropping), ROWS)
    assert describe(node) == describe(own)


def test_it_is_uncounted_where_values_decide():
    (node,) = read_node("Dropout", ROWS, number(0.5), Of("bool"))
    assert node.op == "Dropout"
