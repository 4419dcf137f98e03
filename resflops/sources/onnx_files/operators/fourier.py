"""Fourier transforms and the windows of signals."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, bind, operator

AXIS_INPUT = 20
"""The opset from which the axis of a transform is an input; before, it is an attribute."""

# Their size is what counts, and the value that gives it is not among the inputs of an op.
bind(
    {"BlackmanWindow": "blackman_window", "HammingWindow": "hamming_window", "HannWindow": "hann_window"},
    inputs=0,
)


@operator("DFT")
def read_transform(node: OperatorCall) -> Call | Steps | None:
    """Read a transform along one axis; the last dimension is the parts of a number: one if it is real."""
    signal = node.require(0)
    *sizes, parts = signal.shape
    axis = _find_axis(node)
    if axis is None:
        return None
    axis %= signal.dim()
    points = sizes[axis]
    halved = bool(node.attributes.get("onesided", 0))
    back = halved and bool(node.attributes.get("inverse", 0))
    # Of one half of a spectrum, what comes out says how long the whole is.
    length = node.outputs[0].shape[axis] if back else _find_length(node, points)
    if length is None:
        return None
    op = "irfft" if back else "rfft" if parts == 1 else "fft"
    if back or length == points:
        return node.call(op, (signal.view(*sizes),), {"dim": (axis,)})
    return _fit(node, op, axis, length)


def _fit(node: OperatorCall, op: str, axis: int, length: int) -> Steps:
    """Pad or cut a signal to the length of the transform first."""
    signal = node.require(0)
    *sizes, parts = signal.shape
    kind = "pad" if length > sizes[axis] else "getitem"
    sizes[axis] = length
    attributes = {"mode": "constant"} if kind == "pad" else {}
    fitted = yield Call(kind, (signal,), (*sizes, parts), dict(attributes))
    return node.call(op, (fitted.view(*sizes),), {"dim": (axis,)})


def _find_axis(node: OperatorCall) -> int | None:
    if node.version < AXIS_INPUT:
        return int(node.attributes.get("axis", 1))
    given = node.input(2)
    if given is None:
        return -2
    return None if given.value is None else int(given.value)


def _find_length(node: OperatorCall, points: int) -> int | None:
    given = node.input(1)
    if given is None:
        return points
    return None if given.value is None else int(given.value)


@operator("STFT")
def read_short_transforms(node: OperatorCall) -> Steps | None:
    """Read the transforms of pieces of signals, each piece times a window if there is one."""
    signal, window, given = node.require(0), node.input(2), node.input(3)
    length = window.shape[0] if window is not None else None
    if given is not None:
        length = None if given.value is None else int(given.value)
    return (
        None
        if length is None
        else _transform_pieces(node, length, real=signal.dim() == 2 or signal.shape[-1] == 1)
    )


def _transform_pieces(node: OperatorCall, length: int, *, real: bool) -> Steps:
    signal, window = node.require(0), node.input(2)
    batch, pieces = node.outputs[0].shape[:2]
    cut = yield Call("unfold", (signal,), (batch, pieces, length, *(() if real else (2,))))
    if window is not None:
        cut = yield Call("mul", (cut, window), cut.shape)
    return node.call("rfft" if real else "fft", (cut.view(batch, pieces, length),), {"dim": (2,)})


@operator("com.microsoft.Rfft", "com.microsoft.Irfft")
def read_plain_transform(node: OperatorCall) -> Call:
    """Read a transform along the last dimension of real numbers, or back to these from their pairs."""
    signal = node.require(0)
    if node.op_type.endswith("Irfft"):
        return node.call("irfft", (signal.view(*signal.shape[:-1]),), {"dim": (-1,)})
    return node.call("rfft", (signal,), {"dim": (-1,)})
