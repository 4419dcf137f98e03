"""Comparisons, limits, logic, and operations on bits."""

from resflops.ops import Call
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator
from resflops.sources.onnx_files.operators.arithmetic import bind_two, drop_numbers, is_number
from resflops.sources.onnx_files.tensors import GraphTensor

bind({
    "And": bind_two("logical_and"), "BitwiseAnd": bind_two("bitwise_and"),
    "BitwiseNot": "bitwise_not", "BitwiseOr": bind_two("bitwise_or"), "BitwiseXor": bind_two("bitwise_xor"),
    "Equal": bind_two("eq"), "Greater": bind_two("gt"), "GreaterOrEqual": bind_two("ge"),
    "Less": bind_two("lt"), "LessOrEqual": bind_two("le"), "Not": "logical_not",
    "Or": bind_two("logical_or"), "Xor": bind_two("logical_xor"),
})  # fmt: skip


@operator("BitShift")
def read_shift(node: OperatorCall) -> Call:
    """Read a shift of bits to the left or the right."""
    left = node.attributes["direction"] == "LEFT"
    return node.call("bitwise_left_shift" if left else "bitwise_right_shift", drop_numbers(node))


@operator("Clip")
def read_clip(node: OperatorCall) -> Call:
    """Read limits, which were attributes before opset 11; one that is computed in the pass is an input."""
    attributes: dict[str, Attribute] = {}
    inputs = [node.require(0)]
    for place, name in enumerate(("min", "max"), 1):
        limit = node.input(place)
        if limit is None:
            attributes[name] = node.attributes.get(name)
        elif (number := _read_number(limit)) is not None:
            attributes[name] = number
        else:
            inputs.append(limit)
    return node.call("clamp", tuple(inputs), attributes)


def _read_number(tensor: GraphTensor) -> bool | int | float | None:
    if not is_number(tensor) or tensor.value is None:
        return None
    number: bool | int | float = tensor.value.item()
    return number
