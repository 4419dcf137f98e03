"""From an ONNX file to a trace."""

import io

import pytest
import torch
from torch import nn

import resflops
from resflops.records import MODEL_INPUT, PARAMETER
from resflops.sources.onnx_files import Given, read_graph, read_trace

onnx = pytest.importorskip("onnx")


def make_net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=4), nn.Flatten(), nn.Linear(8 * 6 * 6, 10),
    ).eval()  # fmt: skip


def export(net, shape, *, dynamo):
    file = io.BytesIO()
    if dynamo:
        return torch.onnx.export(net, (torch.zeros(shape),), dynamo=True, verbose=False).model_proto
    torch.onnx.export(net, (torch.zeros(shape),), file, dynamo=False)
    return onnx.load_model_from_string(file.getvalue())


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_graph_costs_what_its_module_does_layer_by_layer(dynamo):
    net = make_net()
    trace = read_trace(export(net, (1, 3, 16, 16), dynamo=dynamo), "net.onnx", Given())
    cost, own = resflops.count(trace), resflops.count(net, (1, 3, 16, 16))
    assert (cost.macs, cost.macs) == (own.macs, 8 * 64 * 27 + 8 * 36 * 18 + 10 * 288)
    priced = {layer.name: layer.macs for layer in cost.layers if layer.macs}
    assert priced == {layer.name: layer.macs for layer in own.layers if layer.macs}


def test_a_reading_says_which_node_each_op_comes_from_and_which_nodes_follow_from_shapes():
    shape = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[2, 6] x) => (float[2, 6] y)
        {
            size = Shape(x)
            twice = Add(size, size)
            half = Sub(twice, size)
            same = Reshape(x, half)
            sum = Add(same, x)
            y = Relu(sum)
        }
    """)
    reading = read_graph(shape, "net.onnx", Given())
    names = [shape.graph.node[number].op_type for number in reading.nodes]
    assert list(zip(names, (record.op for record in reading.trace.ops), strict=True)) == [
        ("Reshape", "reshape"), ("Add", "add"), ("Relu", "relu"),
    ]  # fmt: skip
    assert reading.folded == {0, 1, 2}


def test_a_weight_that_a_constant_node_gives_is_a_parameter_and_no_op():
    given = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[2, 3] x) => (float[2, 2] y)
        { w = Constant<value = float[3, 2] {1, 2, 3, 4, 5, 6}>()  y = MatMul(x, w) }
    """)
    trace = read_trace(given, "net.onnx", Given())
    assert [(record.op, record.producers) for record in trace.ops] == [("matmul", (MODEL_INPUT, PARAMETER))]
    assert trace.params == 6
