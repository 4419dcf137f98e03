"""Finding elements by their order."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator


@operator("TopK")
def read_largest(node: OperatorCall) -> Call:
    """Read the first elements of each row in order, and their places."""
    axis = int(node.attributes.get("axis", -1))
    count = node.outputs[0].shape[axis]
    return node.call("topk", (node.require(0),), {"dim": axis, "k": count})


@operator("Unique", by_inputs=True)
def read_unique(node: OperatorCall) -> Call:
    """Read the elements that differ from each other; how many they are, their values decide."""
    return node.call("unique")
