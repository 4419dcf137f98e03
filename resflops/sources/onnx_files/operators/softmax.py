"""Softmax and its relatives."""

from math import prod

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, Steps, bind

NEW = 13
"""The opset from which they work along one dimension; until then, all from the axis on are one."""


def _read_rows(op: str) -> Read:
    def read(node: OperatorCall) -> Call | Steps:
        shape = node.require(0).shape
        axis = int(node.attributes.get("axis", -1 if node.version >= NEW else 1))
        if node.version >= NEW or axis % max(len(shape), 1) == len(shape) - 1:
            return node.call(op, attributes={"dim": axis})
        return _flatten(node, op, axis % (len(shape) + 1))

    return read


def _flatten(node: OperatorCall, op: str, axis: int) -> Steps:
    tensor = node.require(0)
    rows = (prod(tensor.shape[:axis]), prod(tensor.shape[axis:]))
    flat = yield Call("reshape", (tensor,), rows)
    result = yield Call(op, (flat,), rows, {"dim": 1})
    return node.call("reshape", (result,))


def _read_hardmax(node: OperatorCall) -> Steps:
    """Read a one for the largest of each row, and zeros: an argmax, and ones put in their places."""
    tensor = node.require(0)
    shape = tensor.shape
    axis = int(node.attributes.get("axis", -1 if node.version >= NEW else 1)) % max(len(shape), 1)
    last = axis + 1 if node.version >= NEW else len(shape)
    left = (*shape[:axis], *shape[last:])
    places = yield Call("argmax", (tensor,), left, {"dim": axis}, "int64")
    return node.call("one_hot", (places,))


bind({
    "Softmax": _read_rows("softmax"), "LogSoftmax": _read_rows("log_softmax"), "Hardmax": _read_hardmax,
})  # fmt: skip
