"""How far outputs are from those of eager torch."""

import numpy as np
import pytest

from resflops.latency.backends.agreement import compare_outputs

ONE = np.array([1.0, -4.0], dtype=np.float32)


@pytest.mark.parametrize(
    ("got", "dtype", "largest", "note"),
    [
        ([ONE], "float32", 0.0, ""),
        ([ONE + np.float32(0.002)], "float32", pytest.approx(0.0005, rel=1e-3), ""),
        ([ONE + 1], "float32", 0.25, "its outputs differ from those of eager torch by 0.25 of the largest, which is more than the 0.001 that float32 is allowed"),
        ([ONE + 0.5], "int8-static", 0.125, ""),
        ([ONE * np.nan], "float32", None, "its outputs are wrong: they are not all finite"),
        ([ONE[:1]], "float32", None, "its outputs have other shapes: those of eager torch have 2, these have 1"),
        ([], "float32", None, "its outputs have other shapes: those of eager torch have 2, these have "),
    ],
)  # fmt: skip
def test_the_error_is_the_largest_difference_over_the_largest_value(got, dtype, largest, note):
    error = compare_outputs([ONE], got, dtype=dtype)
    assert (error.largest, error.note) == (largest, note)


def test_the_worst_of_several_outputs_counts():
    assert compare_outputs([ONE, ONE], [ONE, ONE + 1], dtype="float32").largest == 0.25


def test_outputs_of_eager_torch_that_are_not_finite_compare_with_nothing():
    error = compare_outputs([ONE * np.inf], [ONE], dtype="float32")
    assert error.largest is None
    assert "could not be checked" in error.note


def test_integers_and_empty_outputs_are_compared_too():
    indices, empty = np.array([1, 2]), np.zeros((0, 3))
    assert compare_outputs([indices, empty], [indices, empty], dtype="float32").largest == 0.0
    assert compare_outputs([np.zeros(2)], [np.ones(2)], dtype="float32").note


@pytest.mark.parametrize(
    "outputs", [np.zeros((1, 3)), np.full((1, 3), 2.0), np.zeros(())], ids=["zeros", "alike", "a zero"]
)
def test_outputs_that_do_not_depend_on_the_input_check_nothing(outputs):
    error = compare_outputs([outputs], [outputs], dtype="float32")
    assert (error.largest, error.note) == (
        None, "its outputs could not be checked: those of eager torch are all alike",
    )  # fmt: skip
    assert "differ" in compare_outputs([outputs], [outputs + 1], dtype="float32").note
    assert compare_outputs([outputs, ONE], [outputs, ONE], dtype="float32").largest == 0.0


def test_a_single_number_is_an_output_like_others():
    assert compare_outputs([np.array(3.0)], [np.array(3.0)], dtype="float32").largest == 0.0
