"""Convolutions."""

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator
from resflops.sources.onnx_files.operators._windows import read_padding, read_sizes

FLAT = 4
"""The dimensions of a batch of images."""


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


@operator("ConvTranspose")
def read_transposed(node: OperatorCall) -> Call:
    """Read a transposed convolution: whatever output is cut off, every point of its input meets every tap."""
    data, kernel, shift = node.require(0), node.require(1), node.input(2)
    if data.shape[1] != kernel.shape[0]:
        raise Mismatch(f"takes {kernel.shape[0]} input channels, but its input has {data.shape[1]}")
    spatial = kernel.dim() - 2
    pads = node.attributes.get("pads") or (0,) * (2 * spatial)
    return node.call(
        f"conv_transpose{spatial}d",
        (data, kernel),
        {
            "kernel": kernel.shape[2:],
            "stride": read_sizes(node, "strides", spatial),
            "padding": tuple([min(pads[place], pads[place + spatial]) for place in range(spatial)]),
            "dilation": read_sizes(node, "dilations", spatial),
            "groups": int(node.attributes.get("group", 1)),
            "bias": shift is not None,
        },
        affine=(shift,),
    )


@operator("DeformConv")
def read_deformed(node: OperatorCall) -> Call | None:
    """Read a convolution of an image whose taps are displaced."""
    image, kernel, shift, mask = node.require(0), node.require(1), node.input(3), node.input(4)
    if not image.dim() == kernel.dim() == FLAT:
        return None
    return node.call(
        "deform_conv2d",
        (image, kernel, node.require(2)),
        {
            "mask": mask is not None,
            "bias": shift is not None,
            "groups": int(node.attributes.get("group", 1)),
        },
        affine=(shift,),
    )
