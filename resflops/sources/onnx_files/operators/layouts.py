"""Operators on images whose channels lie by blocks, as onnxruntime has them for one processor, or last."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, bind, operator
from resflops.sources.onnx_files.operators._standard import activate, read_as, read_channels_last, read_some
from resflops.sources.onnx_files.operators.convolution import read_convolution

BLOCKS, LAST = "com.microsoft.nchwc", "com.ms.internal.nhwc"

_CONVOLVE = read_channels_last("Conv", 0, 1, 2, always=True)


@operator(f"{BLOCKS}.Conv")
def read_blocks(node: OperatorCall) -> Call | Steps | None:
    """Read a convolution of all channels that there are with those that pad the last block."""
    return activate(node, read_convolution(node), node.input(3))


@operator(f"{LAST}.Conv")
def read_last(node: OperatorCall) -> Call | Steps | None:
    """Read a convolution of an image whose channels are its last dimension."""
    return activate(node, _CONVOLVE(node))


@operator(f"{BLOCKS}.Upsample")
def read_enlarged(node: OperatorCall) -> Call | Steps | None:
    """Read an image that is made larger."""
    return read_as(node, "Resize", (node.require(0),))


for _name in ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"):
    bind(
        {
            f"{BLOCKS}.{_name}": read_some(_name, 0),
            f"{LAST}.{_name}": read_channels_last(_name, 0, always=True),
        }
    )
bind({f"{BLOCKS}.ReorderInput": "contiguous", f"{BLOCKS}.ReorderOutput": "getitem"})
