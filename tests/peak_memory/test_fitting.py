"""The largest batch that fits: predicted from two passes, and proven by two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resflops.errors import UsageError
from resflops.peak_memory.fitting import fit_batch, predict
from resflops.peak_memory.records import BEFORE, Block, Memory, Step


def make_memory(batch, *, grows=(100, 40), fixed=(1000, 0)):
    """A pass of two steps: the first block grows with the batch, and so does what the second step takes."""
    steps = tuple(Step(op=f"op{place}", layer="") for place in range(len(grows)))
    weights = Block(size=fixed[0], kind="parameters", layer="", name="weight", born=BEFORE)
    made = tuple(
        Block(size=each * batch + fixed[1], kind="temporary", layer="", name="op", born=place, died=place + 1)
        for place, each in enumerate(grows)
    )
    return Memory(model="Net", inputs=(), steps=steps, blocks=(weights, *made))


def test_the_batch_is_the_largest_whose_peak_is_not_above_the_limit():
    asked = []

    def measure(batch):
        asked.append(batch)
        return make_memory(batch)

    fit = fit_batch(measure, 1000 + 100 * 37)
    assert (fit.batch, fit.needs, fit.next_needs, fit.limit) == (37, 4700, 4800, 4700)
    assert asked == [2, 3, 37, 38]
    assert fit.passes == 4


@given(st.integers(0, 10**6), st.lists(st.integers(1, 1000), min_size=1, max_size=5), st.integers(0, 50))
def test_a_batch_fits_and_the_next_does_not(limit, grows, fixed):
    fit = fit_batch(lambda batch: make_memory(batch, grows=tuple(grows), fixed=(500, fixed)), limit)
    assert fit.next_needs > limit
    assert fit.needs <= limit or fit.batch == 0
    assert fit.next_needs == 500 + fixed + (fit.batch + 1) * max(grows)


def test_none_fits_where_the_weights_are_too_large():
    fit = fit_batch(make_memory, 900)
    assert (fit.batch, fit.needs, fit.next_needs) == (0, 1100, 1100)


def test_memory_that_does_not_grow_is_an_error():
    with pytest.raises(UsageError, match="does not grow with the batch"):
        fit_batch(lambda batch: make_memory(batch, grows=(0,)), 10**6)


def test_a_pass_that_takes_another_way_in_larger_batches_is_searched_by_passes():
    def measure(batch):
        return make_memory(batch, grows=(10,) * batch)

    fit = fit_batch(measure, 1000 + 10 * 21)
    assert (fit.batch, fit.needs, fit.next_needs) == (21, 1210, 1220)
    assert predict(measure(2), measure(3), 21) is None


def test_a_prediction_is_the_memory_of_that_batch():
    assert predict(make_memory(2), make_memory(3), 17) == make_memory(17)
