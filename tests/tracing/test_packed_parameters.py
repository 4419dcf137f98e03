"""Parameters of quantised layers: each counts as the weight that it stands for."""

import copy
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.nn import quantized
from torch.ao.nn.quantized import dynamic
from torch.nn.functional import linear

import resflops

ENGINE = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="needs fbgemm's packed weights"
)


def count_weights(model):
    return sum(parameter.numel() for parameter in model.parameters())


def quantise(model, *inputs):
    model = copy.deepcopy(model).eval()
    model.qconfig = quantization.get_default_qconfig("fbgemm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.prepare(model, inplace=True)
        model(*inputs)
        return quantization.convert(model, inplace=True)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.quantise, self.give_back = quantization.QuantStub(), quantization.DeQuantStub()
        self.stem = nn.Conv2d(3, 6, 3, groups=3, bias=False)
        self.head = nn.Linear(6, 5)

    def forward(self, image):
        return self.give_back(self.head(self.stem(self.quantise(image)).mean((2, 3))))


@ENGINE
def test_a_quantised_network_has_as_many_parameters_as_the_one_it_was_made_of():
    plain, image = Classifier(), torch.rand(2, 3, 6, 6)
    cost = resflops.count(quantise(plain, image), image)
    assert cost.complete
    # 6 filters of one channel, and 5 rows of 6 with their biases. The scales are none of the network's.
    assert cost.params == count_weights(plain) == 6 * 9 + 5 * 6 + 5
    assert {row.name: row.params for row in cost.layers if row.params} == {"stem": 54, "head": 35}
    assert cost.trace.trainable == 0


@ENGINE
@pytest.mark.parametrize(
    ("quantised", "plain"),
    [
        pytest.param(quantized.Conv1d(4, 6, 3, groups=2), nn.Conv1d(4, 6, 3, groups=2), id="conv1d"),
        pytest.param(quantized.ConvTranspose2d(4, 6, 3), nn.ConvTranspose2d(4, 6, 3), id="transposed"),
        pytest.param(dynamic.LSTM(4, 3, 2, bidirectional=True), nn.LSTM(4, 3, 2, bidirectional=True), id="lstm"),
        pytest.param(dynamic.LSTM(4, 3, dtype=torch.float16), nn.LSTM(4, 3), id="half-lstm"),
        pytest.param(dynamic.GRU(4, 3), nn.GRU(4, 3), id="gru"),
        pytest.param(dynamic.LSTMCell(4, 3), nn.LSTMCell(4, 3), id="cell"),
        pytest.param(dynamic.Linear(4, 3, dtype=torch.float16), nn.Linear(4, 3), id="half-linear"),
        pytest.param(quantized.Embedding(10, 4), nn.Embedding(10, 4), id="embedding"),
        pytest.param(quantized.BatchNorm2d(4), nn.BatchNorm2d(4), id="normalisation"),
        pytest.param(quantized.PReLU(0.1, 0), nn.PReLU(), id="prelu"),
    ],
)  # fmt: skip
def test_a_quantised_layer_lists_the_tensors_of_its_twin(quantised, plain):
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = quantised

        def forward(self, x):
            return x * 2

    (record,) = (each for each in resflops.trace(Unused(), (1,)).modules if each.path == "part")
    assert {tensor.name: tensor.shape for tensor in record.parameters} == {
        name: tuple(tensor.shape) for name, tensor in plain.named_parameters()
    }


@ENGINE
def test_a_function_of_a_quantised_graph_keeps_its_weight_in_the_graph():
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix, self.offset = nn.Parameter(torch.rand(5, 4)), nn.Parameter(torch.rand(5))

        def forward(self, x):
            return linear(x, self.matrix, self.offset)

    rows = torch.rand(2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mapping = quantization.get_default_qconfig_mapping("fbgemm")
        graph = prepare_fx(Product().eval(), mapping, (rows,))
        graph(rows)
        graph = convert_fx(graph)
    assert resflops.count(graph, rows).params == 5 * 4 + 5


class Params4bit(nn.Parameter):
    """A stand-in for bitsandbytes' parameter: two values a byte, and the rest in ``quant_state``."""

    def __new__(cls, shape):
        made = torch.Tensor._make_subclass(
            cls, torch.zeros(torch.Size(shape).numel() // 2, 1, dtype=torch.uint8)
        )
        made.quant_state = SimpleNamespace(shape=torch.Size(shape), absmax=torch.ones(1))
        return made


class Linear4bit(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.weight = Params4bit((outputs, inputs))

    def forward(self, x):
        packed = self.weight.flatten()
        codes = torch.stack([packed >> 4, packed & 15], 1).reshape(self.weight.quant_state.shape)
        return linear(x, codes.to(x.dtype), self.bias)


def test_a_parameter_of_two_values_a_byte_counts_every_value():
    model = nn.Sequential(nn.Linear(8, 8), Linear4bit(8, 6), nn.ReLU())
    before = dict(vars(model[1].weight))
    cost = resflops.count(model, (2, 8))
    assert cost.params == 8 * 8 + 8 + 6 * 8 + 6
    assert [tensor.shape for tensor in cost.trace.module_at["1"].parameters] == [(6, 8), (6,)]
    assert vars(model[1].weight) == before
    assert cost.macs == 2 * 8 * 8 + 2 * 8 * 6


def test_a_tied_packed_parameter_counts_once():
    model = nn.Sequential(Linear4bit(6, 6), Linear4bit(6, 6))
    model[1].weight = model[0].weight
    assert resflops.count(model, (1, 6)).params == 6 * 6 + 6 + 6


class PackedLinear(nn.Module):
    """A stand-in for layers that pack their weight: only sizes, names and element types matter here."""

    def __init__(self, name, stored, *, names=("in_features", "out_features"), bias=False, parameter=False):
        super().__init__()
        for each, size in zip(names, (16, 12), strict=True):
            setattr(self, each, size)
        if parameter:
            self.register_parameter(name, nn.Parameter(stored, requires_grad=False))
        else:
            self.register_buffer(name, stored)
        self.register_buffer("scales", torch.ones(2, 12))
        self.register_buffer("bias", torch.zeros(12) if bias else None)

    def forward(self, x):
        return x + 1


WORDS = torch.zeros(2, 12, dtype=torch.int32)


@pytest.mark.parametrize(
    ("layer", "params"),
    [
        pytest.param(PackedLinear("qweight", WORDS, bias=True), 16 * 12 + 12, id="gptq"),
        pytest.param(PackedLinear("qweight", torch.zeros(16, 2, dtype=torch.int32)), 16 * 12, id="awq"),
        pytest.param(PackedLinear("B", WORDS, names=("infeatures", "outfeatures")), 16 * 12, id="marlin"),
        pytest.param(PackedLinear("weight", torch.zeros(12, 16, dtype=torch.int8)), 16 * 12, id="int8"),
        pytest.param(PackedLinear("weight", torch.zeros(3, 16, dtype=torch.uint8)), 16 * 12, id="ternary"),
        pytest.param(PackedLinear("W_q", torch.zeros(96, 1, dtype=torch.uint8), parameter=True), 16 * 12, id="hqq"),
        pytest.param(PackedLinear("weight_packed", WORDS, parameter=True), 16 * 12, id="compressed-tensors"),
        # A table of its own that merely lies beside sizes.
        pytest.param(PackedLinear("table", WORDS), 0, id="another buffer"),
        pytest.param(PackedLinear("weight", torch.zeros(12, 16)), 0, id="a float buffer"),
    ],
)  # fmt: skip
def test_a_packed_linear_layer_has_the_weights_that_its_sizes_say(layer, params):
    cost = resflops.count(nn.Sequential(nn.Linear(16, 16), layer), (2, 16))
    assert cost.params == 16 * 16 + 16 + params
    listed = [tensor.name for tensor in cost.trace.module_at["1"].buffers]
    assert "scales" in listed
    assert ("bias" in listed) is False


class Scaled(torch.Tensor):
    """A stand-in for torchao's tensors: a matrix of its logical shape, which wraps codes and scales."""

    @staticmethod
    def __new__(cls, codes, scale):
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=scale.dtype, device=codes.device)

    def __init__(self, codes, scale):
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self):
        return ["codes", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, context, size, stride):
        return cls(inner["codes"], inner["scale"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return cls(args[0].codes, args[0].scale)
        plain = [
            each.codes.to(each.scale.dtype) * each.scale if isinstance(each, cls) else each for each in args
        ]
        return func(*plain, **(kwargs or {}))


def test_a_tensor_that_wraps_codes_counts_by_its_own_shape():
    layer = nn.Linear(8, 6)
    layer.weight = nn.Parameter(
        Scaled(torch.zeros(6, 8, dtype=torch.int8), torch.ones(6, 1)), requires_grad=False
    )
    assert resflops.count(nn.Sequential(layer), torch.zeros(2, 8)).params == 6 * 8 + 6


def test_a_fake_quantised_network_has_the_parameters_of_its_plain_one():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    model = copy.deepcopy(plain).train()
    model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.prepare_qat(model, inplace=True)
        cost = resflops.count(model, (1, 3, 6, 6))
    assert cost.params == count_weights(plain)
