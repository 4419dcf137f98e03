"""How a size depends on the variable is found from values, the plainest of what they allow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resflops.sweeps.curves.sizes import Size, find_size

STRIDES = st.sampled_from([1, 2, 4, 7, 8, 14, 16, 28, 32])


@settings(max_examples=30)
@given(STRIDES, st.integers(-8, 40), st.integers(1, 100))
def test_a_size_is_recovered_from_a_whole_period(divisor, shift, first):
    size = Size(divisor, shift)
    values = range(first, first + 3 * divisor + 2)
    results = [size.evaluate(value) for value in values]
    found = find_size(values, results)
    assert [found.evaluate(value) for value in range(1000)] == [size.evaluate(value) for value in range(1000)]


@settings(max_examples=30)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), st.integers(32, 64))
def test_a_stride_after_a_stride_is_a_size(outer, inner, before, after, first):
    # What two convolutions with paddings give, one after the other.
    values = range(first, first + 3 * outer * inner + 2)
    results = [((value + before) // inner + after) // outer for value in values]
    found = find_size(values, results)
    assert found.divisor == outer * inner
    assert [found.evaluate(value) for value in values] == results


@pytest.mark.parametrize(
    ("values", "results", "size"),
    [
        pytest.param(
            range(200, 231), [-(-side // 32) for side in range(200, 231)], Size(32, 31), id="two levels"
        ),
        pytest.param([16, 32, 48], [1, 2, 3], Size(16, 0), id="patches"),
        pytest.param([10, 20, 40], [8, 18, 38], Size(1, -2), id="without padding"),
        pytest.param([1, 2, 3, 4], [5, 5, 5, 5], None, id="constant"),
        pytest.param([1, 2, 3, 4], [1, 4, 9, 16], None, id="square"),
        pytest.param([1, 2, 3, 4], [4, 3, 2, 1], None, id="falling"),
    ],
)
def test_the_plainest_size_is_chosen(values, results, size):
    assert find_size(values, results) == size
