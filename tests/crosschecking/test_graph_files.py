"""Counters of ONNX files against the files themselves: the counter says its figure, and its convention gives it."""

import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import select_peers
from tests.sources.onnx_files.test_networks import load

onnx = pytest.importorskip("onnx")
if find_installed_version(PEERS["onnx-tool"]) is None:
    pytest.skip("onnx-tool is not installed", allow_module_level=True)

NET = """
g (float[N, 3, 8, 8] x) => (float[N, 5] y)
<float[4, 3, 3, 3] kernel, float[4] shift, float[5, 144] weight, float[5] bias, int64[2] sizes = {-1, 144}>
{
    image = Conv(x, kernel, shift)
    zero = Relu(image)
    rows = Reshape(zero, sizes)
    y = Gemm<transB = 1>(rows, weight, bias)
}
"""


def parse(text, opset=17):
    """Parse a graph in ONNX's own notation, in which what is declared without a value is a weight of ones."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    for declared in model.graph.value_info:
        sizes = [each.dim_value for each in declared.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(declared.type.tensor_type.elem_type)
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(sizes, kind), declared.name))
    del model.graph.value_info[:]
    return model


@pytest.fixture
def write(tmp_path):
    def write_graph(text, **settings):
        path = tmp_path / "net.onnx"
        onnx.save(parse(text, **settings), path)
        return str(path)

    return write_graph


EXERCISES = {
    "convolutions": "g (float[2, 4, 9, 9] x) => (float[2, 6, 4, 4] y) <float[8, 2, 3, 3] a, float[6, 8, 1, 1] b, float[6] c> { z = Conv<group = 2, strides = [2, 2]>(x, a)  y = Conv(z, b, c) }",
    "convolutions in 1d and 3d": "g (float[2, 4, 9] x, float[1, 2, 5, 5, 5] u) => (float[2, 8, 7] y, float[1, 3, 3, 3, 3] v) <float[8, 4, 3] a, float[3, 2, 3, 3, 3] b, float[3] c> { y = Conv(x, a)  v = Conv(u, b, c) }",
    "transposed convolutions": "g (float[2, 4, 5, 5] x) => (float[2, 6, 11, 11] y) <float[4, 3, 3, 3] a, float[6] b> { y = ConvTranspose<group = 2, strides = [2, 2]>(x, a, b) }",
    "products": "g (float[2, 3, 4] x, float[4, 6] w) => (float[3, 5] y, float[2, 3, 6] z) <float[5, 6] a, float[5] b, float[3, 5] c, float[6, 5] d, int64 one> { z = MatMul(x, w)  first = Gather(z, one)  u = Gemm<transB = 1>(first, a, b)  v = Gemm(first, d, c)  t = Gemm(first, d)  uv = Add(u, v)  y = Add(uv, t) }",
    "einsum": 'g (float[2, 3, 4] x, float[2, 5, 4] z) => (float[2, 3, 5] y) { y = Einsum<equation = "bij,bkj->bik">(x, z) }',
    "activations": "g (float[2, 3] x) => (float[2, 3] y) <float[3] slope, float low, float high> { a = Relu(x)  b = LeakyRelu(a)  c = Elu(b)  d = Sigmoid(c)  e = Tanh(d)  f = HardSigmoid(e)  h = HardSwish(f)  i = Softplus(h)  j = PRelu(i, slope)  k = Clip(j, low, high)  y = Softmax<axis = 1>(k) }",
    "arithmetic": "g (float[2, 3] x, float[3] z) => (float[2, 3] y) { a = Add(x, z)  b = Sub(a, z)  c = Mul(b, b)  d = Div(c, z)  e = Pow(d, z)  f = Max(e, z)  h = Min(f, z)  i = Mod<fmod = 1>(h, z)  y = Sum(i, x, z) }",
    "functions": "g (float[2, 3] x) => (float[2, 3] y) { a = Exp(x)  b = Log(a)  c = Sqrt(b)  d = Sin(c)  e = Cos(d)  f = Atan(e)  h = Abs(f)  i = Neg(h)  j = Reciprocal(i)  k = Ceil(j)  l = Floor(k)  m = Erf(l)  n = Sign(m)  o = Round(n)  y = LogSoftmax(o) }",
    "comparisons": "g (float[2, 3] x, float[3] z) => (bool[2, 3] y) { a = Less(x, z)  b = Greater(x, z)  c = Equal(x, z)  d = LessOrEqual(x, z)  e = GreaterOrEqual(x, z)  f = And(a, b)  h = Or(c, d)  i = Xor(f, h)  j = Not(i)  y = Or(j, e) }",
    "normalisations": "g (float[2, 4, 6, 6] x) => (float[2, 4, 6, 6] y) <float[4] a, float[4] b, float[4] c, float[4] d, float[6] e, float[6, 6] f> { i = BatchNormalization(x, a, b, c, d)  j = InstanceNormalization(i, a, b)  k = LayerNormalization<axis = -1>(j, e, e)  l = LayerNormalization<axis = -2>(k, f)  y = LRN<size = 3>(l) }",
    "pooling": "g (float[2, 4, 9, 9] x, float[1, 2, 9] u, float[1, 2, 6, 6, 6] w) => (float[2, 4, 1, 1] y, float[1, 2, 4] v, float[1, 2, 3, 3, 3] z) { a = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x)  b = AveragePool<kernel_shape = [2, 3]>(a)  y = GlobalAveragePool(b)  v = MaxPool<kernel_shape = [3], strides = [2]>(u)  z = AveragePool<kernel_shape = [2, 2, 2], strides = [2, 2, 2]>(w) }",
    "reductions": "g (float[2, 3, 4] x) => (float[2, 1] y) <int64[1] last = {-1}> { a = ReduceMean<axes = [1]>(x)  b = ReduceSum(a, last)  c = ReduceMax<axes = [2]>(a)  d = ReduceMin<axes = [2]>(a)  e = ReduceProd<axes = [2]>(a)  f = ReduceL2<axes = [2]>(a)  h = Sum(b, c, d, e, f)  i = ArgMax<axis = 2>(h)  j = Cast<to = 1>(i)  y = Squeeze(j, last) }",
    "numbers": "g (float[2, 3] x, float s) => (float[2, 3] y) { a = Sqrt(s)  b = Add(a, s)  y = Div(x, b) }",
    "resizing": 'g (float[1, 2, 4, 4] x) => (float[1, 2, 32, 32] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}, float[0] r> { a = Resize<mode = "linear">(x, r, s)  b = Resize<mode = "cubic">(a, r, s)  y = Resize<mode = "nearest">(b, r, s) }',
    "running sums": "g (float[2, 3] x) => (float[2, 3] y) <int64 axis> { y = CumSum(x, axis) }",
    "copies": "g (float[2, 3, 4] x) => (float[4, 12] y) <int64[2] shape = {4, 12}, int64[3] twice = {2, 1, 1}> { a = Tile(x, twice)  b = Transpose<perm = [2, 0, 1]>(a)  c = Reshape(b, shape)  d = Concat<axis = 0>(c, c)  e, f = Split<axis = 0>(d)  h = Greater(e, f)  y = Where(h, e, f) }",
    "a long memory": 'g (float[5, 2, 3] x) => (float[5, 2, 2, 4] y) <float[2, 16, 3] a, float[2, 16, 4] b, float[2, 32] c> { y, h, i = LSTM<hidden_size = 4, direction = "bidirectional">(x, a, b, c) }',
    "a gated network": "g (float[5, 2, 3] x) => (float[5, 1, 2, 4] y) <float[1, 12, 3] a, float[1, 12, 4] b, float[1, 24] c> { y, h = GRU<hidden_size = 4>(x, a, b, c) }",
    "quantised": "g (uint8[2, 4, 6, 6] x) => (uint8[2, 8, 3] y) <float s, uint8 o, int8 z, int8[8, 4, 3, 3] a, int32[8] b, int8[16, 3] c, int64[3] sizes = {2, 8, 16}> { u = DequantizeLinear(x, s, o)  v = QuantizeLinear(u, s, o)  w = QLinearConv(v, s, o, a, s, z, s, o, b)  n = Reshape(w, sizes)  y = QLinearMatMul(n, s, o, c, s, z, s, o) }",
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_convention_gives_the_figure_of_the_counter(write, name):
    (row,) = resflops.crosscheck(write(EXERCISES[name])).rows
    assert row.failure == ""
    assert (row.unexplained, row.unexplained_params, row.uncounted) == (0, 0, ())


def test_a_file_is_explained_by_the_sizes_of_its_own_nodes(write):
    (row,) = resflops.crosscheck(write(NET), (2, 3, 8, 8)).rows
    products, biases, zeros = 2 * 4 * 36 * 27 + 2 * 5 * 144, 2 * 4 * 36 + 2 * 5, 2 * 4 * 36
    assert (row.peer, row.macs, row.figure) == ("onnx-tool", products, products + biases + zeros)
    assert {cause.name: cause.amount for cause in row.causes} == {"bias": biases, "activation": zeros}
    assert (row.unexplained, row.inputs) == (0, ((2, 3, 8, 8),))


@pytest.mark.parametrize("exporter", ["new", "old"])
@pytest.mark.parametrize(
    "network", ["resnet18", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2_x1_0", "squeezenet1_1"]
)
def test_a_network_is_explained_to_the_last_operation(network, exporter):
    graph = load(f"{network}-{exporter}.onnx")
    for tensor in graph.graph.initializer:
        # The stored graphs have no weights, which the counter reads.
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims:
            tensor.raw_data = bytes(4 * prod(tensor.dims))
    (row,) = resflops.crosscheck(graph).rows
    assert (row.failure, row.uncounted) == ("", ())
    assert row.explained
    assert row.figure > row.macs


def test_a_peer_of_modules_is_run_only_if_it_is_named_and_then_says_what_it_takes(write):
    path = write(NET)
    (row,) = resflops.crosscheck(path, peers="fvcore").rows
    assert row.failure == (
        f"fvcore takes a PyTorch module, and {path} is an ONNX graph; give the model that it was exported from"
    )


def test_a_peer_of_files_is_run_on_a_module_only_if_it_is_named_and_then_says_what_it_takes():
    assert {peer.takes for peer in select_peers(None)} == {"modules"}
    assert {peer.takes for peer in select_peers(None, takes="onnx")} == {"onnx"}
    (row,) = resflops.crosscheck("resnet20", peers=["onnx-tool"]).rows
    assert row.failure == (
        "onnx-tool takes ONNX files, not PyTorch modules; export the model, as in "
        "torch.onnx.export(model, args, 'model.onnx'), and give the file: resflops crosscheck model.onnx"
    )


def test_nodes_of_one_name_are_missed_but_for_the_last_and_the_row_says_so(write):
    path = write("g (float[2, 6] x) => (float[2, 6] y) { a = Relu(x)  y = Add(a, x) }")
    model = onnx.load(path)
    for node in model.graph.node:
        node.name = "same"
    onnx.save(model, path)
    (row,) = resflops.crosscheck(path).rows
    assert (row.figure, row.unexplained) == (12, 0)
    assert {cause.name: cause.amount for cause in row.causes} == {
        "activation": 12,
        "arithmetic on single elements": 12,
        "nodes missed because others have their names": -12,
    }


def test_what_follows_from_shapes_alone_is_a_cause(write):
    path = write("""
        g (float[2, 6] x) => (float[2, 6] y)
        { size = Shape(x)  twice = Add(size, size)  half = Sub(twice, size)  same = Reshape(x, half)  y = Relu(same) }
    """)
    (row,) = resflops.crosscheck(path).rows
    assert (row.macs, row.figure, row.unexplained) == (0, 16, 0)
    assert {cause.name: cause.amount for cause in row.causes} == {
        "activation": 12,
        "what follows from shapes and constants alone, computed before the first pass": 4,
    }


def test_parameters_differ_by_constants_and_by_what_is_passed_over(write):
    path = write("""
        g (int64[2, 3] x) => (float[2, 3, 5] y)
        <float[7, 4] table, float[4, 5] weight, float[1] one = {1.0}>
        { rows = Gather(table, x)  z = MatMul(rows, weight)  y = Clip(z, one) }
    """)
    (row,) = resflops.crosscheck(path).rows
    assert (row.params, row.peer_params, row.unexplained_params) == (28 + 20, 20 + 1, 0)
    assert {cause.name: (cause.amount, cause.modules) for cause in row.parameter_causes} == {
        "constants and statistics among the initialisers": (1, ("one",)),
        "initialisers of operators that it passes over": (-28, ("table",)),
    }


def test_a_weight_that_a_constant_node_gives_is_no_parameter_to_the_counter(write):
    path = write(
        "g (float[2, 3] x) => (float[2, 2] y) "
        "{ w = Constant<value = float[3, 2] {1, 2, 3, 4, 5, 6}>()  y = MatMul(x, w) }"
    )
    (row,) = resflops.crosscheck(path).rows
    assert (row.params, row.peer_params, row.unexplained_params) == (6, 0, 0)
    assert [(cause.name, cause.amount, cause.modules) for cause in row.parameter_causes] == [
        ("weights that are sparse or given by Constant nodes", -6, ("w",))
    ]


def test_sizes_that_the_counter_infers_otherwise_are_a_cause(write):
    path = write(
        "g (float[2, 3, 4] x) => (float[2, 3, 1] y) <int64[1] last = {2}> "
        "{ norms = ReduceL2<keepdims = 1>(x, last)  y = Relu(norms) }",
        opset=18,
    )
    (row,) = resflops.crosscheck(path).rows
    # It takes the norm of all, which makes one element of the six.
    assert (row.figure, row.unexplained) == (25 * 24 + 1, 0)
    assert {cause.name: cause.amount for cause in row.causes} == {
        "norm": 25 * 24,
        "activation": 6,
        "other sizes than ONNX infers": -5,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "g (float[2, 6] x) => (float[2, 6] y) { y = Mish(x) }",
            "NotImplementedError: this Node Mish-Mish_0 has no value_infer",
            id="operator",
        ),
    ],
)
def test_what_it_refuses_is_a_row_that_says_so(write, text, says):
    (row,) = resflops.crosscheck(write(text)).rows
    assert (row.figure, row.failure) == (None, says)


def test_a_graph_that_onnx_has_loaded_is_cross_checked_as_its_file_is(write):
    path = write(NET)
    (of_file,), (of_graph,) = (
        resflops.crosscheck(given, (1, 3, 8, 8)).rows for given in (Path(path), onnx.load(path))
    )
    assert replace(of_graph, model=of_file.model) == of_file


def test_a_file_is_cross_checked_without_torch_and_without_a_word_of_the_peer(write, tmp_path):
    path = write(NET)
    before = sorted(tmp_path.iterdir())
    script = (
        "import sys\n"
        "from resflops.cli import main\n"
        f"status = main(['crosscheck', {path!r}, '--format', 'json', '--strict'])\n"
        "print(status, 'torch' in sys.modules, 'onnx_tool' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.split("\n")[-2] == "0 False False"
    assert done.stdout.startswith("{")
    assert sorted(tmp_path.iterdir()) == before
