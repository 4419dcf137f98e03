"""Losses."""

import pytest
import torch.nn.functional as F

from resflops.errors import ShapeError
from tests.sources.onnx_files.operators.nodes import Of, count_work, read_node, trace_function

NODES = {"NegativeLogLikelihoodLoss": F.nll_loss, "SoftmaxCrossEntropyLoss": F.cross_entropy}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("shape", [(4, 10), (2, 10, 3, 3)], ids=["rows", "images"])
@pytest.mark.parametrize("name", NODES)
def test_it_is_the_loss_of_torch(name, shape, weighted):
    targets, weights = Of("int64", shape[0], *shape[2:]), [(10,)] * weighted
    node = read_node(name, shape, targets, *weights)
    own = trace_function(NODES[name], shape, targets, *weights)
    assert [record.op for record in node] == [record.op for record in own]
    assert [record.input_shapes for record in node] == [record.input_shapes for record in own]
    assert count_work(node) == count_work(own)


def test_log_probabilities_are_a_second_output():
    node = read_node("SoftmaxCrossEntropyLoss", (4, 10), Of("int64", 4), outputs=2)
    assert node[-1].output_shapes == ((), (4, 10))


def test_scores_of_no_classes_are_refused():
    with pytest.raises(ShapeError, match="takes scores for each class of each sample"):
        read_node("SoftmaxCrossEntropyLoss", (4,), Of("int64", 4))
