"""Reading a file, and one message for what is no ONNX graph."""

import os
from contextlib import suppress

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

import resflops
from resflops.cli import main
from resflops.errors import ResflopsError
from tests.sources.onnx_files.graphs import model, node, tensor, weight
from tests.sources.onnx_files.test_control_flow import make_if, make_loop


def make_product(*, external=False):
    product = model([node("MatMul", ["x", "w"], ["y"])], [tensor("x", 2, 100)], [tensor("y", 2, 100)],
                    [weight("w", 100, 100)])  # fmt: skip
    if external:
        (held,) = product.graph.initializer
        held.ClearField("raw_data")
        held.data_location = TensorProto.EXTERNAL
        held.external_data.add(key="location", value="not-there.bin")
    return product


def refuse(capsys, path):
    assert main(["table", str(path)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "'m.onnx' is empty; export the model again"),
        (b"this is no protobuf", "'m.onnx' is not an ONNX graph, or is cut off: protobuf cannot read it; export"),
        (make_product().SerializeToString()[:1000], "'m.onnx' is not an ONNX graph, or is cut off"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "is not an ONNX model, or is cut off: it has no graph"),
        (b"\x08\x08", "it has no graph, or no version of its operators; export the model again"),
    ],
)  # fmt: skip
def test_what_is_no_graph_gets_one_message(tmp_path, monkeypatch, capsys, content, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx").write_bytes(content)
    assert says in refuse(capsys, "m.onnx")


def test_a_file_above_the_limit_of_the_format_is_not_read(tmp_path, capsys):
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 3 << 30)
    says = "has 3,221,225,472 bytes, and no ONNX file has more than 2 GiB: write it again with its weights in"
    assert says in refuse(capsys, path)


def test_sizes_that_no_tensor_has_are_refused(tmp_path, capsys):
    huge = make_product()
    huge.graph.initializer[0].dims[:] = [1 << 62, 1 << 62]
    onnx.save(huge, tmp_path / "m.onnx")
    refuse(capsys, tmp_path / "m.onnx")


def test_weights_in_another_file_are_not_read(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(make_product(external=True).SerializeToString())
    cost = resflops.count(path, nonzero=True)
    assert (cost.macs, cost.params, cost.trace.weights[0].nonzero) == (20_000, 10_000, None)


def test_zeros_in_the_weights_of_a_file_are_counted_if_asked_for(tmp_path):
    sparse = make_product()
    values = onnx.numpy_helper.to_array(sparse.graph.initializer[0]).copy()
    values[:, :30] = 0
    sparse.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "w"))
    path = tmp_path / "m.onnx"
    onnx.save(sparse, path)
    cost = resflops.count(path, nonzero=True)
    assert (cost.macs, cost.nonzero_macs) == (20_000, 14_000)
    assert resflops.count(sparse, nonzero=True).nonzero_macs == 14_000
    assert resflops.count(path).nonzero_macs is None


def test_a_loaded_graph_stays_as_it_is():
    held = make_if()
    before = held.SerializeToString(deterministic=True)
    resflops.count(held)
    assert held.SerializeToString(deterministic=True) == before


SEEDS = [make_product().SerializeToString()[-900:], make_if().SerializeToString(), make_loop("five").SerializeToString(),
         make_product(external=True).SerializeToString()]  # fmt: skip


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_no_damage_raises_anything_else(tmp_path_factory, seed, changes):
    content = bytearray(seed)
    for place, byte in changes:
        content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    with suppress(ResflopsError):
        repr(resflops.count(path))
