"""TorchScript in other runtimes, by the older of torch's exporters."""

import pytest
import torch
from torch import nn

import resflops

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from resflops.latency.backends.exporters import export_script
from resflops.latency.failures import ExportError

BRIEF = {"device": "cpu", "rounds": 2, "seconds": 0.0, "warm_up": 0.0}


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, image):
        return self.head(self.norm(self.conv(image)).relu().mean((2, 3)))


class Unknown(nn.Module):
    def forward(self, rows):
        return torch.linalg.svd(rows)[1]


IMAGE = torch.ones(2, 3, 8, 8)


@pytest.fixture(params=["script", "trace"])
def script(request):
    small = Small().eval()
    return torch.jit.script(small) if request.param == "script" else torch.jit.trace(small, IMAGE)


def test_nodes_belong_to_the_layers_whose_tensors_they_take(script, tmp_path):
    names, nodes = export_script(script, (IMAGE,), {}, tmp_path / "model.onnx")
    assert len(names) == 1
    found = [(node.op, node.layers) for node in nodes if node.layers]
    assert found == [("Conv", ("conv",)), ("BatchNormalization", ("norm",)), ("Gemm", ("head",))]


def test_outputs_are_those_of_torch_and_layers_are_joined(script):
    (row,) = resflops.benchmark(script, IMAGE, backend="onnxruntime", layers=True, **BRIEF).rows
    assert row.series.failure is None
    assert row.output_error < 1e-5
    found = {name for layer in row.attribution.layers for name in layer.fused or (layer.name,)}
    assert {name for name, macs in row.workload.layer_macs.items() if macs} == {"conv", "head"} <= found


def test_layers_that_torch_cannot_mark_are_a_note(script):
    (row,) = resflops.benchmark(script, IMAGE, layers=True, **BRIEF).rows
    assert row.series.time
    assert row.series.notes == (
        "layers not measured: TorchScript takes no hooks, which mark where a layer begins and ends; "
        "--backend onnxruntime tells the time of its layers",
    )


def test_the_code_of_a_script_stays_as_it_is(script, tmp_path):
    before = str(script.graph)
    export_script(script, (IMAGE,), {}, tmp_path / "model.onnx")
    assert str(script.graph) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_what_onnx_lacks_is_told(tmp_path):
    with pytest.raises(ExportError, match="svd"):
        export_script(torch.jit.script(Unknown()), (torch.ones(3, 3),), {}, tmp_path / "model.onnx")
