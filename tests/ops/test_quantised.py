"""Quantised layers against their plain twins: the same multiply-accumulates, bias adds and gates."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.ao import quantization
from torch.ao.nn import quantized

import resflops
from resflops.ops import OPS
from resflops.records import OpRecord, Work, add_works

IMAGE = {1: (1, 16, 5), 2: (1, 16, 5, 4), 3: (1, 16, 5, 4, 3)}


def quantise_dynamically(layer, dtype=torch.qint8):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantization.quantize_dynamic(nn.Sequential(layer).eval(), {type(layer)}, dtype=dtype)


def quantise(layer, shape):
    model = nn.Sequential(quantization.QuantStub(), layer, quantization.DeQuantStub()).eval()
    model.qconfig = quantization.QConfig(
        activation=quantization.default_observer, weight=quantization.default_weight_observer
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.prepare(model, inplace=True)
        model(torch.zeros(shape))
        return quantization.convert(model, inplace=True)


@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16])
@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        # 3·6 rows; a gate has a matrix for the input and one for the state.
        pytest.param(nn.LSTM(12, 20), 18 * 4 * 20 * (12 + 20), id="lstm"),
        pytest.param(nn.GRU(12, 20), 18 * 3 * 20 * (12 + 20), id="gru"),
        pytest.param(
            nn.LSTM(12, 20, num_layers=2, bidirectional=True),
            18 * 2 * 80 * (12 + 20 + 40 + 20),
            id="both ways, two layers",
        ),
    ],
)
def test_a_network_counts_as_its_twin(layer, macs, dtype):
    if dtype == torch.float16 and not isinstance(layer, nn.LSTM):
        pytest.skip("torch has no half GRU")
    quantised = resflops.count(quantise_dynamically(layer, dtype), (3, 6, 12), convention="flops")
    plain = resflops.count(nn.Sequential(layer).eval(), (3, 6, 12), convention="flops")
    assert quantised.complete
    assert (quantised.macs, quantised.total) == (macs, plain.total)


@pytest.mark.parametrize(
    ("layer", "gates"),
    [(nn.LSTMCell(12, 20), 4), (nn.GRUCell(12, 20), 3), (nn.RNNCell(12, 20), 1),
     (nn.RNNCell(12, 20, nonlinearity="relu"), 1)],
)  # fmt: skip
def test_a_cell_counts_as_its_twin(layer, gates):
    quantised = resflops.count(quantise_dynamically(layer), (3, 12), convention="flops")
    plain = resflops.count(nn.Sequential(layer).eval(), (3, 12), convention="flops")
    assert quantised.complete
    assert quantised.macs == plain.macs == 3 * gates * 20 * (12 + 20)


@pytest.mark.parametrize("spatial", [1, 2])
def test_a_transposed_convolution_counts_as_its_twin(spatial):
    layer = getattr(nn, f"ConvTranspose{spatial}d")(16, 8, 3, stride=2, padding=1, output_padding=1, groups=2)
    plain = resflops.count(nn.Sequential(layer).eval(), IMAGE[spatial])
    quantised = resflops.count(quantise(layer, IMAGE[spatial]), IMAGE[spatial])
    assert quantised.complete
    assert quantised.macs == plain.macs
    assert quantised.work.bias_adds == plain.work.bias_adds


ROWS = (2, 3, 4)
KERNELS = torch.ops.quantized


class Quantised(nn.Module):
    """A function of a quantised tensor."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        x = torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)
        return torch.dequantize(self.function(x))


class Plain(Quantised):
    def forward(self, x):
        return self.function(x)


def measure(model, shape=ROWS):
    cost = resflops.count(model, torch.rand(shape))
    assert cost.complete
    scaling = ("quantize_per_tensor", "dequantize")
    return add_works(
        work for op, work in zip(cost.trace.ops, cost.works, strict=True) if op.op not in scaling and work
    )


