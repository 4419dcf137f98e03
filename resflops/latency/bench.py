"""Measures models under configurations: counting, timing, energy and layers, in that order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import torch
from msgspec.structs import replace

from resflops.errors import ResflopsError
from resflops.latency.backends.base import PreparedRuntime, Subject
from resflops.latency.backends.export import ExportedModels
from resflops.latency.backends.registry import open_backend
from resflops.latency.backends.support import BACKENDS, INT8, get_kind
from resflops.latency.configuration import CAPTURING_MODES, Configuration
from resflops.latency.continuing import continue_measurements
from resflops.latency.cuda import Cuda
from resflops.latency.devices import open_device
from resflops.latency.failures import DeviceLostError, classify_failure
from resflops.latency.flags import Flags, set_flags
from resflops.latency.measurements import (
    INTERRUPTED,
    LOST,
    TERMINATED,
    Attribution,
    Energy,
    Measurements,
    Row,
    Run,
    Workload,
)
from resflops.latency.models import Measurable
from resflops.latency.peaks import Peak, Probe
from resflops.latency.probes import choose_probes, prepare_probe
from resflops.latency.schedule import Effort
from resflops.latency.session import Session
from resflops.latency.workload import summarize_workload
from resflops.sources.steps import Step

__all__ = ["measure"]

Say = Callable[[str], None]
Keep = Callable[[Measurements], None]

BETWEEN_SAVES = 10.0
"""Seconds between two saves, which are what is lost if the process is killed."""

LAYER_SECONDS = 1.0
MARKED = 3.0
"""How many times as long as a step the stream is blocked while a step with marks is launched."""

LAYER_REPETITIONS = (3, 20)
"""The fewest and the most repetitions when time is attributed to layers."""

Key = Configuration | Probe


def measure(
    models: Mapping[str, Measurable],
    configurations: Sequence[Configuration],
    *,
    effort: Effort,
    command: str,
    layers: bool = False,
    flags: Flags | None = None,
    so_far: Measurements | None = None,
    say: Say = lambda _: None,
    keep: Keep = lambda _: None,
) -> Measurements:
    """Measure configurations in turns, with the device's peaks among them.

    Args:
        models: by the name that configurations give them.
        configurations: at least one, all on one device.
        effort: how long.
        command: what the user typed, for the record.
        layers: also attribute the time to layers, where kernels are launched one by one.
        flags: settings of torch for this run, which are given back.
        so_far: what an earlier run measured; what it has is not measured again.
        say: called with a line of progress.
        keep: called with everything known so far, every so often and at the end.

    Returns:
        Everything known; its last run is not ``finished`` if it was interrupted, spent its budget or lost
        the device, and says so.

    Raises:
        UsageError: the earlier run was on another machine or under other settings, or a backend is not
            installed.
    """
    with set_flags(flags or Flags()), closing(ExportedModels(say)) as exports:
        bench = _Bench(models, configurations, effort, command, so_far, keep, exports)
        return _measure(bench, say, layers=layers)


def _measure(bench: "_Bench", say: Say, *, layers: bool) -> Measurements:
    try:
        bench.count(say)
        bench.time(say)
        bench.keep_now()
        bench.measure_energy(say)
        if layers:
            bench.attribute(say)
    except KeyboardInterrupt as error:
        # SIGTERM is raised as a kind of it.
        bench.ended = INTERRUPTED if type(error) is KeyboardInterrupt else TERMINATED
    except _BudgetSpentError:
        bench.ended = f"its budget of {bench.effort.budget:g} s was spent"
    except DeviceLostError as error:
        bench.ended = f"{LOST} by {bench.at}: {error}"
    else:
        bench.finished = True
    bench.keep_now()
    return bench.collect()


class _BudgetSpentError(Exception):
    """The time that a run may take is over."""


class _Bench:
    """One run of the bench, and everything known so far."""

    def __init__(
        self,
        models: Mapping[str, Measurable],
        configurations: Sequence[Configuration],
        effort: Effort,
        command: str,
        so_far: Measurements | None,
        keep: Keep,
        exports: ExportedModels | None = None,
    ) -> None:
        name = configurations[0].device
        self.effort = effort
        backends = dict.fromkeys(each.backend for each in configurations)
        for backend in backends:
            open_backend(backend).check_available(name)
        self._device, self._environment = open_device(name)
        facts = {backend: open_backend(backend).read_facts(name) for backend in backends}
        self._environment = replace(
            self._environment, backends={backend: known for backend, known in facts.items() if known}
        )
        self._so_far = continue_measurements(so_far, self._environment, effort)
        self._exports = exports or ExportedModels()
        self._configurations = configurations
        self._models = models
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._run = Run(started=now, command=command, effort=effort)
        self.finished = False
        self.ended = ""
        """Why the run ended before it had measured everything."""
        self.at = ""
        """What is being measured."""
        self._keep, self._saved = keep, monotonic()
        self._deadline = monotonic() + effort.budget if effort.budget else None
        earlier = {row.configuration: row for row in self._so_far.rows}
        self._rows = {
            configuration: earlier.get(configuration, Row(configuration=configuration))
            for configuration in configurations
        }
        # What an earlier run measured and this one does not ask for stays as it is.
        self._others = [row for row in self._so_far.rows if row.configuration not in self._rows]
        self._session = self._open_session(torch.device(name))

    def _open_session(self, device: torch.device) -> Session[Key, Any]:
        subjects: dict[Key, Callable[[], Any]] = {}
        earlier = (peak.probe for peak in self._so_far.peaks)
        computing = [
            (each.dtype, self._environment.find_precision(each.dtype, convolution=convolution))
            for each in self._configurations
            for convolution in (False, True)
            # torch, which the probes are of, computes in no int8; and an ONNX file may have a type that its
            # backend does not compute in.
            if each.dtype not in INT8
            and each.dtype in BACKENDS[each.backend].list_values("dtype", device.type)
        ]
        probes = choose_probes(device, computing, known=earlier)
        for probe in probes:
            subjects[probe] = partial(prepare_probe, probe, device)
        for configuration in self._configurations:
            subjects[configuration] = partial(self._prepare, configuration)
        known: dict[Key, Any] = {peak.probe: peak.series for peak in self._so_far.peaks}
        known |= {row.configuration: row.series for row in self._so_far.rows}
        return Session(
            subjects,
            self._device,
            self.effort,
            series=known,
            run=len(self._so_far.runs),
            # A capture that fails may leave a torch behind that runs nothing more.
            risky={each for each in self._configurations if each.mode in CAPTURING_MODES},
            transient=set(probes),
            estimate_bytes=self._estimate_bytes,
        )

    def _estimate_bytes(self, key: Key) -> int | None:
        row = self._rows[key] if isinstance(key, Configuration) else None
        return row.estimated_bytes if row else None

    def _find_subject(self, configuration: Configuration) -> Subject:
        return Subject(
            model=self._models[configuration.model],
            configuration=configuration,
            device=self._device,
            exports=self._exports,
        )

    def _prepare(self, configuration: Configuration) -> Any:  # noqa: ANN401 - what each backend makes
        prepared = open_backend(configuration.backend).prepare(self._find_subject(configuration))
        if isinstance(prepared, PreparedRuntime):
            error = prepared.error
            self._rows[configuration] = replace(self._rows[configuration], output_error=error.largest)
            for note in (*prepared.notes, error.note):
                if note:
                    self._add_note(configuration, note)
        return prepared

    def _add_note(self, configuration: Configuration, note: str) -> None:
        series = self._session.series[configuration]
        # Once, however often it is prepared.
        notes = tuple(dict.fromkeys((*series.notes, note)))
        self._session.series[configuration] = replace(series, notes=notes)

    def count(self, say: Say) -> None:
        """Count the work of every step; a model that cannot be counted may still be timed."""
        workloads: dict[object, Workload | None] = {}
        for configuration, row in self._rows.items():
            if row.workload is None:
                key = (configuration.model, configuration.batch, configuration.training)
                if key not in workloads:
                    say(f"counting {configuration.model}, batch {configuration.batch}")
                    workloads[key] = self._count_workload(configuration)
                self._rows[configuration] = replace(row, workload=workloads[key])

    def _count_workload(self, configuration: Configuration) -> Workload | None:
        try:
            return summarize_workload(self._models[configuration.model].count(configuration))
        except ResflopsError:
            return None

    def time(self, say: Say) -> None:
        """Visit every configuration and probe in rounds."""
        # Listed once for the progress line: a failure later on takes visits away.
        visits = len(self._session.list_missing())
        for place, (number, key) in enumerate(self._session.run_rounds(), start=1):
            which = "warm-up round" if number < 0 else f"round {number + 1} of {self.effort.rounds}"
            # Beyond the least rounds nobody knows how many visits precision will take.
            say(Step(f"{which}: {key.describe()}", place, of=max(place, visits)))
            self._begin(key)

    def _begin(self, key: Key) -> None:
        """Save what is known if that was long ago, and see whether there is time for something more."""
        self.at = key.describe()
        # A file of many rounds takes a while to write, so not every time.
        if monotonic() - self._saved > BETWEEN_SAVES:
            self.keep_now()
        if self._deadline is not None and monotonic() > self._deadline:
            raise _BudgetSpentError

    def keep_now(self) -> None:
        """Save everything known."""
        self._keep(self.collect())
        self._saved = monotonic()

    def measure_energy(self, say: Say) -> None:
        """Measure the energy of every configuration that has a time, where the device counts it.

        That of the first and of the last is measured again at the end, which tells how precise all are.
        """
        device = self._device
        if not isinstance(device, Cuda) or not self.effort.energy_seconds:
            return

        def measure_one(configuration: Configuration) -> Energy | None:
            seconds = self.effort.energy_seconds
            return self._session.use_prepared(
                configuration, lambda made: device.measure_energy(made.step, seconds)
            )

        for configuration in self._list_timed():
            if self._rows[configuration].energy is None:
                say(f"energy: {configuration.describe()}")
                self._begin(configuration)
                energy = self._try_measuring(configuration, "energy", measure_one)
                self._rows[configuration] = replace(self._rows[configuration], energy=energy)
        known = [each for each in self._list_timed() if self._rows[each].energy]
        for configuration in dict.fromkeys((*known[:1], *known[-1:])):
            energy = self._rows[configuration].energy
            if energy is not None and energy.joules_a_step_again is None:
                say(f"energy again: {configuration.describe()}")
                self._begin(configuration)
                again = self._try_measuring(configuration, "energy a second time", measure_one)
                if again is not None:
                    energy = replace(energy, joules_a_step_again=round(again.joules / again.steps, 9))
                self._rows[configuration] = replace(self._rows[configuration], energy=energy)

    def attribute(self, say: Say) -> None:
        """Attribute time to layers, where the model's own Python launches the kernels."""

        def attribute_one(configuration: Configuration) -> Attribution:
            least, most = LAYER_REPETITIONS
            time = self._session.series[configuration].time
            often = min(max(int(LAYER_SECONDS / time.median), least), most) if time else least
            backend, subject = open_backend(configuration.backend), self._find_subject(configuration)
            block = self._make_block(configuration)
            return self._session.use_prepared(
                configuration,
                lambda made: backend.attribute(made, subject, repetitions=often, block=block),
            )

        for configuration in self._list_timed():
            if (
                configuration.mode == "eager"
                and not configuration.training
                and get_kind(configuration.device) in BACKENDS[configuration.backend].layers
                and self._rows[configuration].attribution is None
            ):
                say(f"layers: {configuration.describe()}")
                self._begin(configuration)
                attribution = self._try_measuring(configuration, "layers", attribute_one)
                self._rows[configuration] = replace(self._rows[configuration], attribution=attribution)

    def _make_block(self, configuration: Configuration) -> Callable[[], None]:
        """Make what blocks a GPU's stream while a step with its marks is launched."""
        device, wall = self._device, self._session.series[configuration].wall
        if not isinstance(device, Cuda) or not wall:
            return lambda: None
        # Launching takes no longer than a whole step, and twice as long with its marks.
        return partial(device.block, MARKED * wall.median)

    def collect(self) -> Measurements:
        """Collect everything known at this moment."""
        series = self._session.series
        others = [peak for peak in self._so_far.peaks if peak.probe not in series]
        return replace(
            self._so_far,
            # What the samples of all runs have in common, with the rounds of the latest.
            effort=self.effort,
            runs=(*self._so_far.runs, replace(self._run, finished=self.finished, ended=self.ended)),
            rows=(*self._others, *(replace(row, series=series[key]) for key, row in self._rows.items())),
            peaks=(
                *others,
                *(Peak(probe=key, series=known) for key, known in series.items() if isinstance(key, Probe)),
            ),
        )

    def _list_timed(self) -> Iterable[Configuration]:
        for configuration in self._configurations:
            series = self._session.series[configuration]
            if series.rounds and not series.failure:
                yield configuration

    def _try_measuring(
        self, configuration: Configuration, what: str, do: Callable[[Configuration], Any]
    ) -> Any:  # noqa: ANN401
        """Return a function's result, or None and leave a note: the times stand even if the rest fails."""
        try:
            return do(configuration)
        except DeviceLostError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises
            self._add_note(configuration, f"{what} not measured: {classify_failure(error).message}")
            return None
