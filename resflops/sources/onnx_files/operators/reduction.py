"""Reductions, which fold dimensions."""

from resflops.ops import Call
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, Steps, bind
from resflops.sources.onnx_files.tensors import GraphTensor


def read_axes(node: OperatorCall) -> tuple[int, ...] | None:
    """Read the dimensions that are folded, an attribute in older opsets; None if all are or if not known."""
    axes = node.attributes.get("axes")
    given = node.input(1)
    if axes is None and given is not None and given.value is not None:
        axes = given.value.tolist()
    return tuple(axes) if axes else None


def _folds_nothing(node: OperatorCall) -> bool:
    given = node.input(1)
    empty = given is None or 0 in given.shape
    return bool(node.attributes.get("noop_with_empty_axes", 0)) and empty


def _read_fold(op: str, attributes: dict[str, Attribute] | None = None, *, dim: bool = False) -> Read:
    """Make the reader of a fold.

    Args:
        op: the name of the op.
        attributes: its attributes.
        dim: whether it has the folded dimensions as an attribute.
    """

    def read(node: OperatorCall) -> Call:
        named = {**(attributes or {}), **({"dim": read_axes(node)} if dim else {})}
        if attributes is None and _folds_nothing(node):
            return node.call("alias", (node.require(0),))
        return node.call(op, (node.require(0),), named)

    return read


def _read_log_sum(node: OperatorCall) -> Steps:
    tensor = node.require(0)
    total = tensor if _folds_nothing(node) else (yield Call("sum", (tensor,), node.outputs[0].shape))
    return node.call("log", (total,))


def _read_square_sum(node: OperatorCall) -> Steps:
    tensor: GraphTensor = node.require(0)
    squares = yield Call("square", (tensor,), tensor.shape)
    return node.call("alias" if _folds_nothing(node) else "sum", (squares,))


def _read_place(op: str) -> Read:
    def read(node: OperatorCall) -> Call:
        return node.call(op, attributes={"dim": int(node.attributes.get("axis", 0))})

    return read


bind({
    "ReduceSum": _read_fold("sum"), "ReduceMean": _read_fold("mean"), "ReduceProd": _read_fold("prod"),
    "ReduceMax": _read_fold("amax", dim=True), "ReduceMin": _read_fold("amin", dim=True),
    "ReduceL1": _read_fold("norm", {"ord": 1}), "ReduceL2": _read_fold("norm", {"ord": 2}),
    "ReduceLogSumExp": _read_fold("logsumexp", dim=True),
    "ReduceLogSum": _read_log_sum, "ReduceSumSquare": _read_square_sum,
    "ArgMax": _read_place("argmax"), "ArgMin": _read_place("argmin"),
})  # fmt: skip
