"""What was measured: every raw sample, what it was measured on, and what the count says beside it.

Everything that is shown is made from these values, also later and elsewhere. Times are in
seconds, sizes in bytes, energies in joules.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from msgspec import Struct

from resflops.latency.configuration import Configuration, Setting
from resflops.latency.failures import Failure
from resflops.latency.schedule import Effort
from resflops.latency.stability import Stability, judge_stability
from resflops.latency.statistics import Ratio, Summary, median, ratio, summarize
from resflops.storage import Stored

__all__ = [
    "CHANNELS",
    "INTERRUPTED",
    "LAUNCH_BOUND",
    "LOST",
    "POWER_CAP",
    "SIDE",
    "TERMINATED",
    "TF32",
    "TF32_CONVOLUTIONS",
    "TF32_PRODUCTS",
    "Attribution",
    "Comparison",
    "Energy",
    "Environment",
    "Gpu",
    "LayerTime",
    "Measurements",
    "Part",
    "Peak",
    "Probe",
    "ProbeKind",
    "Reading",
    "Round",
    "Row",
    "Run",
    "Series",
    "Workload",
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


def compare_times(of: Series, to: Series) -> Comparison | None:
    """Compare the times of two series; None if one has none.

    Rounds of the same runs took turns, and what slowed one down slowed the other, too. Those of unlike runs
    have nothing in common.
    """
    if not of.time or not to.time:
        return None
    in_turns = [visit.run for visit in of.rounds] == [visit.run for visit in to.rounds]
    return Comparison(ratio=ratio(of.samples, to.samples, paired=in_turns), in_turns=in_turns)


def _summarize_rounds(rounds: list[tuple[float, ...]]) -> Summary | None:
    return summarize(rounds) if any(rounds) else None


class Part(Struct, frozen=True, array_like=True):
    """An op with multiply-accumulates: how many, and how many elements it reads and writes at least."""

    macs: int
    elements: int
    convolution: bool = False
    """Whether it is a convolution, which float32 may be computed for in another precision."""


class Workload(Struct, frozen=True, kw_only=True):
    """What the count says of one step, for the whole batch."""

    macs: int
    """Multiply-accumulates of the forward pass."""
    backward_macs: int | None = None
    """Multiply-accumulates of the backward pass, if it is part of the step."""
    complete: bool = True
    """Whether every op was counted."""
    params: int
    weight_elements: int
    """Elements of parameters and buffers."""
    activation_elements: int
    """Outputs of all ops that compute something, added up."""
    parts: tuple[Part, ...] = ()
    """Every op of the forward pass that has multiply-accumulates."""
    layer_macs: dict[str, int] = {}
    """Multiply-accumulates of the forward pass, by layer."""

    @property
    def step_macs(self) -> int:
        """Multiply-accumulates of everything that was timed."""
        return self.macs + (self.backward_macs or 0)


class Energy(Struct, frozen=True, kw_only=True):
    """What the whole board drew over a window in which nothing else ran."""

    joules: float
    seconds: float
    steps: float
    """How many steps the window was long."""
    idle_watts: float | None = None
    """What the board draws while nothing runs."""

    @property
    def net_joules(self) -> float | None:
        """What it drew above what it draws idle; None if that is not known."""
        return None if self.idle_watts is None else self.joules - self.idle_watts * self.seconds


LIKE = (0.9, 1.3)
"""How long a step may take with marks, relative to one without, for its layers' times to be shown."""


class LayerTime(Struct, frozen=True, kw_only=True):
    """What one layer takes, without the layers inside it."""

    name: str
    seconds: float
    """The median of its repetitions."""


