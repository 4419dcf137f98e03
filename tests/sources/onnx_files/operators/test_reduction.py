"""Reductions."""

import numpy as np
import pytest
import torch

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

SHAPE = (2, 3, 4, 5)
FOLDS = {
    "ReduceSum": torch.sum,
    "ReduceMean": torch.mean,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceLogSumExp": torch.logsumexp,
    "ReduceL1": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 1, dim, keepdim),
    "ReduceL2": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 2, dim, keepdim),
    "ReduceLogSum": lambda x, dim, keepdim: torch.sum(x, dim, keepdim).log(),
    "ReduceSumSquare": lambda x, dim, keepdim: torch.sum(x.square(), dim, keepdim),
}


@pytest.mark.parametrize("keep", [0, 1], ids=["folded", "kept"])
@pytest.mark.parametrize("name", FOLDS)
def test_it_is_the_fold_of_torch(name, keep):
    node = read_node(name, SHAPE, np.array([2, -1]), keepdims=keep)
    own = trace_function(lambda x: FOLDS[name](x, (2, -1), bool(keep)), SHAPE)
    assert describe(node) == describe(own)


@pytest.mark.parametrize("name", FOLDS)
def test_dimensions_were_an_attribute_in_older_opsets(name):
    assert describe(read_node(name, SHAPE, opset=11, axes=[1])) == describe(
        read_node(name, SHAPE, np.array([1]))
    )


def test_a_product_has_as_many_factors_as_a_sum_has_terms():
    assert describe(read_node("ReduceProd", SHAPE, np.array([1]), keepdims=0)) == describe(
        trace_function(lambda x: x.prod(1), SHAPE)
    )


WITHOUT_FOLD = {
    "ReduceSum": Work(), "ReduceMean": Work(), "ReduceMax": Work(), "ReduceMin": Work(), "ReduceProd": Work(),
    "ReduceL2": Work(arithmetic=120, transcendental=120), "ReduceLogSum": Work(transcendental=120),
    "ReduceSumSquare": Work(arithmetic=120),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDS | {"ReduceProd": None})
def test_without_dimensions_all_are_folded_unless_the_node_says_none(name):
    assert read_node(name, SHAPE)[-1].output_shapes == ((1, 1, 1, 1),)
    if name in WITHOUT_FOLD:
        node = read_node(name, SHAPE, noop_with_empty_axes=1)
        assert (node[-1].output_shapes, count_work(node)) == ((SHAPE,), WITHOUT_FOLD[name])


@pytest.mark.parametrize("name", ["ArgMax", "ArgMin"])
def test_the_place_of_an_extremum_is_found_along_one_dimension(name):
    function = getattr(torch, name.lower())
    node = read_node(name, SHAPE, axis=1, keepdims=0)
    assert describe(node) == describe(trace_function(lambda x: function(x, 1), SHAPE))
    assert read_node(name, SHAPE)[0].attributes == {"dim": 0}
