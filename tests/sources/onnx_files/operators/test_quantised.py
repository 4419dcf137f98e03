"""Networks that onnxruntime quantised, against the float ones that they were made from."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import ShapeError
from resflops.records import Work
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import model as make_model
from tests.sources.onnx_files.graphs import node, one_node, tensor, unknown, weight
from tests.sources.onnx_files.operators.nodes import Of, count_work, number, read_node, trace_function

onnx = pytest.importorskip("onnx")
quantization = pytest.importorskip("onnxruntime.quantization")


class Net(nn.Module):
    """Takes 1×3×16×16."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8)
        self.wide, self.deep = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.head = nn.Linear(2 * 8 * 16, 10)

    def forward(self, image):
        first = torch.relu(self.norm(self.stem(image)))
        second = torch.sigmoid(self.wide(first)) * first
        third = first + nn.functional.leaky_relu(self.deep(second))
        joined = nn.functional.avg_pool2d(torch.cat([second, third], 1), 2)
        return self.head(joined.flatten(1)).softmax(-1)


class Images:
    def __init__(self, name):
        self._left = [{name: np.zeros((1, 3, 16, 16), "float32")}]

    def get_next(self):
        return self._left.pop() if self._left else None


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantised")
    written = io.BytesIO()
    torch.onnx.export(Net().eval(), (torch.zeros(1, 3, 16, 16),), written, dynamo=False)
    model = onnx.load_model_from_string(written.getvalue())
    plain = folder / "plain.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), plain)
    name = model.graph.input[0].name
    for kind in ("QDQ", "QOperator"):
        quantization.quantize_static(
            plain, folder / kind, Images(name), quant_format=quantization.QuantFormat[kind],
            activation_type=quantization.QuantType.QUInt8, per_channel=kind == "QDQ",
        )  # fmt: skip
    quantization.quantize_dynamic(plain, folder / "dynamic", weight_type=quantization.QuantType.QUInt8)
    return {kind: onnx.load(folder / kind) for kind in ("plain.onnx", "QDQ", "QOperator", "dynamic")}


MACS = {"stem": 64 * 8 * 27, "wide": 64 * 8 * 8, "deep": 64 * 8 * 18, "head": 10 * 256}


def count(model):
    return resflops.count(read_trace(model, "net.onnx", Given()))


def sum_by_layer(cost):
    macs = {}
    for layer in cost.layers:
        if layer.macs:
            macs[layer.name] = macs.get(layer.name, 0) + layer.macs
    return macs


@pytest.mark.parametrize("kind", ["plain.onnx", "QDQ", "QOperator", "dynamic"])
def test_a_quantised_network_has_the_layers_and_macs_of_the_float_one(files, kind):
    cost = count(files[kind])
    assert cost.uncounted == ()
    assert sum_by_layer(cost) == MACS
    assert {layer.name for layer in cost.layers} == {"", *MACS}


@pytest.mark.parametrize("kind", ["QDQ", "QOperator", "dynamic"])
def test_scales_and_zero_points_are_no_parameters(files, kind):
    folded = 8  # the bias that the normalisation becomes
    weights = 8 * 27 + 8 * 8 + 8 * 18 + 10 * 256
    assert count(files[kind]).params == weights + folded + 8 + 8 + 10


ROWS, IMAGE, KERNEL = Of("uint8", 2, 3, 8), Of("uint8", 1, 4, 9, 8), Of("uint8", 6, 2, 3, 3)
SCALE, ZERO = number(1.0), number(0, "uint8")
FACTOR, BIAS = Of("uint8", 8, 5), Of("int32", 6)


def read(name, *inputs, **settings):
    domain = {"domain": "com.microsoft"} if name in MICROSOFT else {}
    return read_node(name, *inputs, **domain, **settings)


MICROSOFT = (
    "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "GatherBlockQuantized", "MatMulBnb4", "MatMulIntegerToFloat",
    "MatMulNBits", "MulInteger", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat",
    "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean", "QLinearSigmoid",
    "QLinearSoftmax", "QLinearWhere",
)  # fmt: skip
PAIR = [ROWS, SCALE, ZERO, ROWS, SCALE, ZERO, SCALE, ZERO]
ONE = [ROWS, SCALE, ZERO, SCALE, ZERO]
PICTURE = [IMAGE, *ONE[1:]]


