"""Weights that lie beside the file of a graph."""

import pytest

from resflops.errors import ModelError

onnx = pytest.importorskip("onnx")

from onnx.external_data_helper import convert_model_to_external_data  # noqa: E402

from resflops.sources.onnx_files.external_data import list_locations, list_weight_files  # noqa: E402
from tests.sources.onnx_files.graphs import model, node, tensor, weight  # noqa: E402


def make():
    return model(
        [node("MatMul", ["x", "w"], ["h"]), node("MatMul", ["h", "w2"], ["y"])],
        [tensor("x", 2, 8)],
        [tensor("y", 2, 8)],
        [weight("w", 8, 8), weight("w2", 8, 8)],
    )


def save_apart(folder):
    made = make()
    convert_model_to_external_data(made, location="weights.bin", size_threshold=0)
    onnx.save(made, folder / "apart.onnx")
    return onnx.load(folder / "apart.onnx", load_external_data=False)


def test_a_graph_with_its_weights_inside_has_no_other_files(tmp_path):
    assert list_locations(make()) == ()
    assert list_weight_files(make(), None, "graph") == ()


def test_each_file_is_listed_once(tmp_path):
    apart = save_apart(tmp_path)
    assert list_locations(apart) == ("weights.bin",)
    assert list_weight_files(apart, tmp_path, "apart.onnx") == (tmp_path / "weights.bin",)


def test_a_file_that_is_not_there_is_named(tmp_path):
    apart = save_apart(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError) as raised:
        list_weight_files(apart, tmp_path, "apart.onnx")
    assert str(raised.value) == (
        "'apart.onnx' has its weights in 'weights.bin', and there is no such file beside it; "
        "put it there, or export the model again"
    )


def test_a_loaded_graph_does_not_know_where_its_weights_are(tmp_path):
    with pytest.raises(ModelError, match="graph was loaded without its weights, which are in 'weights"):  # fmt: skip
        list_weight_files(save_apart(tmp_path), None, "graph")
