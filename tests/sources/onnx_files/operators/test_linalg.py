"""Determinants."""

import torch

from tests.sources.onnx_files.operators.nodes import count_work, read_node, trace_function


def test_a_determinant_is_that_of_torch():
    node, own = read_node("Det", (4, 3, 3)), trace_function(torch.det, (4, 3, 3))
    assert [record.op for record in node] == [record.op for record in own]
    assert count_work(node) == count_work(own)
