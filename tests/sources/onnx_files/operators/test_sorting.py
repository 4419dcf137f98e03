"""Elements found by their order."""

import numpy as np
import pytest

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function


@pytest.mark.parametrize("dim", [-1, 0])
def test_the_largest_are_found_as_in_torch(dim):
    node = read_node("TopK", (3, 8), np.array([2]), axis=dim, outputs=2)
    assert describe(node) == describe(trace_function(lambda x: x.topk(2, dim), (3, 8)))


def test_their_places_alone_cost_as_much():
    both = read_node("TopK", (3, 8), np.array([2]), outputs=2)
    assert count_work(both) == Work(comparisons=24 * 2)


def test_unique_elements_are_sorted_whatever_their_number():
    (node,) = read_node("Unique", (3, 8))
    (own,) = trace_function(lambda x: x.unique(), (3, 8))
    assert (node.op, node.input_shapes) == (own.op, own.input_shapes)
    assert count_work([node]) == Work(comparisons=24 * 5)
