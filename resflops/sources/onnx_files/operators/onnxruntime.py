"""Operators of onnxruntime's own that are ones of ONNX's, from before these were there."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator
from resflops.sources.onnx_files.operators._standard import read_some

bind(
    {
        "com.microsoft.GatherND": read_some("GatherND", 0, 1),
        "com.microsoft.GridSample": read_some("GridSample", 0, 1),
        "com.microsoft.Pad": read_some("Pad", 0, 1),
        "com.microsoft.Trilu": read_some("Trilu", 0),
    }
)


@operator("com.microsoft.TorchEmbedding")
def read_embedding(node: OperatorCall) -> Call:
    """Read rows that are looked up in a table."""
    return node.call("embedding", (node.require(1), node.require(0)))
