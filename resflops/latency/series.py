"""What one configuration took: every sample, what the device told meanwhile, and what follows from both."""

from functools import cached_property

from msgspec import Struct

from resflops.latency.failures import Failure
from resflops.latency.stability import Stability, judge_stability
from resflops.latency.statistics import Ratio, Summary, median, ratio, summarize

__all__ = [
    "LAUNCH_BOUND",
    "POWER_CAP",
    "Comparison",
    "Reading",
    "Round",
    "Series",
    "compare_times",
]

POWER_CAP = "power cap"
"""Why the clocks of a card under full load usually are held back: its regulation, and no fault."""


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the machine said of itself at one moment; None where it could not be asked."""

    sm_clock_mhz: int | None = None
    least_sm_clock_mhz: int | None = None
    """The lowest while a round was measured."""
    memory_clock_mhz: int | None = None
    power_watts: float | None = None
    temperature_celsius: int | None = None
    throttle: tuple[str, ...] | None = None
    """Why the clocks were held back; None if that was not told."""
    load: float | None = None
    """Processes that ran or waited to run on the CPU, over the last minute."""


class Round(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The samples of one visit to a configuration."""

    wall: tuple[float, ...]
    """By the clock, from the call until the device was done."""
    gpu: tuple[float, ...] = ()
    """Between CUDA events around the kernels, all of which were launched before the first began, so that none
    waited for its launch; ``()`` on the CPU."""
    queued: tuple[float, ...] = ()
    """Between the same events where steps follow each other as they do in use: the kernels of a step that is
    launched slower than it runs wait for their launches."""
    before: Reading = Reading()
    """After the warm-up, before the first sample."""
    during: Reading = Reading()
    """While the device was at work."""
    run: int = 0
    """The index of the run that it belongs to."""


class Series(Struct, frozen=True, kw_only=True, dict=True, omit_defaults=True):
    """All rounds of one configuration."""

    rounds: tuple[Round, ...] = ()
    failure: Failure | None = None
    peak_bytes: int | None = None
    """The most that was allocated on the device by one step, weights included; None on the CPU."""
    notes: tuple[str, ...] = ()
    """What could not be measured apart from the times, and why."""

    @cached_property
    def wall(self) -> Summary | None:
        """The time by the clock; None without samples."""
        return _summarize_rounds([visit.wall for visit in self.rounds])

    @cached_property
    def gpu(self) -> Summary | None:
        """The time on the GPU; None without samples."""
        return _summarize_rounds([visit.gpu for visit in self.rounds])

    @property
    def time(self) -> Summary | None:
        """The time on the device itself: the GPU's where there is one, else the clock's."""
        return self.gpu or self.wall

    @property
    def samples(self) -> list[tuple[float, ...]]:
        """What ``time`` summarises, round by round."""
        kind = "gpu" if self.gpu else "wall"
        return [getattr(visit, kind) for visit in self.rounds]

    @cached_property
    def throttled(self) -> tuple[str, ...]:
        """Why clocks were held back while samples were taken, the power cap apart."""
        reasons = {reason for visit in self.rounds for reason in visit.during.throttle or ()}
        return tuple(sorted(reasons - {POWER_CAP}))

    @property
    def capped(self) -> bool:
        """Whether clocks were held back to keep within the power limit."""
        return any(POWER_CAP in (visit.during.throttle or ()) for visit in self.rounds)

    @cached_property
    def queued(self) -> Summary | None:
        """The time from step to step where they follow each other; None without samples."""
        return _summarize_rounds([visit.queued for visit in self.rounds])

    @property
    def busy(self) -> float | None:
        """The share of a step, as steps follow each other, in which the GPU is at work; None on the CPU."""
        return min(self.gpu.median / self.queued.median, 1.0) if self.gpu and self.queued else None

    @property
    def slow_rounds(self) -> int:
        """In how many rounds the SM clock was far below that of the others."""
        clocks = [clock for visit in self.rounds if (clock := visit.during.sm_clock_mhz) is not None]
        return sum(clock < SLOW_CLOCK * median(clocks) for clock in clocks) if clocks else 0

    @cached_property
    def verdict(self) -> Stability | None:
        """How precisely ``time`` is known, and what disturbed it; None without samples."""
        if self.time is None:
            return None
        return judge_stability(
            self.samples, summary=self.time, throttled=self.throttled, slow_clocks=self.slow_rounds
        )


SLOW_CLOCK = 0.75
"""The share of the median clock below which a round's is slow, as in nvbench (its pull request 206)."""

LAUNCH_BOUND = 0.9
"""The share of a step that the GPU is at work in, below which launching decides how long a step takes."""


class Comparison(Struct, frozen=True, kw_only=True):
    """The ratio of two times, and whether they were measured in turns."""

    ratio: Ratio
    in_turns: bool


def compare_times(of: Series, to: Series, *, by_clock: bool = False) -> Comparison | None:
    """Compare the times of two series; None if one has none.

    Rounds of the same runs took turns, and what slowed one down slowed the other, too. Those of unlike runs
    have nothing in common.

    Args:
        of: the series whose time is divided.
        to: the series by whose time it is.
        by_clock: whether to compare the times by the clock, launches included, rather than a GPU's.
    """
    if not of.time or not to.time:
        return None
    in_turns = [visit.run for visit in of.rounds] == [visit.run for visit in to.rounds]
    samples = [[visit.wall for visit in each.rounds] if by_clock else each.samples for each in (of, to)]
    return Comparison(ratio=ratio(*samples, paired=in_turns), in_turns=in_turns)


def _summarize_rounds(rounds: list[tuple[float, ...]]) -> Summary | None:
    return summarize(rounds) if any(rounds) else None
