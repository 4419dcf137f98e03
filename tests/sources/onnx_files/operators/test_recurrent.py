"""Recurrent networks of ONNX, against those of torch that they were exported from."""

import io

import numpy as np
import pytest
import torch
from torch import nn

import resflops
from resflops.sources.onnx_files import Given, read_trace

onnx = pytest.importorskip("onnx")


def export(net, *shape):
    file = io.BytesIO()
    torch.onnx.export(net.eval(), (torch.zeros(shape),), file, dynamo=False)
    return onnx.load_model_from_string(file.getvalue())


def read(model):
    return read_trace(model, "net.onnx", Given())


NETWORKS = [
    pytest.param(nn.LSTM(6, 5), (7, 2, 6), id="lstm"),
    pytest.param(nn.LSTM(6, 5, bias=False, batch_first=True), (2, 7, 6), id="without a bias"),
    pytest.param(
        nn.LSTM(6, 5, num_layers=2, bidirectional=True), (7, 2, 6), id="two layers, both directions"
    ),
    pytest.param(nn.GRU(6, 5, bidirectional=True), (7, 2, 6), id="gru"),
    pytest.param(nn.RNN(6, 5), (7, 2, 6), id="rnn"),
    pytest.param(nn.RNN(6, 5, nonlinearity="relu"), (7, 2, 6), id="rnn with relu"),
]


@pytest.mark.parametrize(("net", "shape"), NETWORKS)
def test_a_network_costs_what_it_does_in_torch(net, shape):
    trace = read(export(net, *shape))
    cost, own = resflops.count(trace), resflops.count(net.eval(), shape)
    assert cost.uncounted == ()
    assert (cost.macs, cost.params) == (own.macs, own.params)
    flops = resflops.count(trace, convention="flops")
    assert flops.total == resflops.count(net.eval(), shape, convention="flops").total


def make_network(operator, *, inputs=(), outputs=("y",), gates=4, **attributes):
    """Make a graph of one network of 3 features and 2 hidden elements, 5 steps and a batch of 1."""
    tensors = {
        "w": (1, gates * 2, 3), "r": (1, gates * 2, 2), "b": (1, 2 * gates * 2), "p": (1, 3 * 2),
    }  # fmt: skip
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node(operator, ["x", "w", "r", *inputs], outputs, hidden_size=2, **attributes)],
            "g",
            [onnx.helper.make_tensor_value_info("x", 1, (5, 1, 3))],
            [onnx.helper.make_tensor_value_info(outputs[0], 1, None)],
            [
                onnx.numpy_helper.from_array(np.ones(shape, "float32"), name)
                for name, shape in tensors.items()
                if name in ("w", "r", *inputs)
            ],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 14)],
        ir_version=8,
    )


MACS = 5 * 8 * (3 + 2)


def test_a_peephole_is_three_products_and_three_sums_per_element():
    plain, looking = (
        resflops.count(read(make_network("LSTM", inputs=inputs)), convention="flops")
        for inputs in (("b",), ("b", "", "", "", "p"))
    )
    assert looking.macs == plain.macs == MACS
    assert looking.total - plain.total == 5 * 2 * 3 * 2


@pytest.mark.parametrize(
    "attributes",
    [
        {"clip": 1.0},
        {"input_forget": 1},
        {"activations": ["Sigmoid", "Relu", "Tanh"]},
    ],
)
def test_a_network_that_torch_does_not_have_is_uncounted(attributes):
    cost = resflops.count(read(make_network("LSTM", **attributes)))
    assert [each.op for each in cost.uncounted] == ["LSTM"]


def test_a_network_may_give_its_last_state_alone():
    cost = resflops.count(read(make_network("GRU", gates=3, outputs=("", "y"), linear_before_reset=1)))
    assert (cost.macs, cost.uncounted) == (5 * 6 * (3 + 2), ())


def test_a_weight_of_other_features_is_refused():
    model = make_network("LSTM")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 4
    with pytest.raises(resflops.ResflopsError, match="takes 3 input features, but its input has 4"):
        read(model)
