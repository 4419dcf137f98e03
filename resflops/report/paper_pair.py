"""The two networks of the ResNet paper's sentence, timed in turns, and what lies between count and time.

Compared once for everything that shows it: tables, sentences and picture of ``latency.md``, and the index.
"""

from collections import Counter
from collections.abc import Callable
from typing import get_args

from msgspec import Struct

from resflops.latency.configuration import Setting
from resflops.latency.measurements import Measurements, Row, Workload
from resflops.latency.roofline import Performance, analyze_roofline
from resflops.latency.series import compare_times
from resflops.latency.stability import Grade, find_grade
from resflops.latency.statistics import Ratio

__all__ = [
    "LARGER",
    "PLAIN",
    "SMALLER",
    "PaperPair",
    "SettingPair",
    "Sides",
    "TimedNetwork",
    "compare_paper_pair",
    "find_timed_row",
]

SMALLER, LARGER = "resnet34", "vgg19"
"""The two of the paper's sentence: 3.6 billion FLOPs, only 18 % of VGG-19's 19.6 billion."""

PLAIN = "plain34"
"""The paper's sentence is of this one, ResNet-34 without its shortcuts, which does all but the same work."""


RUNTIMES = {"eager": "eager torch", "compile": "compiled torch", "cuda-graph": "CUDA graphs"}
"""What torch's modes are called in a sentence."""

APART = 0.05
"""How far a ratio by the clock is from the one on the GPU for both to be shown, as a part of the latter."""


class TimedNetwork(Struct, frozen=True, kw_only=True):
    """One of the two networks under a setting."""

    row: Row
    workload: Workload
    meaning: Performance

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one input."""
        return self.workload.step_macs // self.row.configuration.batch

    @property
    def ops(self) -> int:
        """The number of ops that multiply and accumulate."""
        return len(self.workload.parts)

    @property
    def macs_per_op(self) -> int | None:
        """Multiply-accumulates of one step by the ops that have any."""
        return self.macs * self.row.configuration.batch // self.ops if self.ops else None


class SettingPair(Struct, frozen=True, kw_only=True):
    """Both networks under one setting, measured in turns; every ratio is the larger over the smaller."""

    setting: Setting
    smaller: TimedNetwork
    larger: TimedNetwork
    time: Ratio
    """The ratio of their median times."""
    by_clock: Ratio | None = None
    """That of their times by the clock, in which launching the kernels is; None where there is no GPU."""

    @property
    def batch(self) -> int:
        """How many inputs at once."""
        return self.setting.batch

    @property
    def differs_by_clock(self) -> bool:
        """Whether the ratio by the clock is another than that of the GPU's times."""
        return self.by_clock is not None and abs(self.by_clock.value / self.time.value - 1) > APART

    @property
    def way(self) -> str:
        """The setting in words, without the batch."""
        return self.setting.way

    @property
    def macs(self) -> float:
        """The ratio of the multiply-accumulates of what was timed, backward pass included."""
        return self.larger.macs / self.smaller.macs

    @property
    def forward_macs(self) -> float:
        """The ratio of the multiply-accumulates of the forward passes alone."""
        return self.larger.workload.macs / self.smaller.workload.macs

    @property
    def energy(self) -> float | None:
        """The ratio of the energies, where both are known."""
        return _divide(self.larger.meaning.joules_per_item, self.smaller.meaning.joules_per_item)

    @property
    def roof(self) -> float | None:
        """The ratio of the times by the roofline, where both are known."""
        return _divide(self.larger.meaning.roof_seconds, self.smaller.meaning.roof_seconds)

    @property
    def grade(self) -> Grade:
        """How precisely the ratio is known: better than the times are, where both were measured in turns."""
        return find_grade(self.time.half_width)


class Sides(Struct, frozen=True, kw_only=True):
    """A figure of both networks at one batch size, under each of its settings."""

    batch: int
    smaller: tuple[float, ...]
    larger: tuple[float, ...]