class Attribution(Struct, frozen=True, kw_only=True):
    """Where the time of one step goes, with a mark before and after every module."""

    layers: tuple[LayerTime, ...]
    seconds: float
    """The median of whole steps with the marks."""
    plain_seconds: float
    """The median of whole steps without, in turns with the others."""
    repetitions: int

    @property
    def trustworthy(self) -> bool:
        """Whether a step takes about as long with the marks as without; else its parts tell of others."""
        low, high = LIKE
        return bool(self.plain_seconds) and low <= self.seconds / self.plain_seconds <= high


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One configuration with everything known about it."""

    configuration: Configuration
    workload: Workload | None = None
    """None where the model could not be counted."""
    series: Series = Series()
    energy: Energy | None = None
    attribution: Attribution | None = None


ProbeKind = Literal["matmul", "1×1 convolution", "3×3 convolution", "copy"]

TF32 = "TF32"
"""The precision of float32 ops whose inputs are rounded to ten bits of fraction."""

CHANNELS, SIDE = 256, 56
"""Channels and side of what the convolutions of a probe read and write."""


class Probe(Struct, frozen=True, kw_only=True):
    """Work of a known amount that shows a peak: a square matrix product, a convolution, or a copy."""

    kind: ProbeKind
    dtype: str
    size: int
    """Rows of the matrix, images of a convolution of 256 channels at 56×56, or bytes of the buffer."""
    precision: str = ""
    """What it computes in, if that is not the dtype: ``TF32``."""

    @property
    def work(self) -> int:
        """Floating-point operations, two per multiply-accumulate, or bytes that a copy reads and writes."""
        if self.kind == "copy":
            return 2 * self.size
        if self.kind == "matmul":
            return 2 * self.size**3
        kernel = 9 if self.kind == "3×3 convolution" else 1
        return 2 * self.size * SIDE**2 * CHANNELS**2 * kernel

    @property
    def computes_in(self) -> str:
        """The precision that it shows the peak of."""
        return self.precision or self.dtype

    def describe(self) -> str:
        """Describe what it does."""
        return f"peak by a {self.kind}, {self.computes_in}"


class Peak(Struct, frozen=True, kw_only=True):
    """How fast the device did the work of a probe, in the same run as the models."""

    probe: Probe
    series: Series = Series()

    @property
    def per_second(self) -> float | None:
        """Work per second of the fastest sample; None if it failed."""
        # The fastest sample, not the median: a roof is what nothing gets above.
        return self.probe.work / self.series.time.least if self.series.time else None


TF32_PRODUCTS, TF32_CONVOLUTIONS = "TF32 in matrix products", "TF32 in convolutions"
"""Flags that decide what float32 is computed in on a GPU."""


class Gpu(Struct, frozen=True, kw_only=True):
    """A GPU; what it did not tell is None."""

    name: str
    capability: str
    multiprocessors: int
    memory_bytes: int
    l2_bytes: int | None = None
    driver: str | None = None
    power_limit_watts: float | None = None
    most_sm_clock_mhz: int | None = None
    most_memory_clock_mhz: int | None = None
    ecc: str | None = None
    """Whether errors of memory are corrected, which takes some of its bandwidth."""
    mig: str | None = None
    """Whether the GPU is cut into parts, of which one is seen."""
    persistence: str | None = None
    """Whether the driver stays loaded while nothing runs."""
    other_processes: int | None = None
    """How many other processes compute on it."""


class Environment(Struct, frozen=True, kw_only=True):
    """What decides a time besides the configuration: machine, versions, flags."""

    resflops: str
    python: str
    torch: str
    system: str
    cpu: str
    cpu_family: str = ""
    """Its family, model and stepping, as the system tells them."""
    cores: int
    """Cores that the operating system shows, where threads of one core count as cores."""
    threads: int
    """Threads that torch computes with."""
    gpu: Gpu | None = None
    cuda: str | None = None
    cudnn: str | None = None
    flags: dict[str, str] = {}
    """Settings of torch and environment variables, as they were found."""

    @property
    def device(self) -> str:
        """The name of what the models ran on."""
        return (
            self.gpu.name
            if self.gpu
            else f"{self.cpu}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        )

    def find_precision(self, dtype: str, *, convolution: bool) -> str:
        """Find what ops of a dtype compute in: ``TF32`` for float32 where it is on, else the dtype."""
        flag = self.flags.get(TF32_CONVOLUTIONS if convolution else TF32_PRODUCTS)
        return TF32 if dtype == "float32" and flag == "on" else dtype

    def find_differences(self, other: "Environment") -> list[str]:
        """Find what differs from another environment, one text each: ``torch 2.15.0 against 2.14.1``."""
        ours, theirs = (
            {name: fact for name, fact in each.list_facts() if name != "GPU other processes"}
            for each in (self, other)
        )
        return [
            f"{name} {ours.get(name, 'not set')} against {theirs.get(name, 'not set')}"
            for name in dict.fromkeys((*ours, *theirs))
            if ours.get(name) != theirs.get(name)
        ]

    def list_facts(self) -> Iterator[tuple[str, str]]:
        """List everything known, by names for people."""
        for struct, prefix in ((self, ""), (self.gpu, "GPU ")):
            for name in struct.__struct_fields__ if struct else ():
                value = getattr(struct, name)
                if name not in {"gpu", "flags"} and value not in (None, ""):
                    yield prefix + name.replace("_", " "), str(value)
        yield from self.flags.items()


INTERRUPTED, TERMINATED, LOST = "interrupted", "terminated", "the device was lost"
"""What ends a run early, besides a budget."""


class Run(Struct, frozen=True, kw_only=True):
    """One start of the bench."""

    started: str
    """Date and time in UTC, ISO 8601."""
    command: str
    finished: bool = False
    effort: Effort | None = None
    """How long it measured; None in files of before this was kept."""
    ended: str = ""
    """Why it ended before it had measured everything."""


class Measurements(Stored, frozen=True, kw_only=True, dict=True, tag="measurements"):
    """Everything that was measured together, on one machine under one set of flags."""

    environment: Environment
    effort: Effort
    runs: tuple[Run, ...] = ()
    """More than one if the bench was interrupted and resumed."""
    rows: tuple[Row, ...] = ()
    peaks: tuple[Peak, ...] = ()

    def __repr__(self) -> str:
        models = ", ".join(dict.fromkeys(row.configuration.model for row in self.rows))
        return f"Measurements({models}: {len(self.rows)} timed on {self.environment.device})"

    def find_row(self, configuration: Configuration) -> Row | None:
        """Find the row of a configuration; None if it is not among them."""
        return self._rows.get(configuration)

    @cached_property
    def _rows(self) -> dict[Configuration, Row]:
        return {row.configuration: row for row in self.rows}

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """All settings, in the order of their first rows."""
        return tuple(dict.fromkeys(row.configuration.setting for row in self.rows))

    def find_peak(self, precision: str) -> Peak | None:
        """Find the fastest of the probes that compute in a precision; None if none was measured."""
        computing = [peak for peak in self.peaks if peak.probe.kind != "copy"]
        known = [peak for peak in computing if peak.probe.computes_in == precision and peak.per_second]
        return max(known, key=lambda peak: peak.per_second or 0.0, default=None)

    @property
    def bandwidth(self) -> float | None:
        """Bytes per second that a large copy reads and writes; None if that was not measured."""
        return next((peak.per_second for peak in self.peaks if peak.probe.kind == "copy"), None)
