"""Real networks through onnxruntime, beside eager torch. No time is asserted, only what holds of any."""

import gc
import json
import logging
import re
import shutil
import tempfile
import weakref
from contextlib import closing
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from torch import nn

import resflops
from resflops.cli import main
from resflops.errors import UsageError
from resflops.latency import Configuration, Measurements
from resflops.latency.backends import export
from resflops.latency.backends.base import Subject
from resflops.latency.backends.export import ExportedModels
from resflops.latency.backends.registry import open_backend
from resflops.latency.devices import open_device
from resflops.latency.models import MeasurableModule

onnxruntime = pytest.importorskip("onnxruntime")
onnxscript = pytest.importorskip("onnxscript")

TORCH_26 = torch.__version__.startswith("2.6.") and Version(onnxscript.__version__) >= Version("0.5.4")
needs_an_exporter = pytest.mark.skipif(
    TORCH_26, reason="torch 2.6 exports BatchNorm with onnxscript 0.5.3 alone"
)

BRIEF = {"device": "cpu", "rounds": 2, "seconds": 0.0, "warm_up": 0.0}


class Block(nn.Module):
    """A transformer block with a second input, of which one is given by keyword."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, tokens, *, shift):
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed)[0]
        return {"tokens": tokens + self.mlp(tokens) + shift, "mean": tokens.mean()}


class Fails(nn.Module):
    """What torch cannot export: ONNX has no singular values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, rows):
        return torch.linalg.svdvals(self.layer(rows))


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.head = nn.Linear(8, 2)

    def forward(self, image):
        return self.head(self.relu(self.norm(self.conv(image))).mean((2, 3)))


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Temporary files have a folder of their own: beside this test, others have theirs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def find_folders():
    return set(Path(tempfile.gettempdir()).glob("resflops-*"))


@needs_an_exporter
@pytest.mark.parametrize("dtype", ["float32", "int8-dynamic", "int8-static"])
def test_a_network_is_timed_and_its_outputs_are_compared(dtype):
    before = find_folders()
    measured = resflops.benchmark("resnet20", (2, 3, 32, 32), backend="onnxruntime", dtype=dtype, **BRIEF)
    (row,) = measured.rows
    assert row.series.failure is None
    assert row.configuration == Configuration(
        model="resnet20", device="cpu", batch=2, dtype=dtype, backend="onnxruntime"
    )
    assert row.series.time.samples == 6
    assert row.workload.macs == resflops.count("resnet20", (2, 3, 32, 32)).macs
    if dtype == "float32":
        assert 0 < row.output_error < 1e-5
        assert row.series.notes == ()
    else:
        assert row.output_error > 1e-5
    assert find_folders() == before


def test_a_transformer_block_with_several_inputs_and_outputs():
    block = Block()
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    tokens, shift = torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    random = torch.get_rng_state()
    (row,) = resflops.benchmark(block, tokens, shift=shift, backend="onnxruntime", **BRIEF).rows
    assert row.series.failure is None
    assert row.output_error < 1e-3
    assert block.training
    assert all(torch.equal(before[name], tensor) for name, tensor in block.state_dict().items())
    assert not any(module._forward_hooks for module in block.modules())
    assert torch.equal(random, torch.get_rng_state())


@needs_an_exporter
def test_outputs_are_those_of_the_same_weights_as_torchs():
    exports = ExportedModels()
    try:
        model = Conv().eval()
        image = torch.randn(1, 3, 8, 8)
        configuration = Configuration(model="Conv", device="cpu", backend="onnxruntime")
        exported = exports.get(MeasurableModule(model, (image,), {}), configuration)
        with torch.no_grad():
            assert torch.equal(exported.outputs[0], model(image))
        assert exported.input_names == ("image",)
    finally:
        exports.close()


