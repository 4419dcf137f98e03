"""What the file of a graph fixes: the type that it computes in, and perhaps the batch."""

import pytest

from resflops.latency import Configuration

onnx = pytest.importorskip("onnx")

from resflops.latency.backends.graph_types import find_precision, settle_configuration  # noqa: E402
from tests.sources.onnx_files.graphs import FLOAT, constant, graph, node, tensor, weight  # noqa: E402


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


def make(*, batch=2, dtype="float32"):
    kind = {"float32": FLOAT, "float16": onnx.TensorProto.FLOAT16}[dtype]
    return graph(
        [node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", batch, 8, dtype=kind)],
        [tensor("y", batch, 8, dtype=kind)],
        [weight("w", 8, 8, dtype=dtype)],
    )


def configure(**settings):
    return Configuration(model="m", device="cpu", **{"backend": "onnxruntime", **settings})


def settle(made, configuration, *, sizes=None, batch_given=True):
    return settle_configuration(made, configuration, sizes=sizes or {}, batch_given=batch_given)


def test_a_batch_that_was_not_asked_for_is_that_of_the_file():
    fixed, free = make(), make(batch="batch")
    assert settle(fixed, configure(), batch_given=False) == configure(batch=2)
    assert settle(fixed, configure(batch=4)) == configure(batch=4)
    assert settle(free, configure(), batch_given=False) == configure()
    assert settle(free, configure(), sizes={"batch": 8}, batch_given=False) == configure(batch=8)


def test_float32_stands_for_what_the_file_computes_in_where_a_runtime_follows_it():
    half = make(dtype="float16")
    assert settle(half, configure()) == configure(dtype="float16")
    assert settle(half, configure(dtype="int8-static")) == configure(dtype="int8-static")
    for backend in ("openvino", "torch"):
        assert settle(half, configure(backend=backend)) == configure(backend=backend)
