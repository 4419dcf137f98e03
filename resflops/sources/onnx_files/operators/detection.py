"""Detection: which boxes of objects are kept."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator


@operator("NonMaxSuppression", by_inputs=True)
def read_suppression(node: OperatorCall) -> Call:
    """Read the choice of boxes for each class; without a limit none is chosen."""
    boxes, scores, limit = node.require(0), node.require(1), node.input(2)
    count = boxes.shape[1]
    if limit is not None and limit.value is not None:
        count = min(count, int(limit.value.item()))
    return node.call("non_max_suppression", (boxes, scores), {"most": 0 if limit is None else count})
