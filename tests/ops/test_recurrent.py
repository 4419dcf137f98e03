"""Recurrent networks: what their cost depends on, and where torch takes them apart."""

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord

NETWORKS = {
    "lstm": lambda: nn.LSTM(4, 5),
    "lstm, deep": lambda: nn.LSTM(4, 5, 2, bidirectional=True, proj_size=3),
    "lstm, batch first": lambda: nn.LSTM(4, 5, bias=False, batch_first=True),
    "gru": lambda: nn.GRU(4, 5, 2, bidirectional=True),
    "rnn_tanh": lambda: nn.RNN(4, 5),
    "rnn_relu": lambda: nn.RNN(4, 5, nonlinearity="relu"),
}
CELLS = {
    "lstm cell": lambda: nn.LSTMCell(4, 5),
    "gru cell": lambda: nn.GRUCell(4, 5),
    "rnn_tanh cell": lambda: nn.RNNCell(4, 5),
    "rnn_relu cell": lambda: nn.RNNCell(4, 5, nonlinearity="relu"),
}
# On tensors without memory torch takes a network apart into the products and gates of each step.
# "formula" prices layers, which those are not; backward, the input's gradient is then added up at each
# step, and the first step's state, which is zero, has one that nothing needs.
CASES = {
    name: (network(), (2, 4) if "cell" in name else (3, 2, 4))
    for name, network in {**NETWORKS, **CELLS}.items()
}


@pytest.mark.parametrize("name", CASES)
def test_the_forward_pass_costs_the_same_in_every_style(name, style, compare_style):
    apart = {"formula", "macs backward", "flops backward"} if style != "real" else set()
    assert compare_style(style, *CASES[name]) <= apart


class Inferring(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *inputs):
        with torch.inference_mode():
            return self.inner(*inputs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_what_inference_mode_leaves_whole_is_recorded_as_in_eager_mode(name):
    model, image = NETWORKS[name](), torch.ones(3, 2, 4)
    whole = Inferring(torch.jit.trace(model, image))
    eager, scripted = resflops.trace(model, image), resflops.trace(whole, image)
    (expected,) = [op for op in eager.ops if op.op in OPS and OPS[op.op].family == "recurrent"]
    (found,) = [op for op in scripted.ops if op.op == expected.op]
    assert (found.input_shapes, found.attributes) == (expected.input_shapes, expected.attributes)


@pytest.mark.parametrize("op", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
@pytest.mark.parametrize("missing", ["hidden", "layers", "directions", "bias", "dropout"])
def test_a_network_with_an_attribute_missing_has_no_cost(op, missing):
    whole = {"hidden": 1, "layers": 1, "directions": 1, "bias": True, "dropout": False}
    attributes = {name: value for name, value in whole.items() if name != missing}
    shapes = ((3, 2, 4), (4, 4), (4, 1))
    record = OpRecord(op=op, layer="", input_shapes=shapes, output_shapes=((3, 2, 1),), attributes=attributes)
    for ask in (OPS[op].work, OPS[op].factors, lambda record: OPS[op].gradient.work(record, (0,))):
        with pytest.raises(MissingAttributeError, match=missing):
            ask(record)


@pytest.mark.parametrize(
    ("sequences", "rows"), [((9, 2, 3), (9, 2)), ((9, 1, 3), (9,)), ((1, 1, 3), (1,)), ((9, 3), (9,))]
)
def test_factors_are_the_elements_of_the_sequences_and_of_the_matrices(sequences, rows, record):
    given = record(
        "lstm", [sequences, (20, 3), (20, 5)], (), hidden=5, layers=1, directions=1, bias=True, dropout=False
    )
    assert OPS["lstm"].factors(given) == (rows, (20 * 3 + 20 * 5,))


@pytest.mark.parametrize(
    ("mode", "op", "gates"), [(0, "rnn_relu", 1), (1, "rnn_tanh", 1), (2, "lstm", 4), (3, "gru", 3)]
)
@pytest.mark.parametrize("bias", [True, False])
def test_cudnn_numbers_its_networks_and_shows_biases_by_their_number(mode, op, gates, bias):
    weights = [torch.zeros(gates * 5, 4), torch.zeros(gates * 5, 5)] + [torch.zeros(gates * 5)] * 2 * bias
    call = OPS["lstm"].aten["_cudnn_rnn"](
        {"mode": mode, "input": torch.zeros(3, 2, 4), "hx": torch.zeros(1, 2, 5), "weight": weights,
         "num_layers": 1, "dropout": 0.5, "train": True, "bidirectional": False}
    )  # fmt: skip
    assert (call.op, call.attributes["bias"], call.attributes["dropout"]) == (op, bias, True)


@pytest.mark.parametrize(("layers", "directions", "dropped"), [(1, 1, 0), (2, 1, 30), (3, 2, 120)])
def test_dropout_between_layers_compares_and_scales_each_element_once(layers, directions, dropped, record):
    works = [
        OPS["gru"].work(record("gru", [(3, 2, 4), (15, 4), (15, 5)], (), hidden=5, layers=layers,
                               directions=directions, bias=True, dropout=dropout))
        for dropout in (False, True)
    ]  # fmt: skip
    assert works[1].arithmetic - works[0].arithmetic == dropped
    assert works[1].comparisons - works[0].comparisons == dropped
    assert works[1].macs == works[0].macs
