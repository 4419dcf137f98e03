"""The windows that convolutions and poolings slide over an image."""

from resflops.records import Shape
from resflops.sources.onnx_files.operators._binding import OperatorCall

__all__ = ["read_padding", "read_pads", "read_sizes"]


def read_sizes(node: OperatorCall, name: str, spatial: int) -> Shape:
    """Read an attribute that has a number for each dimension, by default 1."""
    return tuple(node.attributes.get(name) or (1,) * spatial)


def read_pads(node: OperatorCall, image: Shape, kernel: Shape) -> tuple[tuple[int, int], ...]:
    """Read what is added before and after each dimension.

    ONNX gives all beginnings before all ends; or it asks for as many outputs as the strides divide the image
    into, and where an odd number is added then, ``auto_pad`` says at which end there is one more.

    Args:
        node: the node.
        image: the sizes of the image, without batch and channels.
        kernel: the sizes of a window.
    """
    spatial, how = len(kernel), node.attributes.get("auto_pad", "NOTSET")
    if how == "VALID":
        return ((0, 0),) * spatial
    if not how.startswith("SAME"):
        pads = node.attributes.get("pads") or (0,) * (2 * spatial)
        return tuple(zip(pads[:spatial], pads[spatial:], strict=True))
    strides, dilations = read_sizes(node, "strides", spatial), read_sizes(node, "dilations", spatial)
    found = []
    for n, k, s, d in zip(image, kernel, strides, dilations, strict=True):
        added = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        found.append((added // 2, -(-added // 2)) if how == "SAME_UPPER" else (-(-added // 2), added // 2))
    return tuple(found)


def read_padding(node: OperatorCall, image: Shape, kernel: Shape) -> Shape:
    """Read the padding that each dimension has on both sides."""
    return tuple([min(pad) for pad in read_pads(node, image, kernel)])
