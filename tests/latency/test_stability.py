"""A verdict says what there is against a series, and nothing else."""

import pytest

from resflops.latency.stability import judge_stability


def kinds(rounds, **settings):
    return [finding.kind for finding in judge_stability(rounds, **settings).findings]


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        pytest.param([[1.0, 1.01, 0.99, 1.0, 1.0]] * 4, [], id="stable"),
        pytest.param([[1.0] * 10, [1.04] * 10], [], id="drift-within-limits"),
        pytest.param([[1.0] * 10, [1.1] * 10], ["drift", "wide interval"], id="drift"),
        pytest.param([[1.0] * 18 + [2.0, 2.0]], ["outliers"], id="outliers"),
        pytest.param([[1.0] * 9], ["few samples"], id="few"),
        pytest.param([[1.0, 1.3] * 10] * 4, ["wide interval"], id="wide"),
    ],
)
def test_what_is_wrong_is_found(rounds, expected):
    assert kinds(rounds) == expected
    assert judge_stability(rounds).stable is (not expected)


def test_throttling_makes_the_calmest_series_unstable():
    found = judge_stability([[1.0] * 20], throttled=["power cap"])
    assert not found.stable
    assert found.describe() == "throttled (power cap)"


def test_a_verdict_tells_its_figures():
    assert judge_stability([[1.0] * 10, [1.2] * 10]).describe() == "drift +18.2 %; wide interval 18.2 %"
    assert judge_stability([[1.2] * 10, [1.0] * 10]).describe() == "drift −18.2 %; wide interval 18.2 %"
    assert judge_stability([[1.0]] * 3).describe() == "only 3 samples"
