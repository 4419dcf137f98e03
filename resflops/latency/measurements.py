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
    """Which of the runs it belongs to."""


class Series(Struct, frozen=True, kw_only=True, dict=True, omit_defaults=True):
    """All rounds of one configuration."""

    rounds: tuple[Round, ...] = ()
    failure: Failure | None = None
    peak_bytes: int | None = None
    """The most that was allocated on the device by one step, weights included; None on the CPU."""
    notes: tuple[str, ...] = ()
    """What could not be measured besides the times, and why."""

    @cached_property
    def wall(self) -> Summary | None:
        """Time by the clock; None if there is none."""
        return _summarize_rounds([each.wall for each in self.rounds])

    @cached_property
    def gpu(self) -> Summary | None:
        """Time on the GPU; None if there is none."""
        return _summarize_rounds([each.gpu for each in self.rounds])

    @property
    def time(self) -> Summary | None:
        """Time on the device itself: the GPU's where there is one, else the clock's."""
        return self.gpu or self.wall

    @property
    def samples(self) -> list[tuple[float, ...]]:
        """What ``time`` summarises, round by round."""
        kind = "gpu" if self.gpu else "wall"
        return [getattr(each, kind) for each in self.rounds]

    @cached_property
    def throttled(self) -> tuple[str, ...]:
        """Why clocks were held back while samples were taken."""
        return tuple(sorted({reason for each in self.rounds for reason in each.during.throttle}))

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
    """Of the forward pass."""
    backward_macs: int | None = None
    """Of the backward pass, if it is part of the step."""
    complete: bool = True
    """Whether every op was counted."""
    params: int
    weight_elements: int
    """Parameters and buffers."""
    activation_elements: int
    """Outputs of all ops that compute something, added up."""
    parts: tuple[Part, ...] = ()
    """Every op of the forward pass that has multiply-accumulates."""
    layer_macs: dict[str, int] = {}
    """Of the forward pass, by layer."""

    @property
    def step_macs(self) -> int:
        """Of all that was timed."""
        return self.macs + (self.backward_macs or 0)


class Energy(Struct, frozen=True, kw_only=True):
    """What the whole board drew over a window of nothing but this."""

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
    """One configuration with all that is known of it."""

    configuration: Configuration
    workload: Workload | None = None
    """None where the model could not be counted."""
    series: Series = Series()
    energy: Energy | None = None
    attribution: Attribution | None = None


class Probe(Struct, frozen=True, kw_only=True):
    """Work of a known amount that nothing should beat: a square matrix product, or a copy."""

    kind: Literal["matmul", "copy"]
    dtype: str
    size: int
    """Rows of the matrix, or bytes of the buffer."""

    @property
    def work(self) -> int:
        """Floating-point operations of the product, or bytes that the copy reads and writes."""
        return 2 * self.size**3 if self.kind == "matmul" else 2 * self.size

    def describe(self) -> str:
        """What it does."""
        return f"peak by a {self.kind}, {self.dtype}"


class Peak(Struct, frozen=True, kw_only=True):
    """How fast the device did the work of a probe, in the same run as the models."""

    probe: Probe
    series: Series = Series()

    @property
    def per_second(self) -> float | None:
        """Work per second of the fastest sample, for a roof is what nothing beats; None if it failed."""
        return self.probe.work / self.series.time.least if self.series.time else None


class Gpu(Struct, frozen=True, kw_only=True):
    """A GPU; None is what it did not tell."""

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
    """That the operating system shows, threads of one core counted as cores."""
    threads: int
    """That torch computes with."""
    gpu: Gpu | None = None
    cuda: str | None = None
    cudnn: str | None = None
    flags: dict[str, str] = {}
    """Settings of torch and of the environment, as they were found."""

    @property
    def device(self) -> str:
        """What the models ran on, by name."""
        return (
            self.gpu.name
            if self.gpu
            else f"{self.cpu}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        )

    def find_differences(self, other: "Environment") -> list[str]:
        """In what another one differs, one text each: ``torch 2.15.0 against 2.14.1``."""
        ours, theirs = dict(self.list_facts()), dict(other.list_facts())
        return [
            f"{name} {ours.get(name, 'not set')} against {theirs.get(name, 'not set')}"
            for name in dict.fromkeys((*ours, *theirs))
            if ours.get(name) != theirs.get(name)
        ]

    def list_facts(self) -> Iterator[tuple[str, str]]:
        """All that is known, by names for people."""
        for struct, prefix in ((self, ""), (self.gpu, "GPU ")):
            for name in struct.__struct_fields__ if struct else ():
                value = getattr(struct, name)
                if name not in {"gpu", "flags"} and value is not None:
                    yield prefix + name.replace("_", " "), str(value)
        yield from self.flags.items()


class Run(Struct, frozen=True, kw_only=True):
    """One time that the measuring was started."""

    started: str
    """Date and time in UTC, ISO 8601."""
    command: str
    finished: bool = False


class Measurements(Stored, frozen=True, kw_only=True, dict=True, tag="measurements"):
    """Everything that was measured together, on one machine under one set of flags."""

    environment: Environment
    effort: Effort
    runs: tuple[Run, ...] = ()
    """More than one where it was interrupted and resumed."""
    rows: tuple[Row, ...] = ()
    peaks: tuple[Peak, ...] = ()

    def find_row(self, configuration: Configuration) -> Row | None:
        """The row of a configuration, if it is among them."""
        return self._rows.get(configuration)

    @cached_property
    def _rows(self) -> dict[Configuration, Row]:
        return {row.configuration: row for row in self.rows}

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """All settings, in the order in which they are met first."""
        return tuple(dict.fromkeys(row.configuration.setting for row in self.rows))

    def find_peak(self, kind: Literal["matmul", "copy"], dtype: str = "") -> float | None:
        """The measured peak: operations per second in a dtype, or bytes per second; None if unknown."""
        for each in self.peaks:
            if each.probe.kind == kind and dtype in {"", each.probe.dtype}:
                return each.per_second
        return None
