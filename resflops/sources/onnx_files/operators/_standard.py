"""Operators that are one of ONNX's own on some of their inputs."""

from collections.abc import Iterator, Mapping
from typing import Any

from resflops.ops import Call
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OPERATORS, OperatorCall, Read, Steps
from resflops.sources.onnx_files.tensors import GraphTensor

__all__ = ["activate", "finish", "read_as", "read_channels_last", "read_some"]

VERSION = 17
"""The opset by which an operator of another domain is read as one of ONNX's own."""

ACTIVATIONS = {
    "Clip": "clamp", "Elu": "elu", "Gelu": "gelu", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish",
    "LeakyRelu": "leaky_relu", "Relu": "relu", "Selu": "selu", "Sigmoid": "sigmoid", "Softplus": "softplus",
    "Softsign": "softsign", "Tanh": "tanh",
}  # fmt: skip
"""The functions that are fused to other operators, as ops."""


def read_as(
    node: OperatorCall,
    operator: str,
    inputs: tuple[GraphTensor | None, ...],
    attributes: Mapping[str, Any] | None = None,
    outputs: tuple[GraphTensor, ...] = (),
    version: int = VERSION,
) -> Call | Steps | None:
    """Read a node as one of another operator.

    Args:
        node: the node.
        operator: the other operator, of ONNX's own.
        inputs: what that takes.
        attributes: those that it has, if not the node's own.
        outputs: what it gives, if not what the node gives.
        version: the opset that it is of.
    """
    return OPERATORS[operator].read(
        OperatorCall(
            op_type=operator,
            version=version,
            inputs=inputs,
            outputs=outputs or node.outputs,
            attributes=dict(node.attributes if attributes is None else attributes),
        )
    )


def read_some(operator: str, *places: int) -> Read:
    """Make the reader of an operator that is another one on these of its inputs."""

    def read(node: OperatorCall) -> Call | Steps | None:
        return read_as(node, operator, tuple([node.input(place) for place in places]))

    return read


def read_channels_last(operator: str, *places: int, always: bool) -> Read:
    """Make the reader of an operator on images whose channels come last, always or if it says so."""

    def read(node: OperatorCall) -> Call | Steps | None:
        inputs = tuple([node.input(place) for place in places])
        if not always and not node.attributes.get("channels_last", 0):
            return read_as(node, operator, inputs)
        image, result = node.require(places[0]), node.outputs[0]
        first = image.view(*_move_channels(image))
        described = read_as(
            node, operator, (first, *inputs[1:]), outputs=(result.view(*_move_channels(result)),)
        )
        return None if described is None else _permute(node, image, described)

    return read


def _move_channels(image: GraphTensor) -> tuple[int, ...]:
    batch, *spatial, channels = image.shape
    return (batch, channels, *spatial)


def _permute(node: OperatorCall, image: GraphTensor, described: Call | Steps) -> Steps:
    yield Call("permute", (image,), _move_channels(image))
    result = yield (yield from finish(described))
    return node.call("permute", (result,))


def finish(described: Call | Steps) -> Steps:
    """Give a call as steps, of which it is the last, or the steps themselves."""
    if isinstance(described, Iterator):
        return (yield from described)
    return described


def activate(
    node: OperatorCall, described: Call | Steps | None, added: GraphTensor | None = None
) -> Call | Steps | None:
    """Read a function of what is described, to which a tensor may be added first.

    Args:
        node: the node, with the function's name as an attribute.
        described: what comes before.
        added: the tensor.
    """
    function = node.attributes.get("activation", "") or "Identity"
    if described is None or function not in {*ACTIVATIONS, "Identity"}:
        return None
    if function == "Identity" and added is None:
        return described
    return _activate(node, described, added, function)


def _activate(node: OperatorCall, described: Call | Steps, added: GraphTensor | None, function: str) -> Steps:
    result = yield (yield from finish(described))
    if added is not None:
        call = node.call("add", (result, added))
        if function == "Identity":
            return call
        result = yield call
    attributes: dict[str, Attribute] = {}
    if function == "Clip":
        attributes.update(zip(("min", "max"), node.attributes.get("activation_params", ()), strict=False))
    return node.call(ACTIVATIONS[function], (result,), attributes)
