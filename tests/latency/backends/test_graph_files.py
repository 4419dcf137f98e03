"""ONNX files that are measured as they are. No time is asserted, only what holds of any."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

import resflops
from resflops.cli import main
from resflops.errors import InputError, ModelError, ResflopsError
from resflops.latency import Configuration, Measurements

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from onnx import TensorProto, helper  # noqa: E402
from onnx.external_data_helper import convert_model_to_external_data  # noqa: E402

from resflops.latency.backends.graph_files import MeasurableGraph  # noqa: E402
from resflops.sources import find  # noqa: E402
from tests.sources.onnx_files.graphs import BOOL, FLOAT, INT64, constant, graph, model, node, tensor  # noqa: E402

BRIEF = {"device": "cpu", "backend": "onnxruntime", "rounds": 2, "seconds": 0.0, "warm_up": 0.0}

UNCHECKED = "its outputs were not checked: there is no eager torch to compare an ONNX file with"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Temporary files have a folder of their own: beside this test, others have theirs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)


def random(name, *shape, dtype="float32"):
    values = np.random.default_rng(0).standard_normal(shape) * 0.1
    return onnx.numpy_helper.from_array(values.astype(dtype), name)


def make_network(batch="batch", dtype="float32"):
    """Make a convolution and a classifier, under the names that torch's older exporter gives them."""
    kind = {"float32": FLOAT, "float16": TensorProto.FLOAT16}[dtype]
    return model(
        [
            node("Conv", ["image", "conv.weight"], ["c"], name="/conv/Conv", pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["r"], name="/relu/Relu"),
            node("GlobalAveragePool", ["r"], ["p"], name="/pool/Pool"),
            node("Flatten", ["p"], ["f"], name="/Flatten"),
            node("Gemm", ["f", "head.weight"], ["y"], name="/head/Gemm", transB=1),
        ],
        [tensor("image", batch, 3, 8, 8, dtype=kind)],
        [tensor("y", batch, 2, dtype=kind)],
        [random("conv.weight", 8, 3, 3, 3, dtype=dtype), random("head.weight", 2, 8, dtype=dtype)],
        opset=17,
    )


MACS = 8 * 8 * 8 * 27 + 2 * 8
"""Of the network, for one image."""


@pytest.fixture
def file(tmp_path):
    onnx.save(make_network(), tmp_path / "network.onnx")
    return "network.onnx"


def bench(capsys, *arguments, status=0):
    brief = ["--device", "cpu", "--rounds", "2", "--seconds", "0", "--warm-up", "0", "--least", "2"]
    found = main(["bench", *arguments, *brief])
    captured = capsys.readouterr()
    assert found == status, captured.err
    return captured


def bench_rows(capsys, *arguments, status=0):
    out = bench(capsys, *arguments, "--format", "json", status=status).out
    return json.loads(out)["latency"]


def list_files():
    return sorted(path.name for path in Path().rglob("*") if path.is_file())


def test_a_file_is_timed_as_it_is_and_nothing_is_left_beside_it(file):
    before = Path(file).read_bytes()
    (row,) = resflops.benchmark(file, (2, 3, 8, 8), **BRIEF).rows
    assert row.series.failure is None
    assert row.configuration == Configuration(
        model=file, device="cpu", batch=2, dtype="float32", backend="onnxruntime"
    )
    assert row.series.time.samples == 6
    assert row.workload.macs == resflops.count(file, (2, 3, 8, 8)).macs == 2 * MACS
    assert Path(file).read_bytes() == before
    assert list_files() == ["network.onnx"]


def test_no_outputs_are_compared_and_a_note_says_so(file):
    (row,) = resflops.benchmark(file, **BRIEF).rows
    assert row.output_error is None
    assert row.series.notes == (UNCHECKED,)


def test_a_path_and_a_loaded_graph_are_measured_alike(file):
    for given, name in ((Path(file), file), (onnx.load(file), "graph")):
        (row,) = resflops.benchmark(given, (4, 3, 8, 8), **BRIEF).rows
        assert row.series.failure is None
        assert row.configuration.model == name
        assert row.configuration.batch == 4
        assert row.workload.macs == 4 * MACS
    assert list_files() == ["network.onnx"]