@pytest.mark.parametrize(
    ("records", "function", "shapes"),
    [
        pytest.param(
            read("QLinearConv", IMAGE, SCALE, ZERO, KERNEL, SCALE, ZERO, SCALE, ZERO, BIAS, group=2),
            lambda x, w, b: F.conv2d(x, w, b, groups=2), [(1, 4, 9, 8), (6, 2, 3, 3), (6,)], id="convolution",
        ),
        pytest.param(
            read("ConvInteger", IMAGE, KERNEL, ZERO, ZERO, group=2),
            lambda x, w: F.conv2d(x, w, groups=2), [(1, 4, 9, 8), (6, 2, 3, 3)], id="convolution of integers",
        ),
        pytest.param(
            read("QLinearMatMul", ROWS, SCALE, ZERO, FACTOR, SCALE, ZERO, SCALE, ZERO), torch.matmul,
            [(2, 3, 8), (8, 5)], id="product",
        ),
        pytest.param(
            read("MatMulInteger", ROWS, FACTOR, ZERO, ZERO), torch.matmul, [(2, 3, 8), (8, 5)],
            id="product of integers",
        ),
        pytest.param(
            read("MatMulIntegerToFloat", ROWS, FACTOR, SCALE, SCALE, ZERO, ZERO, (5,)), F.linear,
            [(2, 3, 8), (5, 8), (5,)], id="product with a bias",
        ),
        pytest.param(
            read("DynamicQuantizeMatMul", (2, 3, 8), FACTOR, SCALE, ZERO), torch.matmul,
            [(2, 3, 8), (8, 5)], id="product of what is quantised on the fly",
        ),
        pytest.param(
            read("QGemm", Of("uint8", 3, 8), SCALE, ZERO, Of("uint8", 6, 8), SCALE, ZERO, BIAS, SCALE, ZERO,
                 transB=1),
            F.linear, [(3, 8), (6, 8), (6,)], id="linear layer",
        ),
        pytest.param(
            read("MatMulNBits", (2, 3, 32), Of("uint8", 6, 2, 8), (6, 2), None, None, (6,), K=32, N=6, bits=4,
                 block_size=16),
            F.linear, [(2, 3, 32), (6, 32), (6,)], id="packed weight",
        ),
        pytest.param(
            read("MatMulBnb4", (2, 16), Of("uint8", 48), (6,), K=16, N=6, block_size=16, quant_type=1),
            F.linear, [(2, 16), (6, 16)], id="packed weight of another kind",
        ),
        pytest.param(read("QLinearAdd", *PAIR), torch.add, [(2, 3, 8)] * 2, id="sum"),
        pytest.param(read("QLinearMul", *PAIR), torch.mul, [(2, 3, 8)] * 2, id="elementwise product"),
        pytest.param(read("QLinearSigmoid", *ONE), torch.sigmoid, [(2, 3, 8)], id="sigmoid"),
        pytest.param(read("QLinearLeakyRelu", *ONE), F.leaky_relu, [(2, 3, 8)], id="leaky ReLU"),
        pytest.param(
            read("QLinearAveragePool", *PICTURE, kernel_shape=[3, 3]), lambda x: F.avg_pool2d(x, 3, 1),
            [(1, 4, 9, 8)], id="pooling",
        ),
        pytest.param(
            read("QLinearAveragePool", *PICTURE, kernel_shape=[3, 3], channels_last=1),
            lambda x: F.avg_pool2d(x, 3, 1), [(1, 8, 4, 9)], id="pooling with channels last",
        ),
        pytest.param(
            read("QLinearGlobalAveragePool", *PICTURE), lambda x: F.adaptive_avg_pool2d(x, 1), [(1, 4, 9, 8)],
            id="mean of an image",
        ),
        pytest.param(
            read("QLinearReduceMean", *ONE, axes=[1]), lambda x: x.mean(1, keepdim=True), [(2, 3, 8)], id="mean"
        ),
        pytest.param(
            read("QLinearConcat", SCALE, ZERO, ROWS, SCALE, ZERO, ROWS, SCALE, ZERO, axis=1),
            lambda x, y: torch.cat([x, y], 1), [(2, 3, 8)] * 2, id="joined",
        ),
        pytest.param(
            read("QLinearWhere", Of("bool", 3, 8), ROWS, SCALE, ZERO, ROWS, SCALE, ZERO, SCALE, ZERO),
            lambda x, y: torch.where(x > 0, x, y), [(2, 3, 8)] * 2, id="chosen",
        ),
    ],
)  # fmt: skip
def test_an_operator_costs_what_it_does_on_floats(records, function, shapes):
    own = [each for each in trace_function(function, *shapes) if each.op != "gt"]
    assert count_work(records) == count_work(own)