class PaperPair(Struct, frozen=True, kw_only=True):
    """Both networks on one device, under every setting that both were timed under.

    The properties are what the sentences say; where the measurements do not carry one, its
    property is empty and the sentence is not written.
    """

    device: str
    settings: tuple[SettingPair, ...]

    @property
    def smaller(self) -> TimedNetwork:
        """ResNet-34 under the first setting; its count is the same under all."""
        return self.settings[0].smaller

    @property
    def larger(self) -> TimedNetwork:
        """VGG-19 under the first setting."""
        return self.settings[0].larger

    @property
    def macs(self) -> float:
        """The ratio of the multiply-accumulates."""
        return self.settings[0].macs

    @property
    def ways(self) -> dict[str, tuple[SettingPair, ...]]:
        """The settings that are the same but for the batch, by what they have in common."""
        ways: dict[str, list[SettingPair]] = {}
        for pair in self.settings:
            ways.setdefault(pair.way, []).append(pair)
        return {way: tuple(sorted(pairs, key=lambda each: each.batch)) for way, pairs in ways.items()}

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes."""
        return tuple(sorted({pair.batch for pair in self.settings}))

    @property
    def answers(self) -> dict[str, tuple[SettingPair, ...]]:
        """What the page begins with: the first way of every runtime, at the least and the greatest batch."""
        answers: dict[str, tuple[SettingPair, ...]] = {}
        for pairs in self.ways.values():
            extremes = pairs if len(pairs) == 1 else (pairs[0], pairs[-1])
            answers.setdefault(_name_runtime(pairs[0].setting), extremes)
        return answers

    @property
    def launch_bound(self) -> SettingPair | None:
        """The first setting under which the ratio by the clock is another than the GPU's; None if none."""
        return next((pair for pair in self.settings if pair.differs_by_clock), None)

    @property
    def times(self) -> tuple[float, ...]:
        """The ratios of the times."""
        return tuple(pair.time.value for pair in self.settings)

    @property
    def below_macs(self) -> int:
        """Settings under which the time ratio is surely less than that of the multiply-accumulates."""
        return sum(pair.time.high < self.macs for pair in self.settings)

    @property
    def above_macs(self) -> int:
        """Settings under which it is surely more."""
        return sum(pair.time.low > self.macs for pair in self.settings)

    @property
    def undecided(self) -> int:
        """Settings under which the interval of the time ratio holds that of the multiply-accumulates."""
        return len(self.settings) - self.below_macs - self.above_macs

    @property
    def energies(self) -> tuple[float, ...]:
        """The known ratios of the energies."""
        return tuple(pair.energy for pair in self.settings if pair.energy)

    @property
    def roofs(self) -> tuple[float, ...]:
        """The known ratios of the times by the roofline."""
        return tuple(pair.roof for pair in self.settings if pair.roof)

    @property
    def peaks(self) -> tuple[tuple[float, float], ...]:
        """The shares of the measured peak that the smaller and the larger reach, where both are known."""
        return tuple(
            (smaller, larger)
            for pair in self.settings
            if (smaller := pair.smaller.meaning.of_peak) and (larger := pair.larger.meaning.of_peak)
        )

    @property
    def larger_nearer_peak(self) -> int:
        """Settings under which the larger reaches the larger share of the peak."""
        return sum(larger > smaller for smaller, larger in self.peaks)

    @property
    def above_peak(self) -> int:
        """Settings under which one of them passed the peak, which then bounds nothing."""
        return sum(max(parts) > 1 for parts in self.peaks)

    @property
    def memory_bound(self) -> tuple[Sides, ...]:
        """The shares of the time by the roofline that memory bounds."""
        return self._list_sides(lambda network: network.meaning.memory_part)

    @property
    def over_roof(self) -> tuple[Sides, ...]:
        """How many times as long as by the roofline they took."""
        return self._list_sides(
            lambda network: _divide(network.meaning.seconds, network.meaning.roof_seconds)
        )

    def _list_sides(self, find: Callable[[TimedNetwork], float | None]) -> tuple[Sides, ...]:
        """List a figure at the least batch size and at the greatest; once where they are the same."""
        known = [
            (pair.batch, smaller, larger)
            for pair in self.settings
            if (smaller := find(pair.smaller)) is not None and (larger := find(pair.larger)) is not None
        ]
        batches = sorted({batch for batch, _, _ in known})
        return tuple(
            Sides(
                batch=extreme,
                smaller=tuple(smaller for batch, smaller, _ in known if batch == extreme),
                larger=tuple(larger for batch, _, larger in known if batch == extreme),
            )
            for extreme in dict.fromkeys(batches[:1] + batches[-1:])
        )

    @property
    def op_size(self) -> float | None:
        """How large the larger's ops with multiply-accumulates are on average, in those of the smaller."""
        if not self.smaller.ops or not self.larger.ops:
            return None
        return (self.larger.macs / self.larger.ops) / (self.smaller.macs / self.smaller.ops)

    @property
    def grades(self) -> dict[Grade, int]:
        """How many of the ratios have each grade, the best first."""
        counted = Counter(pair.grade for pair in self.settings)
        return {grade: counted[grade] for grade in get_args(Grade) if counted[grade]}


def compare_paper_pair(measurements: Measurements) -> PaperPair:
    """Pair the paper's two networks under every setting that both were timed under."""
    pairs = []
    for setting in measurements.settings:
        smaller = _find_network(measurements, setting, SMALLER)
        larger = _find_network(measurements, setting, LARGER)
        if smaller and larger:
            both = larger.row.series, smaller.row.series
            compared = compare_times(*both)
            by_clock = compare_times(*both, by_clock=True) if both[0].gpu and both[1].gpu else None
            if compared:
                pairs.append(
                    SettingPair(
                        setting=setting,
                        smaller=smaller,
                        larger=larger,
                        time=compared.ratio,
                        by_clock=by_clock.ratio if by_clock else None,
                    )
                )
    return PaperPair(device=measurements.environment.device, settings=tuple(pairs))


def find_timed_row(measurements: Measurements, model: str, setting: Setting) -> Row | None:
    """Find the row of a model under a setting; None if it was not or could not be measured."""
    for row in measurements.rows:
        if (row.configuration.model, row.configuration.setting) == (model, setting):
            return row if row.series.time and not row.series.failure else None
    return None


def _name_runtime(setting: Setting) -> str:
    return RUNTIMES.get(setting.mode, setting.mode) if setting.backend == "torch" else setting.backend


def _find_network(measurements: Measurements, setting: Setting, model: str) -> TimedNetwork | None:
    row = find_timed_row(measurements, model, setting)
    meaning = analyze_roofline(row, measurements) if row else None
    if row is None or row.workload is None or meaning is None:
        return None
    return TimedNetwork(row=row, workload=row.workload, meaning=meaning)


def _divide(of: float | None, to: float | None) -> float | None:
    return of / to if of is not None and to else None