@pytest.mark.skipif(not TORCH_26, reason="for torch 2.6 with a newer onnxscript")
def test_an_exporter_too_new_for_torch_is_named():
    (row,) = resflops.benchmark(Conv(), (1, 3, 8, 8), backend="onnxruntime", **BRIEF).rows
    assert "torch 2.6 exports some layers with onnxscript 0.5.3 or older only" in row.series.failure.message


def test_what_cannot_be_exported_is_a_row_that_says_so():
    measured = resflops.benchmark(Fails(), torch.ones(2, 4), backend="onnxruntime", **BRIEF)
    failure = measured.rows[0].series.failure
    assert failure.kind == "could not be exported"
    assert "svd" in failure.message


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"training": True}, "backend 'onnxruntime' does not support training; leave out training, or use backend torch"),
        ({"autocast": True}, "backend 'onnxruntime' does not support autocast"),
        ({"mode": "cuda-graph"}, "mode 'cuda-graph' is not supported by backend 'onnxruntime'; backends that support it: torch"),
        ({"mode": "compile"}, "mode 'compile' is not supported by backend 'onnxruntime'; backends that support it: torch"),
        ({"memory_format": "channels_last"}, "memory format 'channels_last' is not supported by backend 'onnxruntime'"),
        ({"dtype": "float16"}, "dtype 'float16' is not supported by backend 'onnxruntime' on device 'cpu'; backends that support it: torch, openvino"),
        ({"backend": "onnxruntim"}, "backend 'onnxruntim' is unknown; closest: onnxruntime"),
    ],
    ids=lambda each: each if isinstance(each, str) else str(each),
)  # fmt: skip
def test_what_onnxruntime_does_not_take_is_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        resflops.benchmark("resnet20", (1, 3, 32, 32), **{"backend": "onnxruntime", **settings}, **BRIEF)


def bench(capsys, *arguments, status=0):
    brief = ["--device", "cpu", "--rounds", "2", "--seconds", "0", "--warm-up", "0", "--least", "2"]
    found = main(["bench", *arguments, *brief])
    captured = capsys.readouterr()
    assert found == status, captured.err
    return captured


@needs_an_exporter
def test_backends_are_an_axis_of_the_command(capsys, tmp_path):
    file = tmp_path / "both.json"
    names = ["torch", "onnxruntime"]
    arguments = ["resnet20", "--backend", *names, "--dtype", "float32", "int8-static", "--save", str(file)]
    out = bench(capsys, *arguments, "--format", "json").out
    rows = json.loads(out)["latency"]
    assert [(row["backend"], row["dtype"]) for row in rows] == [
        ("torch", "float32"), ("onnxruntime", "float32"), ("onnxruntime", "int8-static"),
    ]  # fmt: skip
    assert [row["weight_bytes"] for row in rows] == [
        size
        * (
            count := resflops.load("resnet20"),
            sum(t.numel() for t in [*count.parameters(), *count.buffers()]),
        )[1]
        for size in (4, 4, 1)
    ]
    assert rows[0]["output_error"] is None
    assert rows[1]["output_error"] < 1e-5
    stored = Measurements.load(file)
    facts = stored.environment.backends["onnxruntime"]
    assert facts["execution provider"] == "CPUExecutionProvider"
    assert facts["threads"] == str(torch.get_num_threads())
    assert [row.configuration.describe() for row in stored.rows][1:] == [
        "resnet20, batch 1, float32, onnxruntime", "resnet20, batch 1, int8-static, onnxruntime",
    ]  # fmt: skip
    shown = main(["bench", "--show", str(file), "--format", "markdown"])
    text = capsys.readouterr().out
    assert shown == 0
    assert "| backend" in text
    assert "| error" in text
    assert "onnxruntime execution provider CPUExecutionProvider" in text


