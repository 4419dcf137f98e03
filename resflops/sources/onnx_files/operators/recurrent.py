"""Recurrent networks: one layer, all its directions and steps."""

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, Read, Steps, bind
from resflops.sources.onnx_files.tensors import GraphTensor

_INPUT, _WEIGHTS, _STATE_WEIGHTS, _BIASES, _PEEPHOLES = 0, 1, 2, 3, 7

_USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
"""The activations of each network that has no others."""

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def read_network(network: str, *, quantised: bool = False) -> Read:
    """Make the reader of a recurrent network.

    Sequences count in their full length, whichever lengths are given beside them. Whether the reset gate of a
    GRU comes before the product of the state or after it is one multiplication either way.

    Args:
        network: LSTM, GRU or RNN.
        quantised: whether its weights are integers, whose features then come before the gates.
    """

    def read(node: OperatorCall) -> Call | Steps | None:
        op = _name_op(network, node)
        if op is None:
            return None
        matrices = _list_matrices(node, transposed=quantised)
        sequences, hidden = node.require(_INPUT), matrices[1].shape[1]
        if matrices[0].shape != (_GATES[network] * hidden, sequences.shape[-1]):
            raise Mismatch(
                f"takes {matrices[0].shape[1]} input features, but its input has {sequences.shape[-1]}"
            )
        call = node.call(
            op,
            (sequences, *matrices),
            {
                "hidden": hidden,
                "layers": 1,
                "directions": len(matrices) // 2,
                "bias": node.input(_BIASES) is not None,
                "dropout": False,
                **({"quantised": True} if quantised else {}),
            },
        )
        if network == "LSTM" and (peepholes := node.input(_PEEPHOLES)) is not None:
            return _look_at_cells(peepholes, call)
        return call

    return read


def _name_op(network: str, node: OperatorCall) -> str | None:
    """Name the op of a network; None if it limits its values, joins two gates or has unusual activations."""
    if node.attributes.get("clip") or node.attributes.get("input_forget"):
        return None
    given = [name.lower() for name in node.attributes.get("activations", ())]
    usual = _USUAL[network]
    if network == "RNN" and set(given) == {"relu"}:
        return "rnn_relu"
    if any(name != usual[place % len(usual)] for place, name in enumerate(given)):
        return None
    return "rnn_tanh" if network == "RNN" else network.lower()


def _list_matrices(node: OperatorCall, *, transposed: bool) -> list[GraphTensor]:
    """List the weights of each direction: of the input, (gates, features), and of the state."""
    weights, state_weights = node.require(_WEIGHTS), node.require(_STATE_WEIGHTS)
    if weights.dim() != 3 or state_weights.dim() != 3:
        raise Mismatch("its weights have a dimension for the directions and two for each of them")
    matrices = []
    for _ in range(weights.shape[0]):
        for each in (weights, state_weights):
            _, *matrix = each.shape
            matrices.append(each.view(*(reversed(matrix) if transposed else matrix)))
    return matrices


def _look_at_cells(peepholes: GraphTensor, call: Call) -> Steps:
    """Read gates that see the state of their cell: for each of three a product and a sum per element."""
    elements = (*call.inputs[0].shape[:-1], call.attributes["directions"], peepholes.shape[-1])
    products = yield Call("mul", (peepholes,), elements)
    yield Call("add", (products,), elements)
    return call


bind({network: read_network(network) for network in _GATES})
