"""resflops layers --annotate: a copy of an ONNX file for a viewer."""

import pytest
from onnx import load, save

from resflops.cli import main
from tests.sources.onnx_files.graphs import model, node, tensor, weight


@pytest.fixture
def path(tmp_path):
    net = model(
        [node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", "batch", 3)],
        [tensor("y", "batch", 4)],
        [weight("w", 3, 4)],
    )
    save(net, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_a_copy_is_written_beside_the_table(path, tmp_path, capsys):
    copy = tmp_path / "out.onnx"
    assert main(["layers", f"Mine={path}", "--input", "5x3", "--annotate", str(copy)]) == 0
    assert capsys.readouterr().out.startswith("Mine by layer")
    assert load(copy).graph.node[0].metadata_props[0].value == "60"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.onnx", "out.onnx"]


def test_a_size_that_the_spec_sets_is_the_one_that_is_written(path):
    assert main(["layers", f"{path},batch=7", "--annotate", str(path)]) == 0
    assert load(path).graph.node[0].metadata_props[0].value == "84"


@pytest.mark.parametrize(
    ("spec", "file", "says"),
    [
        (
            "resnet20",
            "out.onnx",
            "--annotate writes a copy of an ONNX file, which resnet20 is not; give the path of one, as in "
            "resflops layers model.onnx --annotate annotated.onnx",
        ),
        ("net.onnx", "out.txt", "--annotate out.txt: the file must end in .onnx, as in out.onnx"),
        ("net.onnx", "no/out.onnx", "cannot write no/out.onnx: there is no folder no; create it first"),
    ],
)
def test_what_cannot_be_annotated_gets_one_message(path, capsys, monkeypatch, spec, file, says):
    monkeypatch.chdir(path.parent)
    assert main(["layers", spec, "--annotate", file]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"resflops: {says}")
    assert err.count("\n") == 1
    assert [each.name for each in path.parent.iterdir()] == ["net.onnx"]
