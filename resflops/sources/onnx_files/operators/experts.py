"""Mixtures of experts: each row goes through some of several networks of two or three products."""

from msgspec import Struct

from resflops.ops import Call, Mismatch
from resflops.records import Attribute
from resflops.sources.onnx_files.operators._binding import OperatorCall, Part, Read, Steps, bind
from resflops.sources.onnx_files.tensors import GraphTensor

ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "silu": "silu", "swiglu": "silu"}


BYTES = ("int8", "uint8")
"""The element types of weights that are packed."""


class Layout(Struct, frozen=True):
    """Which inputs the weights and the biases of the three products are."""

    weights: tuple[int, int, int]
    biases: tuple[int, int, int]


def _make_reader(layout: Layout) -> Read:
    def read(node: OperatorCall) -> Steps | None:
        return _run(node, layout) if node.attributes.get("activation_type", "relu") in ACTIVATIONS else None

    return read


def _run(node: OperatorCall, layout: Layout) -> Steps:
    """Choose the experts of each row, run them, and add up what they give by their shares."""
    tokens, scores = node.require(0), node.require(1)
    width, chosen = tokens.shape[-1], int(node.attributes.get("k", 1))
    rows = scores.shape[0] * chosen
    yield Call("softmax", (scores,), scores.shape, {"dim": -1})
    shares = yield Call("topk", (scores,), (scores.shape[0], chosen), {"dim": -1, "k": chosen})
    stream = yield Call("index_select", (tokens,), (rows, width))
    hidden = yield from _multiply(node, layout, 0, stream)
    hidden = yield from _activate(node, layout, stream, hidden)
    result = yield from _multiply(node, layout, 1, hidden)
    result = yield Call("mul", (result, shares), result.shape)
    return node.call("sum", (result.view(scores.shape[0], chosen, width),))


def _activate(node: OperatorCall, layout: Layout, stream: GraphTensor, hidden: GraphTensor) -> Part:
    """Apply the function between the products, times a third one or half of the first if it has a gate."""
    kind = node.attributes.get("activation_type", "relu")
    if kind == "swiglu" and node.attributes.get("swiglu_fusion", 0):
        half = (hidden.shape[0], hidden.shape[1] // 2)
        gate = yield Call("getitem", (hidden,), half)
        value = yield Call("getitem", (hidden,), half)
    elif node.input(layout.weights[2]) is not None:
        gate, value = hidden, (yield from _multiply(node, layout, 2, stream))
    elif kind == "swiglu":
        raise Mismatch("has no third weight, by which its gates are multiplied")
    else:
        return (yield Call(ACTIVATIONS[kind], (hidden,), hidden.shape))
    gated = yield from _gate(node, gate)
    if kind == "swiglu":
        if (limit := node.attributes.get("swiglu_limit")) is not None:
            value = yield Call("clamp", (value,), value.shape, {"min": -limit, "max": limit})
        if node.attributes.get("activation_beta", 0.0):
            value = yield Call("add", (value,), value.shape)
    return (yield Call("mul", (gated, value), value.shape))


def _gate(node: OperatorCall, gate: GraphTensor) -> Part:
    """Apply ``x·σ(αx)``, whose factor is 1 if none is given, or another function."""
    kind = node.attributes.get("activation_type", "relu")
    if kind == "swiglu" and (limit := node.attributes.get("swiglu_limit")) is not None:
        gate = yield Call("clamp", (gate,), gate.shape, {"min": None, "max": limit})
    if kind != "swiglu" or node.attributes.get("activation_alpha", 1.0) == 1.0:
        return (yield Call(ACTIVATIONS[kind], (gate,), gate.shape))
    scaled = yield Call("mul", (gate,), gate.shape)
    share = yield Call("sigmoid", (scaled,), gate.shape)
    return (yield Call("mul", (gate, share), gate.shape))


def _multiply(node: OperatorCall, layout: Layout, place: int, rows: GraphTensor) -> Part:
    """Multiply each row by the matrix of its expert: of (experts, columns, features)."""
    weight, bias = node.require(layout.weights[place]), node.input(layout.biases[place])
    experts, columns, features = weight.shape
    packed = weight.dtype in BYTES
    if packed:
        features *= 8 // _count_bits(node, place)
    if features != rows.shape[1]:
        raise Mismatch(f"takes {features} features, but its input has {rows.shape[1]}")
    attributes: dict[str, Attribute] = {"quantised": True} if packed else {}
    shape = (rows.shape[0], columns)
    result = yield Call("_grouped_mm", (rows, weight.view(experts, features, columns)), shape, attributes)
    return result if bias is None else (yield Call("add", (result, bias), shape))


def _count_bits(node: OperatorCall, place: int) -> int:
    bits = node.attributes.get("expert_weight_bits", 4)
    return int(node.attributes.get(f"fc{place + 1}_expert_weight_bits", bits))


bind({
    "com.microsoft.MoE": _make_reader(Layout((2, 4, 6), (3, 5, 7))),
    "com.microsoft.QMoE": _make_reader(Layout((2, 5, 8), (4, 7, 10))),
})  # fmt: skip