@pytest.mark.parametrize(
    ("quantised", "plain"),
    [
        pytest.param(lambda x: KERNELS.add(x, x, 0.1, 0), lambda x: x + x, id="sum"),
        pytest.param(lambda x: KERNELS.add(x, 2.0), lambda x: x + 2, id="sum with a number"),
        pytest.param(lambda x: KERNELS.add_relu(x, x, 0.1, 0), lambda x: F.relu(x + x), id="rectified sum"),
        pytest.param(lambda x: KERNELS.add_scalar(x, 2.0), lambda x: x + 2, id="number added"),
        pytest.param(lambda x: KERNELS.mul(x, x, 0.1, 0), lambda x: x * x, id="product"),
        pytest.param(lambda x: KERNELS.mul_relu(x, x, 0.1, 0), lambda x: F.relu(x * x), id="rectified product"),
        pytest.param(lambda x: KERNELS.mul_scalar(x, 2.0), lambda x: x * 2, id="times a number"),
        pytest.param(lambda x: KERNELS.cat([x, x], 1, 0.1, 0), lambda x: torch.cat([x, x], 1), id="cat"),
        pytest.param(
            lambda x: KERNELS.cat_relu([x, x], 1, 0.1, 0), lambda x: F.relu(torch.cat([x, x], 1)), id="rectified cat"
        ),
        pytest.param(lambda x: KERNELS.matmul(x, x.mT, 0.1, 0), lambda x: x @ x.mT, id="matrix product"),
        pytest.param(lambda x: KERNELS.softmax(x, 1, 0.1, 0), lambda x: x.softmax(1), id="softmax"),
        pytest.param(lambda x: KERNELS.clamp(x, 0.0, 1.0), lambda x: x.clamp(0, 1), id="clamp"),
        pytest.param(lambda x: KERNELS.hardswish(x, 0.1, 0), F.hardswish, id="hardswish"),
        pytest.param(lambda x: KERNELS.sigmoid(x, 0.1, 0), torch.sigmoid, id="sigmoid"),
        pytest.param(lambda x: KERNELS.elu(x, 0.1, 0), F.elu, id="elu"),
        pytest.param(lambda x: KERNELS.celu(x, 0.1, 0), F.celu, id="celu"),
        pytest.param(lambda x: KERNELS.relu6(x), F.relu6, id="relu6"),
        pytest.param(
            lambda x: KERNELS.leaky_relu(x, 0.1, False, 0.1, 0), lambda x: F.leaky_relu(x, 0.1), id="leaky relu"
        ),
        pytest.param(lambda x: KERNELS.threshold(x, 0.1, 0.0), lambda x: F.threshold(x, 0.1, 0), id="threshold"),
        pytest.param(
            lambda x: KERNELS.layer_norm(x, [4], torch.ones(4), None, 1e-5, 0.1, 0),
            lambda x: F.layer_norm(x, [4], torch.ones(4)),
            id="layer norm",
        ),
        pytest.param(
            lambda x: KERNELS.group_norm(x, 3, torch.ones(3), torch.ones(3), 1e-5, 0.1, 0),
            lambda x: F.group_norm(x, 3, torch.ones(3), torch.ones(3)),
            id="group norm",
        ),
        pytest.param(
            lambda x: KERNELS.instance_norm(x, torch.ones(3), torch.ones(3), 1e-5, 0.1, 0),
            lambda x: F.instance_norm(x, weight=torch.ones(3), bias=torch.ones(3)),
            id="instance norm",
        ),
        pytest.param(
            lambda x: KERNELS.max_pool2d(x.unsqueeze(0), [2, 2], [1, 1], [0, 0], [1, 1], False),
            lambda x: F.max_pool2d(x.unsqueeze(0), 2, 1),
            id="max pool",
        ),
        pytest.param(lambda x: x.mean((1, 2)), lambda x: x.mean((1, 2)), id="mean"),
    ],
)  # fmt: skip
def test_a_quantised_op_counts_as_its_twin(quantised, plain):
    assert measure(Quantised(quantised)) == measure(Plain(plain))


@pytest.mark.parametrize(("suffix", "comparisons"), [("", 0), ("_relu", 2 * 3 * 25)])
def test_a_quantised_normalisation_counts_as_in_eval_mode(suffix, comparisons):
    statistics = [torch.ones(3)] * 4
    kernel = getattr(KERNELS, f"batch_norm2d{suffix}")
    image = (2, 3, 5, 5)
    twin = Plain(lambda x: F.batch_norm(x, *statistics))
    expected = add_works([measure(twin, image), Work(comparisons=comparisons)])
    assert measure(Quantised(lambda x: kernel(x, *statistics, 1e-5, 0.1, 0)), image) == expected


LINEAR = [(6, 4), (5, 4)]
CONVOLUTION = [(1, 3, 6, 6), (2, 3, 3, 3), (1, 2, 4, 4)]
FUSED = {"bias": True, "quantised": True, "groups": 1, "kernel": (3, 3)}


@pytest.mark.parametrize(
    ("op", "inputs", "output", "expected"),
    [
        ("linear_tanh", LINEAR, (6, 5), Work(macs=120, bias_adds=30, transcendental=30)),
        ("linear_leaky_relu", LINEAR, (6, 5), Work(macs=120, bias_adds=30, comparisons=30, arithmetic=30)),
        ("linear_relu", LINEAR, (6, 5), Work(macs=120, bias_adds=30, comparisons=30)),
        ("conv2d_add", CONVOLUTION, (1, 2, 4, 4), Work(macs=32 * 27, bias_adds=32, arithmetic=32)),
        ("conv2d_add_relu", CONVOLUTION, (1, 2, 4, 4),
         Work(macs=32 * 27, bias_adds=32, arithmetic=32, comparisons=32)),
    ],
)  # fmt: skip
def test_what_is_fused_to_a_layer_counts_beside_it(op, inputs, output, expected):
    record = OpRecord(op=op, layer="", input_shapes=tuple(inputs), output_shapes=(output,), attributes=FUSED)
    assert OPS[op].work(record) == expected


@pytest.mark.skipif("onednn" not in torch.backends.quantized.supported_engines, reason="needs oneDNN")
@pytest.mark.parametrize("name", ["linear_tanh", "linear_leaky_relu"])
def test_a_fused_product_is_known_by_its_kernel(name):
    slope = (0.1,) if name == "linear_leaky_relu" else ()

    def multiply(x):
        weight = torch.quantize_per_tensor(torch.rand(5, 4), 0.1, 0, torch.qint8)
        return getattr(KERNELS, name)(x, KERNELS.linear_prepack(weight, torch.rand(5)), 0.1, 0, *slope)

    engine = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = "onednn"
        assert measure(Quantised(multiply)).macs == 2 * 3 * 4 * 5
    finally:
        torch.backends.quantized.engine = engine


def test_a_quantised_table_counts_the_scaling_of_its_rows():
    table, bags = quantized.Embedding(10, 4), quantized.EmbeddingBag(10, 4, mode="sum")
    # 6 rows of 4, each element scaled and moved; in 2 bags of 3, two additions an element.
    indices = torch.zeros(2, 3, dtype=torch.int64)
    assert resflops.count(table, indices).work == Work(arithmetic=2 * 24)
    assert resflops.count(bags, indices).work == Work(arithmetic=2 * 24 + 2 * 2 * 4)