def open_graph(file, folder, configuration=None, **given):
    return MeasurableGraph(find(file), **given).open_file(
        configuration or Configuration(model=file, device="cpu", batch=3, backend="onnxruntime"), folder
    )


def test_the_file_is_opened_where_it_lies_and_fed_with_what_is_counted(file, tmp_path):
    opened = open_graph(file, tmp_path / "temporary")
    assert opened.path.samefile(file)
    assert opened.input_names == ("image",)
    assert [tuple(each.shape) for each in opened.inputs] == [(3, 3, 8, 8)]
    assert opened.size == Path(file).stat().st_size


def test_values_that_are_given_are_those_that_are_fed(file, monkeypatch):
    fed = []
    image = np.full((1, 3, 8, 8), 0.5)
    original = MeasurableGraph.open_file
    monkeypatch.setattr(MeasurableGraph, "open_file", lambda *args: fed.append(original(*args)) or fed[-1])
    resflops.benchmark(file, image=image, **BRIEF)
    assert torch.equal(fed[0].inputs[0], torch.full((1, 3, 8, 8), 0.5))


@pytest.mark.parametrize("dtype", ["int8-static", "int8-dynamic"])
def test_a_file_is_quantised_into_a_temporary_one(file, dtype):
    (row,) = resflops.benchmark(file, dtype=dtype, **BRIEF).rows
    assert row.series.failure is None
    assert row.configuration.dtype == dtype
    assert list_files() == ["network.onnx"]


def test_weights_beside_the_file_are_found_and_missing_ones_named(tmp_path):
    apart = make_network()
    convert_model_to_external_data(apart, location="weights.bin", size_threshold=0)
    onnx.save(apart, tmp_path / "apart.onnx")
    for settings in ({}, {"dtype": "int8-static"}, {"layers": True}):
        (row,) = resflops.benchmark("apart.onnx", **settings, **BRIEF).rows
        assert (row.series.failure, row.series.notes) == (None, (UNCHECKED,))
    assert list_files() == ["apart.onnx", "weights.bin"]
    Path("weights.bin").unlink()
    (row,) = resflops.benchmark("apart.onnx", **BRIEF).rows
    assert (
        "'apart.onnx' has its weights in 'weights.bin', and there is no such file"
        in row.series.failure.message
    )
    assert row.workload.macs == MACS


def test_layers_have_the_names_that_they_have_in_the_count(file):
    (row,) = resflops.benchmark(file, layers=True, **BRIEF).rows
    found = {layer.name: layer.fused for layer in row.attribution.layers}
    assert found["conv + relu"] == ("conv", "relu")
    assert "head" in found
    assert {name for name, macs in row.workload.layer_macs.items() if macs} == {"conv", "head"}


def test_a_relu_with_limits_from_constants_is_fused_into_its_convolution():
    """As those of MobileNet, of which torch's older exporter makes a Clip between two Constant nodes."""
    limits = [
        node("Constant", [], [name], value_float=value) for name, value in (("low", 0.0), ("high", 6.0))
    ]
    made = model(
        [
            *limits,
            node("Conv", ["image", "w"], ["c"], name="/conv/Conv", pads=[1, 1, 1, 1]),
            node("Clip", ["c", "low", "high"], ["r"], name="/relu6/Clip"),
            node("Conv", ["r", "v"], ["y"], name="/last/Conv", pads=[1, 1, 1, 1]),
        ],
        [tensor("image", 1, 3, 8, 8)],
        [tensor("y", 1, 8, 8, 8)],
        [random("w", 8, 3, 3, 3), random("v", 8, 8, 3, 3)],
        opset=17,
    )
    (row,) = resflops.benchmark(made, layers=True, **BRIEF).rows
    found = [layer.fused or (layer.name,) for layer in row.attribution.layers]
    assert ("conv", "relu6") in found
    assert ("last",) in found


