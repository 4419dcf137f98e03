"""Counts, limits and tolerances as people write them."""

from fractions import Fraction

import pytest

from resflops.errors import UsageError
from resflops.gate.limits import Tolerance, read_count, read_limit, read_tolerance


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (0, 0),
        (3_663_761_408, 3_663_761_408),
        (4.2e9, 4_200_000_000),
        ("4.2G", 4_200_000_000),
        ("26M", 26_000_000),
        ("1.5k", 1_500),
        ("2K", 2_000),
        ("2 T", 2 * 10**12),
        ("3,663,761,408", 3_663_761_408),
        ("3_663_761_408", 3_663_761_408),
        ("0.000000001G", 1),
    ],
)
def test_a_count_is_exact(given: object, count: int) -> None:
    assert read_count(given) == count


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "is not a count"),
        ("many", "is not a count"),
        ("-5", "is not a count"),
        (-5, "is not a count"),
        (True, "is not a count"),
        (None, "is not a count"),
        (1.5, "is not a count"),
        (float("nan"), "is not a count"),
        ("4.2m", "unknown unit 'm'; the units are k, M, G and T"),
        ("4.2 GMACs", "unknown unit 'GMACs'"),
        ("1.0005k", "is not a whole number"),
        ("1" * 1000, "is not a count"),
    ],
)
def test_what_is_no_count_is_refused(given: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_count(given)


@pytest.mark.parametrize(
    ("given", "most"), [("<=4.2G", 4_200_000_000), ("≤ 26M", 26_000_000), ("<5", 4), ("7", 7), (7, 7)]
)
def test_a_limit_is_the_most_that_may_be(given: object, most: int) -> None:
    assert read_limit(given) == most


@pytest.mark.parametrize("given", [">=4G", "==4G", "<0", "<", "<=", "< <= 3"])
def test_what_is_no_upper_limit_is_refused(given: str) -> None:
    with pytest.raises(UsageError):
        read_limit(given)


@pytest.mark.parametrize(
    ("given", "locked", "most"),
    [
        ("+1%", 1000, 1010),
        ("1%", 99, 99),
        ("+0.5 %", 1000, 1005),
        ("+5M", 1, 5_000_001),
        (3, 1, 4),
        ("0%", 7, 7),
    ],
)
def test_a_tolerance_is_taken_of_the_locked_figure(given: object, locked: int, most: int) -> None:
    assert read_tolerance(given).compute_limit(locked) == most


def test_a_share_of_a_large_figure_loses_no_digit() -> None:
    locked = 10**24 + 1
    assert Tolerance(part=Fraction(1, 100)).compute_limit(locked) == locked + locked // 100


@pytest.mark.parametrize("given", ["-1%", "1.2.3%", "a lot", "", None, [1], "+-1%"])
def test_what_is_no_tolerance_is_refused(given: object) -> None:
    with pytest.raises(UsageError):
        read_tolerance(given)
