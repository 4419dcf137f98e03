"""Inputs that a graph can take: what is looked up in a table is a row of it."""

import numpy as np
import pytest
import torch

from resflops.errors import InputError

onnx = pytest.importorskip("onnx")

from onnx import TensorProto  # noqa: E402

from resflops.latency.backends.graph_inputs import make_inputs  # noqa: E402
from resflops.records import InputRecord  # noqa: E402
from tests.sources.onnx_files.graphs import constant, graph, node, tensor, weight  # noqa: E402

TOKENS = (64, 64)


def make_one(nodes, initialisers=(), *, dtype="int64", shape=TOKENS, given=None):
    number = TensorProto.DataType.Value({"float32": "FLOAT"}.get(dtype, dtype.upper()))
    made = graph(nodes, [tensor("x", *shape, dtype=number)], [], initialisers)
    (found,) = make_inputs(made, [InputRecord(name="x", shape=shape, dtype=dtype)], given)
    assert found.shape == shape
    assert found.dtype == getattr(torch, dtype)
    return found


def test_floats_are_normally_distributed_and_always_the_same():
    found = make_one([], dtype="float32")
    assert torch.equal(found, make_one([], dtype="float32"))
    assert abs(float(found.mean())) < 0.1
    assert abs(float(found.std()) - 1) < 0.1
    assert make_one([], dtype="float16").isfinite().all()


@pytest.mark.parametrize(
    ("nodes", "initialisers"),
    [
        pytest.param([node("Gather", ["w", "x"], ["y"])], [weight("w", 7, 3)], id="a table"),
        pytest.param([node("Gather", ["w", "x"], ["y"], axis=1)], [weight("w", 3, 7)], id="along an axis"),
        pytest.param([node("Gather", ["w", "x"], ["y"], axis=-1)], [weight("w", 3, 7)], id="from behind"),
        pytest.param(
            [node("Cast", ["x"], ["c"], to=7), node("Unsqueeze", ["c", "a"], ["u"]), node("Gather", ["w", "u"], ["y"])],
            [weight("w", 7, 3), constant("a", [0])],
            id="after a cast and another shape",
        ),
        pytest.param(
            [node("Gather", ["w", "x"], ["y"]), node("Gather", ["w2", "x"], ["z"])],
            [weight("w", 9, 3), weight("w2", 7, 3)],
            id="the smaller of two",
        ),
        pytest.param(
            [node("DequantizeLinear", ["w", "s"], ["d"]), node("Gather", ["d", "x"], ["y"])],
            [weight("w", 7, 3, dtype="int8"), weight("s")],
            id="a quantised table",
        ),
        pytest.param(
            [node("EmbedLayerNormalization", ["ids", "x", "w1", "w2", "w"], ["y"], domain="com.microsoft")],
            [weight("w1", 90, 3), weight("w2", 80, 3), weight("w", 7, 3)],
            id="segments of onnxruntime's embedding",
        ),
    ],
)  # fmt: skip
def test_what_is_looked_up_is_a_row_of_the_table(nodes, initialisers):
    found = make_one(nodes, initialisers)
    assert sorted(found.unique().tolist()) == list(range(7))


def test_a_row_of_a_table_that_is_computed_is_the_first():
    nodes = [node("Relu", ["w"], ["r"]), node("Gather", ["r", "x"], ["y"])]
    assert not make_one(nodes, [weight("w", 7, 3)]).any()


@pytest.mark.parametrize("dtype", ["int64", "int32", "bool", "uint16"])
def test_masks_let_everything_through(dtype):
    assert make_one([node("Cast", ["x"], ["y"], to=1)], dtype=dtype).all()


@pytest.mark.parametrize(("dtype", "limits"), [("uint8", (0, 255)), ("int8", (-128, 127))])
def test_small_integers_have_every_value(dtype, limits):
    found = make_one([], dtype=dtype)
    assert (int(found.min()), int(found.max())) == limits


def test_values_of_the_caller_are_used_in_the_type_of_the_file():
    given = np.arange(4, dtype="int32").reshape(2, 2)
    assert make_one([], shape=(2, 2), given={"x": given}).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(("dtype", "says"), [("string", "is string"), ("", "is no tensor")])
def test_what_is_no_tensor_of_numbers_is_named(dtype, says):
    with pytest.raises(InputError, match=f"its input words {says}, and only tensors of numbers can be fed"):
        make_inputs(graph([], [], []), [InputRecord(name="words", shape=(1,), dtype=dtype)])