def make_unnamed():
    """Make a graph whose nodes have no names: a product, a branch and a product."""
    branches = {
        name: graph([node(op, ["a"], [name])], [], [tensor(name, 1, 8)], name=name)
        for name, op in (("then_branch", "Relu"), ("else_branch", "Neg"))
    }
    return model(
        [
            node("MatMul", ["x", "w"], ["a"]),
            node("ReduceSum", ["a"], ["s"], keepdims=0),
            node("Greater", ["s", "zero"], ["c"]),
            node("If", ["c"], ["r"], **branches),
            node("MatMul", ["r", "w"], ["y"]),
        ],
        [tensor("x", 1, 8)],
        [tensor("y", 1, 8)],
        [random("w", 8, 8), constant("zero", 0, "float32")],
        opset=17,
    )


def test_nodes_without_names_have_layers_and_those_in_a_node_are_a_part_of_it():
    (row,) = resflops.benchmark(make_unnamed(), layers=True, **BRIEF).rows
    found = {layer.name for layer in row.attribution.layers}
    assert {"MatMul_0", "MatMul_1"} <= found
    assert set(row.workload.layer_macs) >= {"MatMul_0", "MatMul_1"}
    # Neither the branch that ran nor its node is counted beside the other.
    assert not found & {"(Relu)", "(Neg)", "(If)", "(MatMul)"}


def test_tokens_and_masks_are_what_the_graph_takes():
    made = model(
        [
            node("Gather", ["table", "tokens"], ["e"]),
            node("Cast", ["mask"], ["m"], to=FLOAT),
            node("Unsqueeze", ["m", "axis"], ["u"]),
            node("Mul", ["e", "u"], ["y"]),
        ],
        [tensor("tokens", "batch", "length", dtype=INT64), tensor("mask", "batch", "length", dtype=BOOL)],
        [tensor("y", "batch", "length", 4)],
        [random("table", 5, 4), constant("axis", [2])],
    )
    onnx.save(made, "tokens.onnx")
    (row,) = resflops.benchmark("tokens.onnx,length=64", **BRIEF).rows
    assert row.series.failure is None
    (row,) = resflops.benchmark("tokens.onnx", (2, 64), **BRIEF).rows
    assert (row.series.failure, row.configuration.batch) == (None, 2)
    with pytest.raises(InputError, match="leaves sizes open: batch, length"):
        resflops.benchmark("tokens.onnx", **BRIEF)


def test_torch_is_not_given_a_graph(file, capsys):
    with pytest.raises(ModelError, match="is an ONNX graph, which cannot be built as a PyTorch module"):
        resflops.benchmark(file, (1, 3, 8, 8), device="cpu")
    refused = bench(capsys, file, status=2)
    assert refused.out == ""
    assert "--backend onnxruntime" in refused.err
    rows = bench_rows(capsys, file, "--backend", "torch", "onnxruntime")
    assert [(row["backend"], "cannot be built as a PyTorch module" in row["error"]) for row in rows] == [
        ("torch", True), ("onnxruntime", False),
    ]  # fmt: skip


def test_batches_are_those_of_the_command_where_the_file_leaves_them_open(file, capsys):
    rows = bench_rows(capsys, file, "--backend", "onnxruntime", "--batch", "1", "3")
    assert [(row["batch"], row["macs"]) for row in rows] == [(1, MACS), (3, 3 * MACS)]
    assert all(row["items_per_second"] for row in rows)


def test_a_batch_that_the_file_fixes_is_measured_and_another_one_refused(capsys, tmp_path):
    onnx.save(make_network(batch=2), tmp_path / "fixed.onnx")
    (row,) = bench_rows(capsys, "fixed.onnx", "--backend", "onnxruntime")
    assert (row["batch"], row["macs"]) == (2, 2 * MACS)
    rows = bench_rows(capsys, "fixed.onnx", "--backend", "onnxruntime", "--batch", "2", "4")
    assert rows[0]["error"] == ""
    assert (
        "size 0 of its input image is 4, but the file fixes it to be 2 (2×3×8×8); give one that fits"
        in rows[1]["error"]
    )


