"""Fourier transforms, against torch's own and by the counts of its ops."""

import numpy as np
import pytest
import torch

from tests.sources.onnx_files.operators.nodes import Of, count_work, number, read_node, trace_function


def length(value):
    return number(value, "int64")


def list_work(records):
    """List what is not free."""
    return [record.op for record in records if count_work([record]) != count_work([])]


@pytest.mark.parametrize(
    ("inputs", "attributes", "function", "shape"),
    [
        pytest.param([(2, 8, 3, 1), None, length(1)], {}, lambda x: torch.fft.fft(x, dim=1), (2, 8, 3),
                     id="real numbers"),
        pytest.param([(2, 8, 3, 1), None, length(1)], {"onesided": 1}, lambda x: torch.fft.rfft(x, dim=1),
                     (2, 8, 3), id="half a spectrum"),
        pytest.param([(2, 8, 3, 1), length(5), length(1)], {"onesided": 1},
                     lambda x: torch.fft.rfft(x, 5, dim=1), (2, 8, 3), id="cut"),
        pytest.param([(2, 8, 3, 1), length(16), length(-2)], {"onesided": 1},
                     lambda x: torch.fft.rfft(x, 16, dim=2), (2, 8, 3), id="padded"),
    ],
)  # fmt: skip
def test_a_transform_of_real_numbers_is_that_of_torch(inputs, attributes, function, shape):
    own = [each for each in trace_function(function, shape) if each.op in ("fft", "rfft")]
    records = read_node("DFT", *inputs, **attributes)
    assert count_work(records[-1:]) == count_work(own)


def test_a_transform_of_complex_numbers_is_twice_as_much():
    (real,) = read_node("DFT", (2, 8, 1), None, length(1))
    (pairs,) = read_node("DFT", (2, 8, 2), None, length(1))
    (back,) = read_node("DFT", (2, 8, 2), None, length(1), inverse=1)
    assert count_work([pairs]) == count_work([back])
    assert count_work([pairs]).arithmetic == 2 * 5 * 8 * 3 == 2 * count_work([real]).arithmetic


def test_without_an_axis_it_is_the_last_before_the_parts():
    (record,) = read_node("DFT", (2, 3, 8, 1), onesided=1)
    assert record.attributes == {"dim": (2,)}


def test_a_length_that_the_pass_computes_is_uncounted():
    (record,) = read_node("DFT", (2, 8, 1), Of("int64"), length(1))
    assert record.op.startswith("DFT")


def test_the_axis_was_an_attribute_at_first():
    (record,) = read_node("DFT", (2, 8, 3, 2), axis=1, opset=17)
    assert (record.op, count_work([record]).arithmetic) == ("fft", 2 * 3 * 5 * 8 * 3)


def test_pieces_of_a_signal_are_multiplied_by_a_window_and_transformed():
    window = np.ones(16, "float32")
    records = read_node("STFT", (2, 64), length(4), window, length(16))
    own = trace_function(
        lambda x: torch.stft(x, 16, 4, window=torch.ones(16), center=False, return_complex=True), (2, 64)
    )
    assert list_work(records) == ["mul", "rfft"]
    assert count_work(records) == count_work(own)
    assert records[-1].output_shapes == ((2, 13, 9, 2),)


def test_an_axis_that_the_pass_computes_is_uncounted():
    (record,) = read_node("DFT", (2, 8, 1), None, Of("int64"))
    assert record.op.startswith("DFT")
