"""Normalisations."""

from math import prod

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, operator
from resflops.sources.onnx_files.tensors import GraphTensor

TRAINING_ATTRIBUTE = 14
"""The opset from which an attribute says that a batch normalisation trains; until then further outputs do."""


@operator("BatchNormalization")
def read_batch_norm(node: OperatorCall) -> Call:
    """Read a batch normalisation, by statistics of its own in training."""
    new = node.version >= TRAINING_ATTRIBUTE
    training = bool(node.attributes.get("training_mode", 0)) if new else len(node.outputs) > 1
    weight, bias = _drop_units(node)
    return node.call(
        "batch_norm",
        (node.require(0),),
        {"training": training, "weight": weight is not None, "bias": bias is not None},
        affine=(weight, bias),
    )


@operator("InstanceNormalization")
def read_instance_norm(node: OperatorCall) -> Call:
    """Read a normalisation of each channel of each sample."""
    return _normalise_groups(node, "instance_norm", prod(node.require(0).shape[:2]))


@operator("GroupNormalization")
def read_group_norm(node: OperatorCall) -> Call:
    """Read a normalisation of groups of channels."""
    (samples, channels), groups = node.require(0).shape[:2], int(node.attributes["num_groups"])
    if groups < 1 or channels % groups:
        raise Mismatch(f"has {groups} groups, which do not divide the {channels} channels of its input")
    return _normalise_groups(node, "group_norm", samples * groups)


@operator("LayerNormalization")
def read_layer_norm(node: OperatorCall) -> Call:
    """Read a normalisation over the last dimensions."""
    return _normalise_groups(node, "layer_norm", _count_rows(node))


@operator("RMSNormalization")
def read_rms_norm(node: OperatorCall) -> Call:
    """Read a scaling by the root of the mean square over the last dimensions."""
    return _normalise_groups(node, "rms_norm", _count_rows(node))


@operator("MeanVarianceNormalization")
def read_mean_variance(node: OperatorCall) -> Call:
    """Read a normalisation over any dimensions, without weights."""
    shape = node.require(0).shape
    axes = {axis % len(shape) for axis in node.attributes.get("axes", (0, 2, 3))}
    groups = prod([size for place, size in enumerate(shape) if place not in axes])
    return node.call("group_norm", attributes={"groups": groups, "weight": False, "bias": False})


@operator("LRN")
def read_local_response_norm(node: OperatorCall) -> Call:
    """Read a normalisation over neighbouring channels."""
    if (size := int(node.attributes["size"])) < 1:
        raise Mismatch(f"has a window of {size} channels")
    return node.call("local_response_norm", attributes={"size": size})


@operator("LpNormalization")
def read_unit_vectors(node: OperatorCall) -> Steps:
    """Read vectors over their norms."""
    vectors = node.require(0)
    lengths = list(vectors.shape)
    lengths[int(node.attributes.get("axis", -1))] = 1
    norms = yield Call("norm", (vectors,), tuple(lengths), {"ord": int(node.attributes.get("p", 2))})
    return node.call("div", (vectors, norms))


def _count_rows(node: OperatorCall) -> int:
    shape = node.require(0).shape
    return prod(shape[: int(node.attributes.get("axis", -1)) % len(shape)])


def _normalise_groups(node: OperatorCall, op: str, groups: int) -> Call:
    weight, bias = _drop_units(node)
    return node.call(
        op,
        (node.require(0),),
        {"groups": groups, "weight": weight is not None, "bias": bias is not None},
        affine=(weight, bias),
    )


def _drop_units(node: OperatorCall) -> tuple[GraphTensor | None, GraphTensor | None]:
    """Give the weight and the bias; none if it is a constant of ones or zeros, as an exporter adds them."""
    weight, bias = node.input(1), node.input(2)
    return (
        None if weight is None or _is_filled(weight, 1) else weight,
        None if bias is None or _is_filled(bias, 0) else bias,
    )


def _is_filled(tensor: GraphTensor, number: int) -> bool:
    return tensor.static and tensor.value is not None and bool((tensor.value == number).all())
