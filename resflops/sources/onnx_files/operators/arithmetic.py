"""Arithmetic of two or more tensors.

A number among the operands, which ONNX writes as a constant of one element, is no input of the op: torch's
own traces have none for it either.
"""

from resflops.ops import Call, broadcast
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, Steps, bind, operator
from resflops.sources.onnx_files.tensors import GraphTensor

__all__ = ["drop_numbers", "is_number"]


def is_number(tensor: GraphTensor) -> bool:
    """Tell whether a tensor is a number that is known before the pass."""
    return tensor.static and tensor.is_known and tensor.numel() == 1


def drop_numbers(node: OperatorCall) -> tuple[GraphTensor, ...]:
    """List the operands that are no numbers."""
    return tuple([each for each in node.inputs if each is not None and not is_number(each)])


def bind_two(op: str, *, reflectable: bool = False) -> Read:
    """Make the reader of an operator of two operands.

    Args:
        op: the name of the op.
        reflectable: whether it matters which of the two a number is.
    """

    def read(node: OperatorCall) -> Call:
        reflected = reflectable and is_number(node.require(0))
        return node.call(op, drop_numbers(node), {"reflected": True} if reflected else None)

    return read


bind({
    "Add": bind_two("add"), "Mul": bind_two("mul"),
    "Sub": bind_two("sub", reflectable=True), "Div": bind_two("div", reflectable=True),
})  # fmt: skip


@operator("Mod")
def read_remainder(node: OperatorCall) -> Call:
    """Read a remainder, whose sign is the divisor's or, as in C, the dividend's."""
    return node.call("fmod" if node.attributes.get("fmod", 0) else "remainder", drop_numbers(node))


@operator("Pow")
def read_power(node: OperatorCall) -> Call:
    """Read a power, which a small whole exponent makes products of."""
    exponent = node.require(1)
    attributes: dict[str, Attribute] = {}
    if is_number(exponent) and exponent.value is not None:
        number = exponent.value.item()
        attributes["exponent"] = number if number % 1 else int(number)
    return node.call("pow", drop_numbers(node), attributes)


def fold(op: str, tensors: tuple[GraphTensor, ...], shape: tuple[int, ...]) -> Steps:
    """Apply an op of two operands from the first tensor to the last, and return the last call."""
    left, *others = tensors
    for right in others[:-1]:
        left = yield Call(op, (left, right), broadcast(left.shape, right.shape))
    return Call(op, (left, others[-1]), shape)


def read_fold(op: str) -> Read:
    """Make the reader of an operator that folds any number of tensors into one."""

    def read(node: OperatorCall) -> Call | Steps:
        tensors = node.list_inputs()
        if len(tensors) == 1:
            return node.call("alias")
        if len(tensors) == 2:
            return node.call(op, drop_numbers(node))
        return fold(op, tensors, node.outputs[0].shape)

    return read


bind({"Max": read_fold("maximum"), "Min": read_fold("minimum"), "Sum": read_fold("add")})


@operator("Mean")
def read_mean(node: OperatorCall) -> Call | Steps:
    """Read the mean of several tensors: they are added up, and divided by their number."""
    tensors = node.list_inputs()
    return node.call("alias") if len(tensors) == 1 else _average(node, tensors)


def _average(node: OperatorCall, tensors: tuple[GraphTensor, ...]) -> Steps:
    total = yield (yield from fold("add", tensors, node.outputs[0].shape))
    return node.call("div", (total,))
