"""Judges whether a series can be trusted, and if not, why not; the verdict goes with every figure."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from resflops.latency.statistics import Rounds, drift, outliers, summarize

__all__ = ["LIMITS", "Instability", "Stability", "judge_stability"]

InstabilityKind = Literal["drift", "outliers", "wide interval", "few samples", "throttled"]

LIMITS: dict[InstabilityKind, float] = {
    "drift": 0.05,
    "outliers": 0.05,
    "wide interval": 0.05,
    "few samples": 10,
}
"""The limits beyond which a series is unstable: the drift relative to the median, the share of outliers,
the interval's width relative to the median, and the least number of samples."""

FAR = 5.0
"""Standard deviations from the median, by the median absolute deviation, that make an outlier."""

LEAST_DEVIATION = 0.01
"""A share of the median: no sample within FAR times this is an outlier, however alike the others are."""


class Instability(Struct, frozen=True, kw_only=True):
    """One reason to doubt a series."""

    kind: InstabilityKind
    value: float | None = None
    """The value in the unit of its limit; None for throttling."""
    detail: str = ""

    def describe(self) -> str:
        """Describe the reason with its figure.

        >>> Instability(kind="drift", value=-0.125).describe()
        'drift −12.5 %'
        >>> Instability(kind="throttled", detail="power cap").describe()
        'throttled (power cap)'
        """
        if self.kind == "few samples":
            return f"only {self.value or 0:.0f} sample{'' if self.value == 1 else 's'}"
        if self.value is None:
            return f"{self.kind} ({self.detail})"
        sign = "+" if self.kind == "drift" else ""
        return f"{self.kind} {self.value * 100:{sign}.1f} %".replace(" -", " −")


class Stability(Struct, frozen=True, kw_only=True):
    """Whether a series can be trusted, with every reason against it."""

    findings: tuple[Instability, ...] = ()

    @property
    def stable(self) -> bool:
        """Whether there is no reason against it."""
        return not self.findings

    def describe(self) -> str:
        """Describe the verdict: ``stable``, or every reason against it."""
        return "; ".join(finding.describe() for finding in self.findings) or "stable"


def judge_stability(rounds: Rounds, *, throttled: Sequence[str] = ()) -> Stability:
    """Judge whether a series can be trusted.

    >>> judge_stability([[1.0] * 10, [1.0] * 10]).describe()
    'stable'
    >>> judge_stability([[1.0] * 10, [1.2] * 10]).describe()
    'drift +18.2 %; wide interval 18.2 %'

    Args:
        rounds: the samples, round by round.
        throttled: why the device held its clocks back while the samples were taken.
    """
    samples = sum(map(len, rounds))
    measured: dict[InstabilityKind, float] = {
        "drift": drift(rounds),
        "outliers": outliers(rounds, distance=FAR, floor=LEAST_DEVIATION),
        "wide interval": summarize(rounds).width,
    }
    findings = [
        Instability(kind=kind, value=value) for kind, value in measured.items() if abs(value) > LIMITS[kind]
    ]
    if samples < LIMITS["few samples"]:
        findings.append(Instability(kind="few samples", value=samples))
    if throttled:
        findings.append(Instability(kind="throttled", detail=", ".join(throttled)))
    return Stability(findings=tuple(findings))
