"""Grades how precisely a time is known, and finds what disturbed it; both go with every figure."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from resflops.errors import pluralize
from resflops.latency.statistics import Rounds, Summary, drift, median, quantile, summarize

__all__ = ["GRADES", "Finding", "Grade", "Stability", "find_grade", "judge_stability"]

Grade = Literal["steady", "fair", "rough", "noisy"]

GRADES: dict[Grade, float] = {"steady": 0.02, "fair": 0.05, "rough": 0.10}
"""Up to which half-width of its interval, relative to the median, a time has a grade; above, it is noisy."""

FindingKind = Literal["few samples", "disturbed rounds", "trend", "clock", "throttled"]

FEW = 10
"""Samples below which percentiles and intervals say little."""

FENCE = 1.5
"""Interquartile ranges above the upper quartile beyond which a round is disturbed (Tukey 1977)."""

LEAST_TREND, LEAST_CHANCE = 0.03, 0.01
"""What a trend is at least, relative to the median, and how probable so orderly a series may be by chance."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something that disturbed a series."""

    kind: FindingKind
    text: str


class Stability(Struct, frozen=True, kw_only=True):
    """How precisely a time is known, and what disturbed it."""

    half_width: float
    """Half of the interval's width, relative to the median."""
    findings: tuple[Finding, ...] = ()

    @property
    def grade(self) -> Grade:
        """The word for the half-width."""
        return find_grade(self.half_width)

    @property
    def stable(self) -> bool:
        """Whether the time is fair or better, and nothing but rounds that stand out was found."""
        harmless = {"disturbed rounds"}
        return self.grade in {"steady", "fair"} and all(each.kind in harmless for each in self.findings)

    def describe(self) -> str:
        """Describe the grade, and what was found: ``fair; 2 of 9 rounds disturbed``."""
        return "; ".join([self.grade, *(finding.text for finding in self.findings)])


def find_grade(half_width: float) -> Grade:
    """Find the grade of a half-width.

    >>> find_grade(0.031)
    'fair'
    """
    return next((grade for grade, limit in GRADES.items() if half_width <= limit), "noisy")


def judge_stability(
    rounds: Rounds,
    *,
    summary: Summary | None = None,
    throttled: Sequence[str] = (),
    slow_clocks: int = 0,
) -> Stability:
    """Judge how precisely a time is known.

    >>> judge_stability([[1.0] * 10, [1.0] * 10]).describe()
    'steady'

    Args:
        rounds: the samples, round by round.
        summary: the summary of these, if there is one already.
        throttled: why the device held its clocks back while the samples were taken.
        slow_clocks: in how many rounds its clock was far below that of the others.
    """
    known = summary or summarize(rounds)
    filled = [list(samples) for samples in rounds if samples]
    findings = []
    if known.samples < FEW:
        text = f"only {known.samples} {pluralize('sample', known.samples)}"
        findings.append(Finding(kind="few samples", text=text))
    if disturbed := count_disturbed(filled):
        of = f"{disturbed} of {len(filled)} rounds disturbed"
        findings.append(Finding(kind="disturbed rounds", text=of))
    change = drift(filled)
    if abs(change) > LEAST_TREND and find_trend_chance([median(each) for each in filled]) < LEAST_CHANCE:
        text = f"trend {change * 100:+.1f} %".replace("-", "−")
        findings.append(Finding(kind="trend", text=text))
    if slow_clocks:
        text = f"clock far below the others in {slow_clocks} {pluralize('round', slow_clocks)}"
        findings.append(Finding(kind="clock", text=text))
    if throttled:
        findings.append(Finding(kind="throttled", text=f"throttled ({', '.join(throttled)})"))
    return Stability(half_width=known.width / 2, findings=tuple(findings))


def count_disturbed(rounds: Rounds) -> int:
    """Count the rounds whose median lies beyond Tukey's upper fence of all rounds' medians.

    >>> count_disturbed([[1.0], [1.01], [1.0], [0.99], [1.5]])
    1
    """
    medians = [median(samples) for samples in rounds if samples]
    if len(medians) < 4:
        return 0
    low, high = quantile(medians, 0.25), quantile(medians, 0.75)
    # Rounds that are nearly alike have no range: what differs by a hundredth is no disturbance.
    fence = high + max(FENCE * (high - low), 0.01 * median(medians))
    return sum(each > fence for each in medians)


def find_trend_chance(medians: Sequence[float]) -> float:
    """Find how probable it is that values in random order are as orderly as these: Kendall's exact test.

    >>> find_trend_chance([1.0, 2.0, 3.0, 4.0])
    0.08333333333333333

    Args:
        medians: the rounds' medians, in the order in which they were taken.
    """
    count = len(medians)
    pairs = count * (count - 1) // 2
    against = sum(medians[late] < medians[early] for late in range(count) for early in range(late))
    ways = _count_orders(count)
    fewest = min(against, pairs - against)
    return min(2 * sum(ways[: fewest + 1]) / sum(ways), 1.0)


def _count_orders(count: int) -> list[int]:
    """Count the orders of so many values by how many pairs stand the wrong way round (Mahonian numbers)."""
    ways = [1]
    for place in range(2, count + 1):
        padded = [0] * (place - 1) + ways + [0] * (place - 1)
        ways = [sum(padded[start : start + place]) for start in range(len(ways) + place - 1)]
    return ways
