"""Copies: tensors joined, padded, repeated, rearranged, converted."""

from resflops.ops import Call
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator

bind(
    {
        "Cast": "to", "CastLike": "to", "CenterCropPad": "constant_pad_nd", "DepthToSpace": "pixel_shuffle",
        "ReverseSequence": "flip", "SpaceToDepth": "pixel_unshuffle", "Tile": "repeat",
    },
    inputs=1,
)  # fmt: skip

MODES = {"edge": "replicate", "wrap": "circular"}
"""The modes of padding to which torch gives another name."""


bind({"ConcatFromSequence": "cat"})


@operator("Concat", free="cat")
def read_joined(node: OperatorCall) -> Call:
    """Read joined tensors."""
    return node.call("cat", attributes={"dim": int(node.attributes.get("axis", 1))})


@operator("Pad", free="pad")
def read_padding(node: OperatorCall) -> Call:
    """Read a padding."""
    mode = node.attributes.get("mode", "constant")
    attributes: dict[str, Attribute] = {"mode": MODES.get(mode, mode)}
    return node.call("pad", (node.require(0),), attributes)


@operator("Trilu", free="triu")
def read_triangle(node: OperatorCall) -> Call:
    """Read one half of a matrix."""
    return node.call("triu" if node.attributes.get("upper", 1) else "tril", (node.require(0),))
