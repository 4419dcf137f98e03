"""Graphs that other programs than torch wrote: by hand counts, and by the shapes of a run in onnxruntime.

They are stored by ``onnx_of_others.py``, or come with the package onnx. The run has ones and zeros for the weights,
which are not stored: what a node multiplies follows from the shapes.
"""

import zipfile
from collections import Counter
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest

import resflops
from resflops.ops import OPS
from resflops.sources.onnx_files import Given, read_graph

onnxruntime = pytest.importorskip("onnxruntime")

ARCHIVE = Path(__file__).with_name("others.zip")
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

# Of a network of every kind of convolution: stem, depthwise, separable (two), dilated, transposed, head.
CONVNET = (
    8 * 8 * 8 * 27 + 8 * 8 * 8 * 9 + 6 * 6 * 8 * 9 + 6 * 6 * 12 * 8
    + 6 * 6 * 12 * 12 * 9 + 6 * 6 * 12 * 4 * 9 + 4 * 10
)  # fmt: skip
WEIGHTS = 8 * 27 + 8 * 9 + 8 * 9 + 12 * 8 + 12 * 12 * 9 + 12 * 4 * 9 + 4 * 10
BIASES = 8 + 8 + 12 + 12 + 4 + 10
# Per step: an LSTM of 6 features and 5 hidden elements in both directions, and a GRU of 10 and 4.
RECURRENT = 7 * (2 * 20 * (6 + 5) + 12 * (10 + 4)) + 4 * 3
# Three projections, scores and sums of two heads of 8, the output's projection; two layers; four classes.
TRANSFORMER = 9 * (3 * 16 * 16 + 2 * 9 * 16 + 16 * 16 + 2 * 16 * 32) + 16 * 4
# Of each of two layers: three projections, four heads of 8 each, a projection, two layers; and the pooler.
BERT = 2 * 8 * (3 * 32 * 32 + 2 * 8 * 32 + 32 * 32 + 2 * 32 * 64) + 32 * 32
BERT_WEIGHTS = (100 + 24 + 2 + 2) * 32 + 2 * (4 * 32 * 32 + 4 * 32 + 2 * 32 * 64 + 64 + 32 + 4 * 32) + 33 * 32
ALEXNET = (
    54 * 54 * 96 * 363 + 26 * 26 * 256 * 48 * 25 + 12 * 12 * 384 * 256 * 9
    + 12 * 12 * 384 * 192 * 9 + 12 * 12 * 256 * 192 * 9 + 9216 * 4096 + 4096 * 4096 + 4096 * 1000
)  # fmt: skip

FILES = {
    "tf2onnx-convnet": (CONVNET, WEIGHTS + BIASES),
    # A bias of zeros more, of the first convolution of the separable pair.
    "tf2onnx-tflite": (CONVNET, WEIGHTS + BIASES + 8),
    "tf2onnx-recurrent": (RECURRENT, 2 * (20 * (6 + 5) + 40) + 12 * (10 + 4) + 24 + 12),
    "keras-transformer": (TRANSFORMER, 50 * 16 + 4 * 256 + 32 + 2 * 16 * 32 + 64),
    "keras-mobilenet_v2": (None, None),
    "onnxruntime-qdq": (CONVNET, WEIGHTS + BIASES),
    "onnxruntime-qoperator": (CONVNET, WEIGHTS + BIASES),
    "onnxruntime-dynamic": (CONVNET, WEIGHTS + BIASES),
    "onnxruntime-optimised": (CONVNET, WEIGHTS + BIASES),
    "onnxruntime-bert": (BERT, BERT_WEIGHTS),
    "sklearn-perceptron": (5 * 12 + 12 * 7 + 7 * 3, 5 * 12 + 12 * 7 + 7 * 3 + 12 + 7 + 3),
    "sklearn-logistic": (5 * 3, 0),
    "sklearn-forest": (0, 0),
    "jax2onnx-net": (2 * (8 * 8 * 8 * 27 + 8 * 8 * 8 * 8 + 8 * 8 * 5), 8 * 27 + 8 * 5),
    "light_bvlc_alexnet": (ALEXNET, 60_965_224),
    "light_squeezenet": (None, 1_235_496),
    "light_shufflenet": (None, None),
    # And an initialiser of one element that no node takes.
    "light_resnet50": (None, 25_557_032 + 1),
}
"""Multiply-accumulates and parameters by hand, or as they are published; None where a run alone tells."""

