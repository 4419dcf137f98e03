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
from resflops.latency.statistics import Summary, summarize
from resflops.storage import Stored

__all__ = [
    "Attribution",
    "Energy",
    "Environment",
    "Gpu",
    "LayerTime",
    "Measurements",
    "Part",
    "Peak",
    "Probe",
    "Reading",
    "Round",
    "Row",
    "Run",
    "Series",
    "Workload",
]


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the machine said of itself at one moment; None where it could not be asked."""

    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    power_watts: float | None = None
    temperature_celsius: int | None = None
    throttle: tuple[str, ...] = ()
    """Why the clocks were held back."""
    load: float | None = None
    """Processes that ran or waited to run on the CPU, over the last minute."""


class Round(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The samples of one visit to a configuration."""

    wall: tuple[float, ...]
    """By the clock, from the call until the device was done."""
    gpu: tuple[float, ...] = ()
    """Between CUDA events around the kernels; ``()`` on the CPU."""
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
        """Why clocks were held back while samples were taken."""
        return tuple(sorted({reason for visit in self.rounds for reason in visit.during.throttle}))

    @cached_property
    def verdict(self) -> Stability | None:
        """Whether ``time`` can be trusted; None without samples."""
        return judge_stability(self.samples, throttled=self.throttled) if self.time else None


def _summarize_rounds(rounds: list[tuple[float, ...]]) -> Summary | None:
    return summarize(rounds) if any(rounds) else None


class Part(Struct, frozen=True, array_like=True):
    """An op with multiply-accumulates: how many, and how many elements it reads and writes at least."""

    macs: int
    elements: int


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
    steps: int


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


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One configuration with everything known about it."""

    configuration: Configuration
    workload: Workload | None = None
    """None where the model could not be counted."""
    series: Series = Series()
    energy: Energy | None = None
    attribution: Attribution | None = None


class Probe(Struct, frozen=True, kw_only=True):
    """Work of a known amount that shows a peak: a square matrix product, or a copy."""

    kind: Literal["matmul", "copy"]
    dtype: str
    size: int
    """Rows of the matrix, or bytes of the buffer."""

    @property
    def work(self) -> int:
        """Floating-point operations of the product, or bytes that the copy reads and writes."""
        return 2 * self.size**3 if self.kind == "matmul" else 2 * self.size

    def describe(self) -> str:
        """Describe what it does."""
        return f"peak by a {self.kind}, {self.dtype}"


class Peak(Struct, frozen=True, kw_only=True):
    """How fast the device did the work of a probe, in the same run as the models."""

    probe: Probe
    series: Series = Series()

    @property
    def per_second(self) -> float | None:
        """Work per second of the fastest sample; None if it failed."""
        # The fastest sample, not the median: a roof is what nothing gets above.
        return self.probe.work / self.series.time.least if self.series.time else None


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


class Environment(Struct, frozen=True, kw_only=True):
    """What decides a time besides the configuration: machine, versions, flags."""

    resflops: str
    python: str
    torch: str
    system: str
    cpu: str
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

    def find_differences(self, other: "Environment") -> list[str]:
        """Find what differs from another environment, one text each: ``torch 2.15.0 against 2.14.1``."""
        ours, theirs = dict(self.list_facts()), dict(other.list_facts())
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
                if name not in {"gpu", "flags"} and value is not None:
                    yield prefix + name.replace("_", " "), str(value)
        yield from self.flags.items()


class Run(Struct, frozen=True, kw_only=True):
    """One start of the bench."""

    started: str
    """Date and time in UTC, ISO 8601."""
    command: str
    finished: bool = False


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

    def find_peak(self, kind: Literal["matmul", "copy"], dtype: str = "") -> float | None:
        """Find a measured peak: operations per second in a dtype, or bytes per second; None if unknown."""
        for peak in self.peaks:
            if peak.probe.kind == kind and dtype in {"", peak.probe.dtype}:
                return peak.per_second
        return None
