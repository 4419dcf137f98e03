"""Networks that onnxruntime quantised, against the float ones that they were made from."""

import io

import numpy as np
import pytest
import torch
from torch import nn

import resflops
from resflops.sources.onnx_files import Given, read_trace

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
