"""How good predictions are on networks that neither a profile nor the model has seen, beside simple rules."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from resflops.latency.machine import Environment
from resflops.latency.statistics import median
from resflops.storage import Stored

__all__ = ["RULES", "HeldOut", "Predictions", "Rule", "correlate_ranks"]

Rule = Literal["profile", "MACs", "roofline"]
"""What predicts a time: the profile, multiply-accumulates times a constant, or the roofline model."""

RULES: tuple[Rule, ...] = ("profile", "MACs", "roofline")


class HeldOut(Struct, frozen=True, kw_only=True):
    """A network that was timed, and what was predicted for it without that."""

    model: str
    batch: int
    measured: float
    half_width: float
    """Half of the width of the measured median's interval, relative to it."""
    predicted: float
    macs: int
    roof_seconds: float | None = None
    """Its time by the roofline model, at the peaks of the same run."""


class Predictions(Stored, frozen=True, kw_only=True, dict=True, tag="predictions"):
    """Predictions beside times that were measured afterwards."""

    environment: Environment
    command: str
    started: str
    """When the networks were timed: date and time in UTC, ISO 8601."""
    profiled: str
    """When the profile was made."""
    ops: int
    """How many ops were timed for it."""
    rows: tuple[HeldOut, ...]

    def __repr__(self) -> str:
        return f"Predictions({len(self.rows)} networks on {self.environment.device})"

    def check(self) -> None:
        """Check that there are rows, and that all times and counts are above zero, as they are divided by.

        Raises:
            ValueError: they are not.
        """
        figures = [min(row.measured, row.predicted, row.macs) for row in self.rows]
        if min(figures, default=0) <= 0:
            raise ValueError("a time or a count is not above zero")

    def predict(self, rule: Rule) -> list[float | None]:
        """Predict the times of all rows by a rule.

        The constant of the rule by MACs is the one that suits these very rows best: the median of all.
        """
        if rule == "profile":
            return [row.predicted for row in self.rows]
        if rule == "roofline":
            return [row.roof_seconds for row in self.rows]
        pace = median([row.measured / row.macs for row in self.rows])
        return [pace * row.macs for row in self.rows]

    def list_errors(self, rule: Rule) -> list[float | None]:
        """List how far each prediction is above the measured time, relative to it."""
        return [
            None if each is None else each / row.measured - 1
            for row, each in zip(self.rows, self.predict(rule), strict=True)
        ]

    def find_median_error(self, rule: Rule) -> float | None:
        """Find the median of the errors without their signs; None where the rule says nothing."""
        known = [abs(error) for error in self.list_errors(rule) if error is not None]
        return median(known) if known else None

    def find_rank_correlation(self, rule: Rule) -> float | None:
        """Find Spearman's rank correlation with the measured times; None for fewer than two rows."""
        pairs = [
            (each, row.measured)
            for row, each in zip(self.rows, self.predict(rule), strict=True)
            if each is not None
        ]
        return correlate_ranks(pairs) if len(pairs) > 1 else None


def correlate_ranks(pairs: Sequence[tuple[float, float]]) -> float:
    """Compute Spearman's rank correlation, where equal values share the mean of their ranks.

    >>> correlate_ranks([(1, 10), (2, 20), (3, 15)])
    0.5
    """
    ones, others = (_rank(values) for values in zip(*pairs, strict=True))
    middle = (len(pairs) + 1) / 2
    ones, others = ([rank - middle for rank in ranks] for ranks in (ones, others))
    spread: float = (sum(each**2 for each in ones) * sum(each**2 for each in others)) ** 0.5
    return sum(one * other for one, other in zip(ones, others, strict=True)) / spread if spread else 0.0


def _rank(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    # The first place of a value and how often it is there; ranks are from 1 on.
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]