SIZES = {"onnxruntime-bert": {"batch": 1, "sequence": 8}}
UNCOUNTED = {"sklearn-forest": ["ai.onnx.ml.TreeEnsembleClassifier"]}


@cache
def load(name):
    if name.startswith("light"):
        return onnx.load(LIGHT / f"{name}.onnx")
    with zipfile.ZipFile(ARCHIVE) as archive:
        return onnx.load_model_from_string(archive.read(f"{name}.onnx"))


@cache
def read(name):
    return read_graph(load(name), name, Given(sizes=SIZES.get(name, {})))


def count(name):
    return resflops.count(read(name).trace)


def add_up_layers(cost):
    macs = Counter()
    for row in cost.layers:
        macs[row.name] += row.macs
    return +macs


@pytest.mark.parametrize(("name", "macs", "params"), [(name, *figures) for name, figures in FILES.items()])
def test_a_file_costs_what_a_count_by_hand_says(name, macs, params):
    cost = count(name)
    assert macs in (None, cost.macs)
    assert params in (None, cost.params)
    assert [each.op for each in cost.uncounted] == UNCOUNTED.get(name, [])


@pytest.mark.parametrize("name", FILES)
def test_every_node_is_counted_or_follows_from_shapes_or_is_another_name(name):
    reading, graph = read(name), load(name).graph
    left = set(range(len(graph.node))) - set(reading.nodes) - reading.folded
    assert {graph.node[place].op_type for place in left} <= {
        "Constant",
        "ConstantOfShape",
        "Identity",
        "Loop",
    }


def test_there_are_14_stored_graphs_in_few_bytes():
    with zipfile.ZipFile(ARCHIVE) as archive:
        assert len(archive.namelist()) == sum(not name.startswith("light") for name in FILES) == 14
    assert ARCHIVE.stat().st_size < 60_000


def fill_all(graph):
    """Fill the weights that are not stored: floats by ones, and integers by zeros, which zero points may be."""
    for tensor in graph.initializer:
        if not (tensor.raw_data or tensor.float_data or tensor.int32_data or tensor.int64_data):
            fill(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                fill_all(attribute.g)


def fill(tensor):
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    make = np.ones if dtype.kind == "f" else np.zeros
    tensor.CopyFrom(onnx.numpy_helper.from_array(make(tuple(tensor.dims), dtype), tensor.name))


def run(name):
    """Run a graph in onnxruntime, and give the shapes of all tensors by name."""
    model = onnx.ModelProto()
    model.CopyFrom(load(name))
    fill_all(model.graph)
    for node in model.graph.node:
        if node.op_type == "Erfc":
            # What onnxruntime does not know has the shape of what it does know.
            node.op_type = "Erf"
    made = [each for node in model.graph.node for each in node.output if each]
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(each)
        for each in made
        if each not in {output.name for output in model.graph.output}
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    dtypes = {
        "tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32",
    }  # fmt: skip
    shapes = {each.name: each.shape for each in read(name).trace.inputs}
    given = {each.name: np.zeros(shapes[each.name], dtypes[each.type]) for each in session.get_inputs()}
    names = [each.name for each in session.get_outputs()]
    found = {each: value.shape for each, value in zip(names, session.run(names, given), strict=True)}
    return {**found, **shapes, **{each.name: tuple(each.dims) for each in model.graph.initializer}}


PER_OUTPUT = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv"), lambda inputs: prod(inputs[1][1:])),
    "QLinearConv": lambda inputs: prod(inputs[3][1:]),
    **dict.fromkeys(("FusedGemm", "Gemm", "MatMul", "MatMulInteger", "QGemm", "QLinearMatMul"),
                    lambda inputs: inputs[0][-1]),
}  # fmt: skip
"""The multiply-accumulates of each element that an operator gives, by the shapes of its inputs."""

IN_ALL = {
    "ConvTranspose": lambda inputs: prod(inputs[0]) * prod(inputs[1][1:]),
    "LSTM": lambda inputs: prod(inputs[0][:2]) * (prod(inputs[1]) + prod(inputs[2])),
    # A projection of three, then scores and sums.
    "Attention": lambda inputs: prod(inputs[0]) * (inputs[1][1] + 2 * inputs[0][1]),
}
"""Those of a whole node."""


