"""Convolutions."""

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator
from resflops.sources.onnx_files.operators._windows import read_padding, read_sizes


def read_convolution(node: OperatorCall, weight: int = 1, bias: int | None = 2) -> Call:
    """Read a convolution whose weight and bias are inputs of these numbers."""
    data, kernel = node.require(0), node.require(weight)
    shift = None if bias is None else node.input(bias)
    groups = int(node.attributes.get("group", 1))
    channels, taken = data.shape[1], kernel.shape[1] * groups
    if channels != taken:
        raise Mismatch(f"takes {taken} input channels, but its input has {channels}")
    spatial = kernel.dim() - 2
    return node.call(
        f"conv{spatial}d",
        (data, kernel),
        {
            "kernel": kernel.shape[2:],
            "stride": read_sizes(node, "strides", spatial),
            "padding": read_padding(node, data.shape[2:], kernel.shape[2:]),
            "dilation": read_sizes(node, "dilations", spatial),
            "groups": groups,
            "bias": shift is not None,
        },
        affine=(shift,),
    )


operator("Conv")(read_convolution)
