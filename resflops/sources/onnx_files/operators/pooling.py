"""Pooling: maxima, means and norms of windows."""

from resflops.ops import Call
from resflops.records import Attribute, Shape
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, bind
from resflops.sources.onnx_files.operators._windows import read_pads, read_sizes

MOST_DIMENSIONS = 3
"""The most dimensions of an image that an op of torch's pools."""


def _read_windows(op: str) -> Read:
    def read(node: OperatorCall) -> Call | None:
        kernel = tuple(node.attributes["kernel_shape"])
        spatial = len(kernel)
        if spatial > MOST_DIMENSIONS:
            return None
        window, padding = _limit_window(node, kernel)
        attributes: dict[str, Attribute] = {
            "kernel": window,
            "stride": read_sizes(node, "strides", spatial),
            "padding": padding,
        }
        if op == "max_pool":
            attributes["dilation"] = read_sizes(node, "dilations", spatial)
        return node.call(f"{op}{spatial}d", attributes=attributes)

    return read


def _limit_window(node: OperatorCall, kernel: Shape) -> tuple[Shape, Shape]:
    """Give the window and the padding at both ends, by which the ops count the elements of a window.

    Where one end has more padding than the other, what both have is given; unless the window is larger than
    the image with that.
    """
    image = node.require(0).shape[2:]
    window, padding = list(kernel), []
    for place, (n, pads) in enumerate(zip(image, read_pads(node, image, kernel), strict=True)):
        both = min(pads)
        if window[place] > n + 2 * both:
            window[place], both = min(window[place], n + sum(pads)), max(pads)
        padding.append(both)
    return tuple(window), tuple(padding)


def _read_whole(op: str, fold: str) -> Read:
    """Make the reader of a pooling of the whole image, which is a fold where torch has no such pooling."""

    def read(node: OperatorCall) -> Call:
        spatial = node.require(0).dim() - 2
        return node.call(f"{op}{spatial}d" if 1 <= spatial <= MOST_DIMENSIONS else fold)

    return read


def _read_whole_norm(node: OperatorCall) -> Call:
    return node.call("norm", attributes={"ord": int(node.attributes.get("p", 2))})


def _read_unpool(node: OperatorCall) -> Call | None:
    spatial = node.require(0).dim() - 2
    inputs = (node.require(0), node.require(1))
    return node.call(f"max_unpool{spatial}d", inputs) if 1 <= spatial <= MOST_DIMENSIONS else None


bind({
    "MaxPool": _read_windows("max_pool"), "AveragePool": _read_windows("avg_pool"),
    "LpPool": _read_windows("lp_pool"),
    "GlobalAveragePool": _read_whole("adaptive_avg_pool", "mean"),
    "GlobalMaxPool": _read_whole("adaptive_max_pool", "amax"), "GlobalLpPool": _read_whole_norm,
    "MaxUnpool": _read_unpool,
})  # fmt: skip
