"""Normalisations, in inference and in training, with and without weights."""

import numpy as np
import pytest
import torch.nn.functional as F
from torch import nn

from resflops.errors import ShapeError
from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

IMAGE, CHANNELS, LAST = (2, 4, 5, 5), np.arange(4, dtype="float32"), np.arange(5, dtype="float32")
STATISTICS = (CHANNELS, CHANNELS)
CASES = {
    "BatchNormalization": (nn.BatchNorm2d(4), (CHANNELS, CHANNELS, *STATISTICS), {}),
    "GroupNormalization": (nn.GroupNorm(2, 4), (CHANNELS, CHANNELS), {"num_groups": 2}),
    "InstanceNormalization": (nn.InstanceNorm2d(4, affine=True), (CHANNELS, CHANNELS), {}),
    "LayerNormalization": (nn.LayerNorm(5), (LAST, LAST), {}),
    "LayerNormalization without a bias": (nn.LayerNorm(5, bias=False), (LAST,), {}),
    "LayerNormalization of two dimensions": (
        nn.LayerNorm((5, 5)), (np.tile(LAST, (5, 1)), np.tile(LAST, (5, 1))), {"axis": 2},
    ),
    "LRN": (nn.LocalResponseNorm(3), (), {"size": 3}),
    "RMSNormalization": (nn.RMSNorm(5), (LAST,), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_module_of_torch(name):
    module, weights, attributes = CASES[name]
    (node,) = read_node(name.partition(" ")[0], IMAGE, *weights, **attributes)
    (own,) = trace_function(module, IMAGE)
    assert describe([node]) == describe([own])
    # Weight and bias, in this order, are the parameters that the graph has.
    assert node.affine_producers == own.affine_producers


@pytest.mark.parametrize(
    ("opset", "outputs", "attributes"),
    [
        pytest.param(14, 3, {"training_mode": 1}, id="by an attribute"),
        pytest.param(9, 5, {}, id="by its outputs"),
        pytest.param(7, 5, {}, id="by its outputs in opset 7"),
    ],
)
def test_a_batch_normalisation_that_trains_computes_statistics(opset, outputs, attributes):
    inputs = (IMAGE, CHANNELS, CHANNELS, *STATISTICS)
    node = read_node("BatchNormalization", *inputs, opset=opset, outputs=outputs, **attributes)
    own = trace_function(lambda x, *affine: F.batch_norm(x, None, None, *affine, True), IMAGE, (4,), (4,))
    assert (count_work(node), node[0].output_shapes[0]) == (count_work(own), IMAGE)


def test_it_does_not_train_with_one_output_whatever_opset_14_says_by_default():
    for opset in (7, 9, 14, 15):
        (node,) = read_node("BatchNormalization", IMAGE, CHANNELS, CHANNELS, *STATISTICS, opset=opset)
        assert not node.attributes["training"]


def test_groups_had_a_weight_each_in_opset_18():
    pairs = np.arange(2, dtype="float32")
    older = read_node("GroupNormalization", IMAGE, pairs, pairs, opset=18, num_groups=2)
    assert describe(older) == describe(trace_function(nn.GroupNorm(2, 4), IMAGE))


@pytest.mark.parametrize(
    ("axes", "roots"),
    [pytest.param([0, 2, 3], 4, id="each channel"), pytest.param([-1], 40, id="each row")],
)
def test_mean_and_variance_are_those_of_any_dimensions(axes, roots):
    node = read_node("MeanVarianceNormalization", IMAGE, axes=axes)
    assert count_work(node) == Work(arithmetic=6 * 200, transcendental=roots)


@pytest.mark.parametrize("p", [1, 2])
def test_vectors_over_their_norms_are_normalised_but_for_torchs_limit(p):
    node = read_node("LpNormalization", (6, 8), axis=1, p=p)
    own = trace_function(lambda x: F.normalize(x, p=p), (6, 8))
    limited = [record for record in own if record.op not in {"clamp", "expand"}]
    assert count_work(node) == count_work(limited)


@pytest.mark.parametrize("groups", [-2, 0, 3])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    with pytest.raises(ShapeError, match=f"has {groups} groups, which do not divide the 4 channels"):
        read_node("GroupNormalization", IMAGE, CHANNELS, CHANNELS, num_groups=groups)


def test_a_window_of_no_channels_is_refused():
    with pytest.raises(ShapeError, match="has a window of 0 channels"):
        read_node("LRN", IMAGE, size=0)