@needs_an_exporter
def test_facts_of_a_backend_are_compared_where_both_runs_use_it(capsys, tmp_path):
    file = tmp_path / "resumed.json"
    bench(capsys, "resnet20", "--save", str(file))
    bench(capsys, "resnet20", "--backend", "torch", "onnxruntime", "--save", str(file), "--resume")
    assert len(Measurements.load(file).rows) == 2
    version = Measurements.load(file).environment.backends["onnxruntime"]["version"]
    file.write_text(file.read_text().replace(f'"version": "{version}"', '"version": "1.0.0"'))
    bench(capsys, "resnet20", "--save", str(file), "--resume")
    refused = bench(capsys, "resnet20", "--backend", "onnxruntime", "--save", str(file), "--resume", status=2)
    assert f"onnxruntime version {version} against 1.0.0" in refused.err


def test_files_of_before_backends_are_of_torch(tmp_path, capsys):
    file = tmp_path / "older.json"
    bench(capsys, "resnet20", "--save", str(file))
    text = file.read_text()
    older = re.sub(r',\s*"backend": "torch"', "", re.sub(r',\s*"backends": {}', "", text))
    assert '"backend"' not in older
    assert '"backends"' not in older
    file.write_text(older)
    stored = Measurements.load(file)
    assert stored.rows[0].configuration.backend == "torch"
    assert stored.environment.backends == {}


def test_the_axis_is_named_where_it_is_mistyped(capsys):
    refused = bench(capsys, "resnet20", "--backend", "onnx-rutime", status=2)
    assert "--backend 'onnx-rutime' is unknown; closest: onnxruntime" in refused.err


def test_an_extra_that_is_not_installed_is_named(capsys, monkeypatch):
    from resflops.latency.backends import support

    monkeypatch.setattr(support, "find_spec", lambda name: None if name == "onnxruntime" else name)
    refused = bench(capsys, "resnet20", "--backend", "onnxruntime", status=2)
    assert (
        "needs onnxruntime, which is not installed; install with: pip install 'resflops[onnxruntime]'"
        in refused.err
    )


@needs_an_exporter
def test_layers_are_joined_by_the_scopes_that_were_exported():
    (row,) = resflops.benchmark(
        Conv(), (1, 3, 32, 32), backend="onnxruntime", layers=True, **{**BRIEF, "seconds": 0.01}
    ).rows
    assert row.series.notes == ()
    found = {layer.name: layer.fused for layer in row.attribution.layers}
    assert found["conv + norm + relu"] == ("conv", "norm", "relu")
    assert "head" in found
    assert "(between nodes)" in found
    total = sum(layer.seconds for layer in row.attribution.layers)
    assert total == pytest.approx(row.attribution.seconds, rel=0.5)


def test_outputs_that_are_wrong_are_noted_and_the_time_stands(monkeypatch):
    from resflops.latency.backends import agreement

    monkeypatch.setitem(agreement.LIMITS, "float32", 1e-12)
    (row,) = resflops.benchmark(
        Block(), torch.randn(2, 5, 16), shift=torch.ones(1), backend="onnxruntime", **BRIEF
    ).rows
    assert row.series.time
    (note,) = row.series.notes
    assert "its outputs differ from those of eager torch by" in note
    assert "more than the 1e-12 that float32 is allowed" in note


def test_nothing_is_printed_and_what_was_set_is_given_back(capfd, recwarn):
    before = logging.root.manager.disable, torch.get_num_threads()
    resflops.benchmark(
        Block(),
        torch.randn(2, 5, 16),
        shift=torch.ones(1),
        backend="onnxruntime",
        dtype="int8-static",
        **BRIEF,
    )
    assert (logging.root.manager.disable, torch.get_num_threads()) == before
    out, err = capfd.readouterr()
    assert out == ""
    # torch's own, where it has CUDA's tools and no GPU.
    assert [line for line in err.splitlines() if "No CUDA runtime" not in line] == []
    assert [str(each.message) for each in recwarn] == []


def test_every_layer_with_multiply_accumulates_is_found_in_a_transformer():
    (row,) = resflops.benchmark(
        Block(), torch.randn(2, 5, 16), shift=torch.ones(1), backend="onnxruntime", layers=True, **BRIEF
    ).rows
    found = {name for layer in row.attribution.layers for name in layer.fused or (layer.name,)}
    assert {name for name, macs in row.workload.layer_macs.items() if macs} <= found


