"""Dropout."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator
from resflops.sources.onnx_files.tensors import GraphTensor


@operator("Dropout")
def read_dropout(node: OperatorCall) -> Call | None:
    """Read a dropout, which drops nothing unless an input of opset 12 and later says so.

    None where that input is computed in the pass.
    """
    mode, rate = node.input(2), node.input(1)
    training = mode is not None and _read_number(mode)
    if training is None:
        return None
    dropping = bool(training) and (rate is None or _read_number(rate) != 0)
    return node.call("dropout", (node.require(0),), {"training": dropping})


def _read_number(tensor: GraphTensor) -> float | None:
    return None if tensor.value is None else float(tensor.value.item())
