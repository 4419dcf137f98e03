"""What was measured: every raw sample, what it was measured on, and what the count says beside it.

Everything that is shown is made from these values, also later and elsewhere. Times are in
seconds, sizes in bytes, energies in joules.
"""

from functools import cached_property

from msgspec import Struct

from resflops.latency.configuration import Configuration, Setting, activation_itemsize, itemsize
from resflops.latency.machine import Environment
from resflops.latency.peaks import Peak
from resflops.latency.schedule import Effort
from resflops.latency.series import Series
from resflops.storage import Stored

__all__ = [
    "INTERRUPTED",
    "LOST",
    "TERMINATED",
    "Attribution",
    "Energy",
    "LayerTime",
    "Measurements",
    "Part",
    "Row",
    "Run",
    "Workload",
]


class Part(Struct, frozen=True, array_like=True):
    """An op with multiply-accumulates: how many, and how many elements it reads and writes at least."""

    macs: int
    elements: int
    convolution: bool = False
    """Whether it is a convolution, which float32 may be computed for in another precision."""
    weights: int = 0
    """How many of the elements are of parameters; 0 in files of before this was kept."""


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
    joules_a_step_again: float | None = None
    """What a step drew when that was measured again at the end of the run; None for most, which are not."""

    @property
    def seconds_a_step(self) -> float:
        """How long a step took in the window."""
        return self.seconds / self.steps

    @property
    def difference(self) -> float | None:
        """How much more or less a step drew when measured again, relative to before; None if it was not."""
        again = self.joules_a_step_again
        return None if again is None else abs(again / (self.joules / self.steps) - 1)

    @property
    def net_joules(self) -> float | None:
        """What it drew above what it draws idle; None if that is not known."""
        return None if self.idle_watts is None else self.joules - self.idle_watts * self.seconds


LIKE = (0.9, 1.3)
"""How long a step may take with marks, relative to one without, for its layers' times to be shown."""


class LayerTime(Struct, frozen=True, kw_only=True):
    """What one layer takes, without the layers inside it, or several that a backend has fused."""

    name: str
    seconds: float
    """The median of its repetitions."""
    fused: tuple[str, ...] = ()
    """The layers that are one to the backend; ``()`` for a layer by itself."""


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
    output_error: float | None = None
    """How far a backend's outputs are from those of eager torch on the same input and weights: the largest
    difference over the largest absolute value. None for torch itself, or if it is not known."""

    @property
    def estimated_bytes(self) -> int | None:
        """About how much memory it takes at most; None where the model could not be counted.

        That is the weights, which are built in float32, with their gradients or what autocast casts them to,
        and the outputs of all ops, though inference frees many of them.
        """
        workload, size = self.workload, activation_itemsize(self.configuration.dtype)
        if workload is None:
            return None
        weight = max(size, itemsize("float32"))
        weight += weight * self.configuration.training + size * self.configuration.autocast
        if self.configuration.backend != "torch":
            # The module that is exported, the graph while it is read, and the runtime's own.
            weight *= 3
        return workload.weight_elements * weight + workload.activation_elements * size


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

    @cached_property
    def energy_precision(self) -> float | None:
        """The largest difference between two measurements of one energy; None if none was measured again."""
        found = [row.energy.difference for row in self.rows if row.energy]
        return max((each for each in found if each is not None), default=None)

    def find_peak(self, precision: str) -> Peak | None:
        """Find the fastest of the probes that compute in a precision; None if none was measured."""
        computing = [peak for peak in self.peaks if peak.probe.kind != "copy"]
        known = [peak for peak in computing if peak.probe.computes_in == precision and peak.per_second]
        return max(known, key=lambda peak: peak.per_second or 0.0, default=None)

    @property
    def bandwidth(self) -> float | None:
        """Bytes per second that a large copy reads and writes; None if that was not measured."""
        return next((peak.per_second for peak in self.peaks if peak.probe.kind == "copy"), None)
