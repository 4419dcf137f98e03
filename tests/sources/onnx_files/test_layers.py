"""The layers of nodes by their names and those of their weights, as exporters other than torch write them."""

import pytest

from resflops.sources.onnx_files.layers import find_layer
from tests.sources.onnx_files.graphs import node

CALL = "StatefulPartitionedCall/net"
RELU, NORM, STEM = "net/relu/Relu6", "net/norm/batchnorm/add_1", "net/stem/convolution"


@pytest.mark.parametrize(
    ("operator", "name", "inputs", "layer"),
    [
        pytest.param("Relu", f"{CALL}/relu/Relu", ["x"], "net.relu", id="TensorFlow's call around a model"),
        pytest.param("Relu", "model/StatefulPartitionedCall__12/relu/Relu", ["x"], "model.relu", id="a number"),
        pytest.param(
            "Conv", f"{CALL}/norm/batchnorm/mul_1", ["x", f"{CALL}/stem/convolution/merged_input:0"],
            "net.stem.convolution", id="a folded normalisation",
        ),
        pytest.param("Conv", "Conv__63", ["x", f"{CALL}/stem/read:0"], "net.stem", id="no name but a number"),
        pytest.param("Conv", "Conv__65", ["x", "fold__79", f"{CALL}/stem/Squeeze:0"], "net.stem", id="by its bias"),
        pytest.param("Conv", "Conv__65", ["x", "fold__79", ""], "Conv__65", id="no scopes anywhere"),
        pytest.param("Conv", f"{RELU};{NORM};{STEM}", ["x", f"{STEM}_dequant"], "net.stem", id="of several ops"),
        pytest.param("Clip", f"{RELU};{NORM}", ["x"], "net.relu", id="the first of several"),
        pytest.param("Conv", "Conv_0", ["x", "layer1.0.conv1.weight"], "layer1.0.conv1", id="torch before 1.13"),
        pytest.param("Relu", "Relu_1", ["x"], "Relu_1", id="a function of torch before 1.13"),
        pytest.param("MatMul", "", ["x", "y"], "MatMul_3", id="no name at all"),
        pytest.param("QLinearConv", "conv1_quant", ["x"], "conv1", id="quantised"),
        pytest.param("Mul", "fc_quant_scales_mul", ["x", "y"], "fc", id="the scales of a quantised layer"),
    ],
)  # fmt: skip
def test_a_node_belongs_to_the_layer_that_its_exporter_names(operator, name, inputs, layer):
    assert find_layer(node(operator, inputs, ["y"], name), 3).path == layer
