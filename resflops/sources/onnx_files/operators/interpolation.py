"""Interpolation: images resized, or read between their pixels."""

from math import prod

from resflops.ops import Call
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, operator

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""The mode by how many dimensions are resized."""

SAMPLING = {"linear": "bilinear", "cubic": "bicubic"}
"""The modes of sampling to which torch gives another name; ONNX had its names before opset 20."""


@operator("Resize", "Upsample")
def read_resized(node: OperatorCall) -> Call | None:
    """Read an image that is resized; None for a mode and number of dimensions without a rule."""
    image, out = node.require(0), node.outputs[0]
    how = node.attributes.get("mode", "nearest")
    outside = image.shape[:2] != out.shape[:2]
    changed = sum(before != after for before, after in zip(image.shape, out.shape, strict=True))
    # Where batch and channels stay, torch makes each output of neighbours along all other dimensions.
    resized = changed if outside or image.dim() < 3 else image.dim() - 2
    mode = "nearest" if how == "nearest" else LINEAR.get(resized) if how == "linear" else None
    if how == "cubic" and resized == 2:
        mode = "bicubic"
    attributes: dict[str, Attribute] = {}
    if node.attributes.get("antialias", 0) and mode != "nearest":
        if outside or resized != 2 or mode is None:
            return None
        attributes["antialias"] = True
    if mode is None:
        return None
    attributes["mode"] = mode
    return node.call("interpolate", (image,), attributes | _read_request(node))


def _read_request(node: OperatorCall) -> dict[str, Attribute]:
    """Read what was asked for, as torch's own records have it: sizes, or factors that give no whole sizes."""
    image, out = node.require(0).shape, node.outputs[0].shape
    if node.input(3) is not None:
        return {"size": out[2:]}
    given = node.input(1 if len(node.inputs) < 3 else 2)
    factors = node.attributes.get("scales")
    if given is not None and given.value is not None:
        factors = given.value.tolist()
    if not factors or len(factors) != len(image):
        return {}
    scale = float(prod(factors[2:]))
    return {"scale": scale} if scale * prod(image[2:]) != prod(out[2:]) else {}


@operator("GridSample")
def read_grid_sample(node: OperatorCall) -> Call | None:
    """Read an image that is read between its pixels; None for cubic sampling of more than two dimensions."""
    how = node.attributes.get("mode", "bilinear")
    mode = SAMPLING.get(how, how)
    if mode == "bicubic" and node.require(0).dim() != 4:
        return None
    return node.call("grid_sample", attributes={"mode": mode})


@operator("AffineGrid")
def read_affine_grid(node: OperatorCall) -> Call:
    """Read the points of a grid under an affine map."""
    return node.call("affine_grid_generator", (node.require(0),))


@operator("RoiAlign")
def read_region_samples(node: OperatorCall) -> Call | None:
    """Read means of samples inside boxes.

    None for maxima, and where the sizes of the boxes decide how many samples there are.
    """
    ratio = int(node.attributes.get("sampling_ratio", 0))
    if ratio < 1 or node.attributes.get("mode", "avg") != "avg":
        return None
    inputs = (node.require(0), node.require(1))
    return node.call("torchvision.roi_align", inputs, {"sampling_ratio": ratio})
