"""What the file of a graph fixes: the type that it computes in, and perhaps the batch."""

import pytest

from resflops.latency import Configuration
from resflops.sources import find
from resflops.sources.found_model import FoundModel

onnx = pytest.importorskip("onnx")

from resflops.latency.backends.graph_types import find_precision, settle_configuration  # noqa: E402
from tests.sources.onnx_files.graphs import FLOAT, constant, graph, model, node, tensor, weight  # noqa: E402


@pytest.mark.parametrize(
    ("nodes", "initialisers", "precision"),
    [
        pytest.param([], [weight("w", 8, 8)], "float32", id="float32"),
        pytest.param([], [weight("w", 8, 8, dtype="float16"), weight("b", 8)], "float16", id="most weights"),
        pytest.param([], [weight("w", 8, 8, dtype="float64")], "float64", id="float64"),
        pytest.param([], [constant("axes", [0] * 99)], "float32", id="none of its constants"),
        pytest.param([], [], "float32", id="none but its inputs"),
        pytest.param([node("QLinearConv", [""] * 8, ["y"])], [], "int8-static", id="QLinear"),
        pytest.param([node("QuantizeLinear", ["x", "s"], ["y"])], [], "int8-static", id="QDQ"),
        pytest.param([node("MatMulInteger", ["x", "w"], ["y"])], [], "int8-dynamic", id="dynamic"),
        pytest.param(
            [node("DequantizeLinear", ["w", "s"], ["y"])], [weight("w", 8, 8, dtype="int8")], "float32",
            id="weights alone",
        ),
    ],
)  # fmt: skip
def test_the_type_is_that_of_most_weights_or_how_it_is_quantised(nodes, initialisers, precision):
    assert find_precision(graph(nodes, [tensor("x", 2, 8)], [], initialisers)) == precision


def find_file(path, *, batch=2, dtype="float32"):
    kind = {"float32": FLOAT, "float16": onnx.TensorProto.FLOAT16}[dtype]
    made = model(
        [node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", batch, 8, dtype=kind)],
        [tensor("y", batch, 8, dtype=kind)],
        [weight("w", 8, 8, dtype=dtype)],
    )
    onnx.save(made, path)
    return find(str(path))


def configure(**settings):
    return Configuration(model="m", device="cpu", **{"backend": "onnxruntime", **settings})


def test_a_batch_that_was_not_asked_for_is_that_of_the_file(tmp_path):
    fixed, free = find_file(tmp_path / "fixed.onnx"), find_file(tmp_path / "free.onnx", batch="batch")
    assert settle_configuration(fixed, configure(), batch_given=False) == configure(batch=2)
    assert settle_configuration(fixed, configure(batch=4)) == configure(batch=4)
    assert settle_configuration(free, configure(), batch_given=False) == configure()


def test_float32_stands_for_what_the_file_computes_in_where_a_runtime_follows_it(tmp_path):
    half = find_file(tmp_path / "half.onnx", dtype="float16")
    assert settle_configuration(half, configure()) == configure(dtype="float16")
    assert settle_configuration(half, configure(dtype="int8-static")) == configure(dtype="int8-static")
    for backend in ("openvino", "torch"):
        assert settle_configuration(half, configure(backend=backend)) == configure(backend=backend)


def test_nothing_is_fixed_of_what_is_no_graph():
    found = FoundModel(spec="resnet20", make=lambda: None)
    assert settle_configuration(found, configure(), batch_given=False) == configure()