def test_what_quantises_by_itself_is_counted():
    (many,) = read("QuantizeLinear", (2, 3), np.ones(3, "float32"), np.zeros(3, "uint8"))
    (one,) = read("QuantizeLinear", (2, 3), SCALE, ZERO)
    (back,) = read("DequantizeLinear", Of("uint8", 2, 3), SCALE, ZERO)
    found = [(each.op, count_work([each])) for each in (many, one, back)]
    # Over the scale, plus the zero point, rounded, and limited on both sides; and back.
    there = Work(arithmetic=3 * 6, comparisons=2 * 6)
    assert found == [
        ("quantize_per_channel", there), ("quantize_per_tensor", there), ("dequantize", Work(arithmetic=2 * 6)),
    ]  # fmt: skip
    records = read("DynamicQuantizeLinear", (2, 3), outputs=3)
    assert [each.op for each in records] == ["aminmax", "quantize_per_tensor"]
    assert records[-1].output_shapes == ((2, 3), (), ())


def test_rows_of_packed_integers_are_looked_up_and_scaled():
    records = read(
        "GatherBlockQuantized", Of("uint8", 6, 16), Of("int64", 2, 3), (6, 2), None, bits=4, block_size=16
    )  # fmt: skip
    assert [each.op for each in records] == ["gather", "dequantize"]
    assert records[-1].output_shapes == ((2, 3, 32),)


def test_an_lstm_has_its_weights_by_features():
    inputs = [(5, 1, 3), Of("uint8", 1, 3, 8), Of("uint8", 1, 2, 8), (1, 16)]
    (record,) = read("DynamicQuantizeLSTM", *inputs, hidden_size=2, outputs=3)
    assert (record.op, count_work([record]).macs) == ("lstm", 5 * 8 * (3 + 2))


def test_a_packed_weight_of_other_features_is_refused():
    with pytest.raises(ShapeError, match="takes 32 features, but its input has 31"):
        read("MatMulNBits", (2, 31), Of("uint8", 6, 2, 8), (6, 2), K=32, N=6, bits=4, block_size=16)


@pytest.mark.parametrize(
    ("opset", "axis", "rows"),
    [pytest.param(13, 1, (2, 3, 8), id="an axis"), pytest.param(12, 1, (2, 24), id="all from an axis on")],
)
def test_a_softmax_says_by_which_opset_it_has_its_axis(opset, axis, rows):
    scalars = [("float32", ()), ("uint8", ())] * 2
    model, _ = one_node(
        "com.microsoft.QLinearSoftmax", [("uint8", (2, 3, 8)), *scalars], opset=opset, axis=axis
    )
    own = trace_function(lambda x: x.softmax(1), rows)
    assert count_work(read_trace(model, "net.onnx", Given()).ops) == count_work(own)


def test_weights_that_onnxruntime_packs_stay_as_many_and_multiply_as_often():
    quantizer = pytest.importorskip("onnxruntime.quantization.matmul_nbits_quantizer")
    stored = [weight("fc1.weight", 64, 128), weight("fc2.weight", 128, 64), weight("fc2.bias", 64)]
    made = [
        node("MatMul", ["x", "fc1.weight"], ["a"], "/fc1/MatMul"), node("Relu", ["a"], ["b"], "/Relu"),
        node("MatMul", ["b", "fc2.weight"], ["c"], "/fc2/MatMul"),
        node("Add", ["c", "fc2.bias"], ["y"], "/fc2/Add"),
    ]  # fmt: skip
    plain = make_model(made, [tensor("x", 5, 64)], [unknown("y")], stored)
    packer = quantizer.MatMulNBitsQuantizer(plain, block_size=32)
    packer.process()
    packed = packer.model.model
    assert [each.op_type for each in packed.graph.node].count("MatMulNBits") == 2
    for each in (plain, packed):
        cost = count(each)
        assert (cost.macs, cost.params) == (2 * 5 * 64 * 128, 2 * 64 * 128 + 64)
        assert sum_by_layer(cost) == {"fc1": 5 * 64 * 128, "fc2": 5 * 64 * 128}
