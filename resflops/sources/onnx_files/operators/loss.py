"""Losses."""

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, operator
from resflops.sources.onnx_files.tensors import GraphTensor


@operator("NegativeLogLikelihoodLoss")
def read_negative_log_likelihood(node: OperatorCall) -> Call:
    """Read the loss of log-probabilities."""
    return _lose(node, node.require(0))


@operator("SoftmaxCrossEntropyLoss")
def read_cross_entropy(node: OperatorCall) -> Steps:
    """Read the loss of scores, whose log-probabilities are computed first."""
    scores = node.require(0)
    if scores.dim() < 2:
        raise Mismatch("takes scores for each class of each sample")
    probabilities = yield Call("log_softmax", (scores,), scores.shape, {"dim": 1})
    return _lose(node, probabilities)


def _lose(node: OperatorCall, probabilities: GraphTensor) -> Call:
    op = "nll_loss_forward" if probabilities.dim() < 3 else "nll_loss2d_forward"
    return node.call(op, (probabilities, *node.list_inputs()[1:]))
