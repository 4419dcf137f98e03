"""Quantised layers against their plain twins: the same multiply-accumulates, bias adds and gates."""

import warnings

import pytest
import torch
from torch import nn
from torch.ao import quantization

import resflops

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
