"""Known samples say known things."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resflops.latency import statistics
from resflops.latency.statistics import drift, median, quantile, ratio, summarize

SAMPLES = st.lists(st.floats(0.001, 1000), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([3.0], 3.0), ([1.0, 2.0], 1.5), ([5.0, 1.0, 3.0], 3.0), ([4.0, 1.0, 3.0, 2.0], 2.5)],
)
def test_the_median_is_the_middle(samples, expected):
    assert median(samples) == expected


@given(SAMPLES, st.floats(0, 1))
def test_a_quantile_is_numpys(samples, part):
    assert quantile(samples, part) == pytest.approx(float(np.quantile(samples, part)), rel=1e-12)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        median([])
    with pytest.raises(ValueError, match="at least one sample"):
        summarize([[], []])


def test_equal_samples_have_an_interval_without_width():
    found = summarize([[2.0] * 5, [2.0] * 5])
    assert (found.median, found.low, found.high, found.least, found.width) == (2.0, 2.0, 2.0, 2.0, 0.0)


def test_the_interval_of_few_samples_is_that_of_all_resamples():
    # Of 3 samples there are 27 resamples: 7 have the least as their median, 13 the middle, 7 the greatest.
    medians = [median(drawn) for drawn in product([1.0, 2.0, 4.0], repeat=3)]
    assert (medians.count(1.0), medians.count(2.0), medians.count(4.0)) == (7, 13, 7)
    exact = float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))
    found = summarize([[1.0, 2.0, 4.0]])
    assert (found.low, found.high) == exact == (1.0, 4.0)


def test_the_interval_of_rounds_is_that_of_drawing_rounds():
    # All samples of a round are alike, so only the choice of rounds matters: of 3 from 3, the median
    # is a given extreme with chance 7/27.
    found = summarize([[1.0] * 50, [2.0] * 50, [4.0] * 50])
    assert (found.low, found.high) == (1.0, 4.0)


def test_rounds_that_differ_widen_the_interval():
    together = [float(number % 10) + 1 for number in range(100)]
    apart = [[1.0 + number // 10] * 10 for number in range(100)][::10]
    assert sorted(together) == sorted(sample for each in apart for sample in each)
    assert summarize([together]).width < summarize(apart).width


def test_resampled_medians_agree_with_the_binomial_law():
    # P(median of a resample <= k-th of n) = P(Binomial(n, k/n) >= (n+1)/2), without chance.
    from scipy.stats import binom

    n = 101
    found = summarize([[float(place) for place in range(1, n + 1)]])
    law = [float(binom.sf((n + 1) // 2 - 1, n, k / n)) for k in range(1, n + 1)]
    low, high = (
        next(k for k, p in enumerate(law, 1) if p >= 0.025),
        next(k for k, p in enumerate(law, 1) if p >= 0.975),
    )
    assert abs(found.low - low) <= 1
    assert abs(found.high - high) <= 1


@settings(max_examples=25)
@given(st.lists(SAMPLES, min_size=1, max_size=4))
def test_the_same_samples_always_say_the_same(rounds):
    found = summarize(rounds)
    assert found == summarize(rounds)
    samples = [sample for each in rounds for sample in each]
    assert min(samples) == found.least <= found.low <= found.high <= max(samples)


def test_a_round_weighs_as_much_as_it_has_samples():
    # Drawing the short round twice has chance 1/4, and once 1/2, when 99 of 100 samples are 1.
    found = summarize([[1.0] * 99, [2.0]])
    assert (found.low, found.median, found.high) == (1.0, 1.0, 2.0)
    assert summarize([[1.0] * 99] * 9 + [[2.0]]).high == 1.0


@pytest.mark.parametrize(
    ("count", "p90", "p99"), [(9, False, False), (10, True, False), (999, True, False), (1000, True, True)]
)
def test_a_percentile_needs_samples(count, p90, p99):
    found = summarize([[float(place) for place in range(count)]])
    assert (found.p90 is not None, found.p99 is not None) == (p90, p99)


def test_a_ratio_of_series_that_took_turns_is_surer_than_either():
    slow = [[2.0] * 5, [4.0] * 5, [6.0] * 5]
    fast = [[1.0] * 5, [2.0] * 5, [3.0] * 5]
    found = ratio(slow, fast)
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)
    assert summarize(slow).width > 0.5


def test_a_ratio_of_series_that_did_not_take_turns_has_an_interval():
    found = ratio([[2.0] * 5, [4.0] * 5, [6.0] * 5], [[1.0] * 5, [3.0] * 5])
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([[1.0], [1.0]], 0.0),
        ([[1.0], [3.0]], 1.0),
        ([[3.0], [1.0]], -1.0),
        ([[1.0], [2.0], [3.0]], 1.0),
        ([[1.0, 1.0, 3.0, 3.0]], 1.0),
        ([[1.0]], 0.0),
        ([[], [1.0], [3.0]], 1.0),
    ],
)
def test_drift_is_the_later_half_above_the_earlier(rounds, expected):
    assert drift(rounds) == expected


def test_long_series_are_resampled_in_blocks_with_the_same_result(monkeypatch):
    rounds = [[float((7 * place) % 11) for place in range(400)] for _ in range(6)]
    whole = summarize(rounds)
    monkeypatch.setattr(statistics, "BLOCK", 10_000)
    assert summarize(rounds) == whole