def configure(**settings):
    return Configuration(model="Block", **{"device": "cpu", "backend": "onnxruntime", **settings})


@pytest.fixture
def exports():
    with closing(ExportedModels()) as made:
        yield made


def make_subject(exports, configuration):
    device, _ = open_device(configuration.device)
    model = MeasurableModule(Block(), (torch.randn(2, 5, 16),), {"shift": torch.ones(1)})
    return Subject(model=model, configuration=configuration, device=device, exports=exports)


def test_a_session_that_is_released_is_gone_and_its_model_is_exported_once(exports):
    subject, backend = make_subject(exports, configure()), open_backend("onnxruntime")
    prepared = backend.prepare(subject)
    session = next(cell.cell_contents for cell in prepared.step.__closure__ if isinstance(cell.cell_contents, onnxruntime.InferenceSession))  # fmt: skip
    gone = weakref.ref(session)
    file = exports.get(subject.model, subject.configuration).path
    written = file.stat().st_mtime_ns
    del prepared, session
    gc.collect()
    assert gone() is None
    backend.prepare(subject)
    assert exports.get(subject.model, subject.configuration).path == file
    assert file.stat().st_mtime_ns == written


def test_settings_share_one_export_and_batches_do_not(exports):
    subject = make_subject(exports, configure())
    files = {
        exports.get(subject.model, configure(dtype=dtype, backend=backend, batch=batch)).path
        for dtype, backend, batch in (
            ("float32", "onnxruntime", 1), ("int8-static", "onnxruntime", 1), ("bfloat16", "openvino", 1),
            ("float32", "onnxruntime", 2),
        )
    }  # fmt: skip
    assert len(files) == 2


def test_exports_make_room_for_each_other_on_the_disk(exports, monkeypatch):
    subject = make_subject(exports, configure())
    first = exports.get(subject.model, configure(batch=1)).path
    monkeypatch.setattr(export, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    second = exports.get(subject.model, configure(batch=2)).path
    assert (first.exists(), second.exists()) == (False, True)
    assert exports.get(subject.model, configure(batch=1)).path.exists()


def test_an_interrupt_leaves_no_files(monkeypatch):
    before = find_folders()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("resflops.latency.backends.onnxruntime.open_session", interrupt)
    with pytest.raises(KeyboardInterrupt):
        resflops.benchmark(
            Block(), torch.randn(2, 5, 16), shift=torch.ones(1), backend="onnxruntime", **BRIEF
        )
    assert find_folders() == before


@pytest.mark.gpu
@pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs onnxruntime-gpu"
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_inputs_and_outputs_are_bound_on_a_gpu(dtype):
    (row,) = resflops.benchmark(
        "resnet20", (2, 3, 32, 32), backend="onnxruntime", dtype=dtype, **{**BRIEF, "device": "cuda"}
    ).rows
    assert row.series.failure is None
    assert row.output_error < {"float32": 1e-3, "float16": 2e-2}[dtype]
    assert all(sample > 0 for each in row.series.rounds for sample in (*each.gpu, *each.wall))
    # It allocates where torch does not count.
    assert row.series.peak_bytes is None


def test_a_provider_that_is_not_installed_is_named():
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime-gpu is installed")
    with pytest.raises(
        UsageError, match="has no CUDAExecutionProvider; install with: pip install onnxruntime-gpu"
    ):
        open_backend("onnxruntime").check_available("cuda:0")


@needs_an_exporter
def test_files_are_removed_at_the_end():
    exports = ExportedModels()
    configuration = Configuration(model="Conv", device="cpu", backend="onnxruntime")
    exported = exports.get(MeasurableModule(Conv(), (torch.ones(1, 3, 8, 8),), {}), configuration)
    assert exported.path.exists()
    assert exports.get(None, configuration) is exported
    exports.close()
    assert not exported.path.exists()
