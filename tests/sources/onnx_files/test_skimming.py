"""Reading a file without its weights."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from resflops.sources.onnx_files.loading import drop_weights
from resflops.sources.onnx_files.skimming import SMALL, MalformedFileError, skim
from tests.sources.onnx_files.graphs import constant, model, node, tensor

ELEMENTS = SMALL // 2

WEIGHTS = (
    numpy_helper.from_array(np.ones(ELEMENTS, "float32"), "bytes"),
    helper.make_tensor("floats", TensorProto.FLOAT, [ELEMENTS], [0.5] * ELEMENTS),
    helper.make_tensor("doubles", TensorProto.DOUBLE, [ELEMENTS], [0.5] * ELEMENTS),
    helper.make_tensor("whole", TensorProto.INT32, [2 * ELEMENTS], [-1] * 2 * ELEMENTS),
    helper.make_tensor("long", TensorProto.INT64, [ELEMENTS], [1 << 40] * ELEMENTS),
    helper.make_tensor("unsigned", TensorProto.UINT64, [ELEMENTS], [1 << 40] * ELEMENTS),
)


def make_net():
    net = model(
        [node("Relu", ["x"], ["y"], name="first"), node("Identity", ["y"], ["z"])],
        [tensor("x", 2, 3)],
        [tensor("z", 2, 3)],
        [*WEIGHTS[1:], constant("sizes", [3, -1]), WEIGHTS[0]],
    )
    net.metadata_props.add(key="after", value="the graph")
    return net.SerializeToString()


NET = make_net()


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


def parse(data):
    parsed = ModelProto()
    parsed.ParseFromString(data)
    drop_weights(parsed)
    return parsed


def split(parsed):
    """Split a model into the names of its weights and the rest."""
    names = [each.name for each in parsed.graph.initializer]
    del parsed.graph.initializer[:]
    return names, parsed


def test_what_is_read_is_the_file_without_the_elements_of_its_weights():
    file = Counting(NET)
    assert parse(skim(file, len(NET))) == parse(NET)
    assert [
        numpy_helper.to_array(each).tolist() for each in parse(NET).graph.initializer if each.raw_data
    ] == [[3, -1]]
    assert (len(NET) > 20 * SMALL, file.count < 1000) == (True, True)


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda weight: weight.name)
def test_a_small_tensor_stays_whole(weight):
    small = TensorProto(name="small", data_type=weight.data_type, dims=[10])
    values = numpy_helper.to_array(weight)[:10]
    small.raw_data = values.tobytes()
    net = model([node("Relu", ["x"], ["y"])], [tensor("x", 2)], [tensor("y", 2)], [small]).SerializeToString()
    assert skim(io.BytesIO(net), len(net)) == net


@given(st.integers(0, len(NET)))
def test_a_file_that_is_cut_off_is_read_as_protobuf_reads_it_or_not_at_all(length):
    cut = NET[:length]
    try:
        skimmed = skim(io.BytesIO(cut), length)
    except MalformedFileError:
        return
    assert parse(skimmed) == parse(cut)


@given(st.integers(-100, 100), st.integers(0, 255))
def test_a_file_with_a_wrong_byte_around_its_weights_is_read_as_protobuf_reads_it_or_not_at_all(place, byte):
    wrong = bytearray(NET)
    wrong[place] = byte
    try:
        skimmed = skim(io.BytesIO(wrong), len(wrong))
    except MalformedFileError:
        return
    try:
        expected = parse(bytes(wrong))
    except Exception:  # noqa: BLE001 - protobuf's own, of a message inside that is copied as it is
        with pytest.raises(Exception):  # noqa: B017, PT011
            parse(skimmed)
        return
    # Sizes that are damaged may say of a weight that it is small.
    assert split(parse(skimmed)) == split(expected)


@pytest.mark.parametrize(
    "data", [b"\x0b", b"\x08", b"\x80" * 11, b"\x3a\xff\xff\x7f", b"\x09\x01", b"\x12\x05ab"]
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(MalformedFileError):
        skim(io.BytesIO(data), len(data))