def multiply(node, shapes):
    """Count the multiply-accumulates of one node by the shapes of a run."""
    inputs = [shapes.get(name, ()) for name in node.input]
    if node.op_type in PER_OUTPUT:
        return prod(shapes[node.output[0]]) * PER_OUTPUT[node.op_type](inputs)
    if node.op_type in IN_ALL:
        return IN_ALL[node.op_type](inputs)
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    if node.op_type == "LinearClassifier":
        return inputs[0][0] * len(attributes["coefficients"])
    if node.op_type == "Einsum":
        labels = attributes["equation"].decode().replace(" ", "").partition("->")[0].split(",")
        pairs = [
            pair for each, shape in zip(labels, inputs, strict=True) for pair in zip(each, shape, strict=True)
        ]
        return prod(dict(pairs).values())
    # Its own graph is not run by itself: the steps of a GRU, as above.
    return 7 * 12 * (10 + 4) if node.op_type == "Loop" else 0


@pytest.mark.parametrize("name", FILES)
def test_every_node_multiplies_as_often_as_the_shapes_of_a_run_say(name):
    reading, graph = read(name), load(name).graph
    counted = Counter()
    for place, record in zip(reading.nodes, reading.trace.ops, strict=True):
        rule = OPS[record.op].work if record.op in OPS else None
        counted[place] += rule(record).macs if rule else 0
    shapes = run(name)
    expected = Counter({place: multiply(node, shapes) for place, node in enumerate(graph.node)})
    assert +counted == +expected


LAYERS = {
    "net_1.stem_1": 8 * 8 * 8 * 27, "net_1.depthwise_1": 8 * 8 * 8 * 9,
    "net_1.separable_1.separable_conv2d": 6 * 6 * 8 * 9, "net_1.separable_1": 6 * 6 * 12 * 8,
    "net_1.dilated_1": 6 * 6 * 12 * 12 * 9, "net_1.up_1": 6 * 6 * 12 * 4 * 9, "net_1.head_1": 40,
}  # fmt: skip
"""The layers of the network of convolutions, by the names that Keras gives them when it exports."""


@pytest.mark.parametrize(
    "name", ["tf2onnx-convnet", "tf2onnx-tflite", "onnxruntime-qdq", "onnxruntime-qoperator"]
)
def test_a_network_has_the_layers_of_keras_however_it_was_converted_and_quantised(name):
    layers = add_up_layers(count(name))
    # The stem's own scope is that of the convolution in it, since its normalisation was folded.
    stem = layers.pop("net_1.stem_1.convolution", None)
    assert {**layers, **({"net_1.stem_1": stem} if stem else {})} == LAYERS


def test_a_folded_normalisation_is_said():
    assert count("tf2onnx-convnet").trace.notes[-1] == (
        "BatchNorm was folded into the weights of 1 layer when the model was exported"
    )


@pytest.mark.parametrize(
    ("name", "ops"),
    [
        (
            "tf2onnx-convnet",
            {
                "permute": 1, "conv2d": 5, "clamp": 1, "relu": 1, "add": 2, "conv_transpose2d": 1,
                "interpolate": 1, "max_pool2d": 1, "adaptive_avg_pool2d": 1, "squeeze": 1, "matmul": 1,
                "softmax": 1,
            },
        ),
        (
            # Of embeddings three tables; of each layer the parts of attention, and sums with their bias.
            "onnxruntime-bert",
            {
                "to": 3, "embedding": 3, "layer_norm": 1 + 2 * 2, "linear": 2 + 1, "getitem": 2 * 3,
                "reshape": 2 * 4, "scaled_dot_product_attention": 2, "matmul": 2 * 3, "gelu": 2,
                "add": 2 + 2 * (2 * 2 + 1), "select": 1, "tanh": 1,
            },
        ),
        ("sklearn-logistic", {"sub": 1, "mul": 1, "linear": 1, "softmax": 1, "argmax": 1, "norm": 1, "div": 1}),
    ],
)  # fmt: skip
def test_a_file_has_these_ops(name, ops):
    assert Counter(record.op for record in read(name).trace.ops) == ops
