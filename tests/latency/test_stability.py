"""A verdict grades how precisely a time is known, and says what disturbed it, and nothing else."""

from itertools import permutations

import pytest

from resflops.latency.stability import (
    count_disturbed,
    find_grade,
    find_trend_chance,
    judge_stability,
)


def kinds(rounds, **settings):
    return [finding.kind for finding in judge_stability(rounds, **settings).findings]


@pytest.mark.parametrize(
    ("rounds", "grade", "expected"),
    [
        pytest.param([[1.0, 1.01, 0.99, 1.0, 1.0]] * 4, "steady", [], id="steady"),
        pytest.param([[1.0] * 10, [1.04] * 10], "steady", [], id="wide-within-limits"),
        pytest.param([[1.0] * 10, [1.1] * 10], "fair", [], id="two-rounds-are-no-trend"),
        pytest.param([[1.0] * 18 + [2.0, 2.0]], "steady", [], id="outliers-are-no-finding"),
        pytest.param([[1.0] * 9], "steady", ["few samples"], id="few"),
        pytest.param([[1.0, 1.3] * 10] * 4, "noisy", [], id="noisy"),
        pytest.param([[1.0] * 5] * 6 + [[1.5] * 5], "steady", ["disturbed rounds"], id="disturbed"),
        pytest.param([[1.0 + step / 100] * 5 for step in range(9)], "fair", ["trend"], id="trend"),
        pytest.param([[1.0 + step / 1000] * 5 for step in range(9)], "steady", [], id="small-trend"),
        pytest.param(
            [[1.0 + step / 100] * 5 for step in (0, 2, 1, 3, 5, 4, 6, 8, 7)],
            "fair",
            ["trend"],
            id="rough-trend",
        ),
        pytest.param(
            [[1.0 + step / 100] * 5 for step in (4, 0, 6, 1, 8, 5, 2, 7, 3)], "fair", [], id="order-by-chance"
        ),
    ],
)
def test_what_is_wrong_is_found(rounds, grade, expected):
    assert kinds(rounds) == expected
    assert judge_stability(rounds).grade == grade


@pytest.mark.parametrize(
    ("half_width", "grade"),
    [(0.0, "steady"), (0.02, "steady"), (0.021, "fair"), (0.05, "fair"), (0.1, "rough"), (0.11, "noisy")],
)
def test_a_half_width_has_a_grade(half_width, grade):
    assert find_grade(half_width) == grade


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_the_chance_of_a_trend_is_that_of_all_orders(count):
    def tell(order):
        pairs = [(early, late) for late in range(count) for early in range(late)]
        against = sum(order[late] < order[early] for early, late in pairs)
        return min(against, len(pairs) - against)

    orders = list(permutations(range(count)))
    for order in orders:
        as_orderly = sum(tell(other) <= tell(order) for other in orders)
        assert find_trend_chance(order) == pytest.approx(min(as_orderly / len(orders), 1.0))


def test_rounds_in_random_order_seldom_have_a_trend():
    orders = list(permutations(range(7)))
    assert sum(find_trend_chance(order) < 0.01 for order in orders) < 0.01 * len(orders)


def test_nearly_equal_rounds_are_not_disturbed():
    assert count_disturbed([[1.0], [1.0], [1.0], [1.0], [1.009]]) == 0
    assert count_disturbed([[1.0], [1.0], [1.0], [1.0], [1.011]]) == 1
    assert count_disturbed([[1.0], [1.0], [9.0]]) == 0


def test_throttling_makes_the_calmest_series_unstable():
    found = judge_stability([[1.0] * 20], throttled=["thermal, by hardware"])
    assert not found.stable
    assert found.describe() == "steady; throttled (thermal, by hardware)"


def test_a_verdict_tells_its_findings():
    assert judge_stability([[1.0] * 10, [1.4] * 10]).describe() == "noisy"
    assert judge_stability([[1.0]] * 3).describe() == "steady; only 3 samples"
    assert judge_stability([[1.0] * 5] * 6 + [[1.5] * 5]).describe().endswith("; 1 of 7 rounds disturbed")
    assert judge_stability([[1.1 - step / 100] * 5 for step in range(9)]).describe() == "fair; trend −4.7 %"
    assert (
        judge_stability([[1.0] * 20], slow_clocks=2).describe()
        == "steady; clock far below the others in 2 rounds"
    )