def test_a_shape_sets_what_is_open(capsys, tmp_path):
    made = make_network()
    for axis in (2, 3):
        made.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    onnx.save(made, tmp_path / "open.onnx")
    (row,) = bench_rows(capsys, "open.onnx", "--backend", "onnxruntime", "--input", "3x4x4", "--batch", "2")
    assert row["macs"] == 2 * (8 * 4 * 4 * 27 + 16)
    (row,) = bench_rows(capsys, "open.onnx,side2=4,side3=4", "--backend", "onnxruntime")
    assert row["macs"] == 8 * 4 * 4 * 27 + 16


def test_a_row_has_the_type_of_the_file_and_says_how_it_is_computed(capsys, tmp_path):
    onnx.save(make_network(dtype="float16"), tmp_path / "half.onnx")
    out = bench(capsys, "half.onnx", "--backend", "onnxruntime", "--save", "half.json").out
    assert "on the CPU onnxruntime computes float16 in float32, and casts before and after" in " ".join(
        out.split()
    )
    (row,) = Measurements.load("half.json").rows
    assert row.configuration.dtype == "float16"
    assert row.series.failure is None


def test_another_type_than_that_of_the_file_is_refused(capsys, tmp_path):
    onnx.save(make_network(dtype="float16"), tmp_path / "half.onnx")
    rows = bench_rows(capsys, "half.onnx", "--backend", "onnxruntime", "--dtype", "float32", "int8-static")
    assert [(row["dtype"], row["error"]) for row in rows] == [
        ("float16", ""),
        ("int8-static", "dtype not supported: dtype int8-static is not supported: the types are fixed in the "
         "ONNX file, which computes in float16; leave it out, or convert the file"),
    ]  # fmt: skip


def test_a_quantised_file_is_run_as_it_is(file, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(file, "quantised.onnx", op_types_to_quantize=["Gemm", "MatMul"])
    (row,) = resflops.benchmark("quantised.onnx", **BRIEF).rows
    assert row.series.failure is None
    assert row.configuration.dtype == "int8-dynamic"


def test_what_onnxruntime_refuses_is_a_row_with_its_reason():
    made = model([node("Whatever", ["x"], ["y"], domain="nobody")], [tensor("x", 1, 8)], [tensor("y", 1, 8)])
    made.opset_import.append(helper.make_opsetid("nobody", 1))
    (row,) = resflops.benchmark(made, **BRIEF).rows
    assert row.series.failure.describe() == (
        "failed: Fatal error: nobody:Whatever(-1) is not a registered function/op"
    )
    assert not row.workload.complete


def test_what_is_measured_is_saved_shown_and_continued(file, capsys):
    bench(capsys, file, "--backend", "onnxruntime", "--save", "saved.json")
    bench(capsys, file, "--backend", "onnxruntime", "--batch", "1", "2", "--save", "saved.json", "--resume")
    stored = Measurements.load("saved.json")
    assert [(row.configuration.batch, len(row.series.rounds)) for row in stored.rows] == [(1, 2), (2, 2)]
    assert main(["bench", "--show", "saved.json"]) == 0
    assert UNCHECKED in " ".join(capsys.readouterr().out.split())
    assert main(["table", file, "--latency", "saved.json", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["latency"]
    assert [(row["batch"], row["total"]) for row in rows] == [(1, MACS), (2, MACS)]


def test_a_damaged_file_is_refused_before_anything_is_measured(capsys, tmp_path):
    (tmp_path / "damaged.onnx").write_bytes(b"\x08\x0a\x3a\xff")
    refused = bench(capsys, "damaged.onnx", "--backend", "onnxruntime", status=2)
    assert "'damaged.onnx' is not an ONNX graph, or is cut off" in refused.err
    with pytest.raises(ResflopsError, match="is not an ONNX graph, or is cut off"):
        resflops.benchmark("damaged.onnx", **BRIEF)
