"""Running sums and products."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, bind


def _read_running(op: str) -> Read:
    def read(node: OperatorCall) -> Call:
        axis = node.require(1).value
        return node.call(op, (node.require(0),), {} if axis is None else {"dim": int(axis.item())})

    return read


bind({"CumSum": _read_running("cumsum"), "CumProd": _read_running("cumprod")})
