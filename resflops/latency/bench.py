"""Measures models under configurations: counting, timing, energy and layers, in that order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import torch
from msgspec.structs import replace

from resflops.errors import ResflopsError, UsageError
from resflops.latency.attribution import attribute_time
from resflops.latency.configuration import Configuration
from resflops.latency.cuda import Cuda
from resflops.latency.devices import open_device
from resflops.latency.failures import classify_failure
from resflops.latency.measurements import Attribution, Energy, Measurements, Peak, Probe, Row, Run, Workload
from resflops.latency.models import Measurable, prepare_measurable
from resflops.latency.probes import choose_probes, prepare_probe
from resflops.latency.schedule import Effort
from resflops.latency.session import Session
from resflops.sources.steps import Step

__all__ = ["measure"]

Say = Callable[[str], None]
Keep = Callable[[Measurements], None]

BETWEEN_SAVES = 10.0
"""Seconds between two saves, which are what is lost if the process is killed."""

LAYER_SECONDS = 1.0
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
        so_far: what an earlier run measured; what it has is not measured again.
        say: called with a line of progress.
        keep: called with everything known so far, every so often and at the end.

    Returns:
        Everything known; after Ctrl-C its last run is not ``finished``.

    Raises:
        UsageError: the earlier run was on another machine or under other settings.
    """
    bench = _Bench(models, configurations, effort, command, so_far)
    try:
        bench.count(say)
        bench.time(say, keep)
        keep(bench.collect())
        bench.measure_energy(say)
        if layers:
            bench.attribute(say)
    except KeyboardInterrupt:
        keep(bench.collect())
        return bench.collect()
    bench.finished = True
    keep(bench.collect())
    return bench.collect()


class _Bench:
    """One run of the bench, and everything known so far."""

    def __init__(
        self,
        models: Mapping[str, Measurable],
        configurations: Sequence[Configuration],
        effort: Effort,
        command: str,
        so_far: Measurements | None,
    ) -> None:
        name = configurations[0].device
        self._device, self._environment = open_device(name)
        self._so_far = so_far or Measurements(environment=self._environment, effort=effort)
        self._check_alike()
        self._configurations = configurations
        self._models = models
        self._effort = effort
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._run = Run(started=now, command=command)
        self.finished = False
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
        for probe in choose_probes(
            device, (configuration.dtype for configuration in self._configurations), known=earlier
        ):
            subjects[probe] = partial(prepare_probe, probe, device)
        for configuration in self._configurations:
            subjects[configuration] = partial(
                prepare_measurable, self._models[configuration.model], configuration, self._device
            )
        known: dict[Key, Any] = {peak.probe: peak.series for peak in self._so_far.peaks}
        known |= {row.configuration: row.series for row in self._so_far.rows}
        return Session(subjects, self._device, self._effort, series=known, run=len(self._so_far.runs))

    def _check_alike(self) -> None:
        differences = self._environment.find_differences(self._so_far.environment)
        if differences:
            raise UsageError(
                "the earlier measurements cannot be continued, because this machine or its settings differ: "
                f"{'; '.join(differences)}; save to another file"
            )

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
            return self._models[configuration.model].count_workload(configuration)
        except ResflopsError:
            return None

    def time(self, say: Say, keep: Keep) -> None:
        """Visit every configuration and probe in rounds."""
        # Listed once for the progress line: a failure later on takes visits away.
        visits = len(self._session.list_missing())
        saved = monotonic()
        for place, (number, key) in enumerate(self._session.run_rounds(), start=1):
            say(Step(f"round {number + 1} of {self._effort.rounds}: {key.describe()}", place, of=visits))
            # A file of many rounds takes a while to write, so not after every visit.
            if monotonic() - saved > BETWEEN_SAVES:
                keep(self.collect())
                saved = monotonic()

    def measure_energy(self, say: Say) -> None:
        """Measure the energy of every configuration that has a time, where the device counts it."""
        device = self._device
        if not isinstance(device, Cuda) or not self._effort.energy_seconds:
            return

        def measure_one(configuration: Configuration) -> Energy | None:
            seconds = self._effort.energy_seconds
            return self._session.use_prepared(
                configuration, lambda made: device.measure_energy(made.step, seconds)
            )

        for configuration in self._list_timed():
            if self._rows[configuration].energy is None:
                say(f"energy: {configuration.describe()}")
                energy = self._try_measuring(configuration, "energy", measure_one)
                self._rows[configuration] = replace(self._rows[configuration], energy=energy)

    def attribute(self, say: Say) -> None:
        """Attribute time to layers, where the model's own Python launches the kernels."""

        def attribute_one(configuration: Configuration) -> Attribution:
            least, most = LAYER_REPETITIONS
            time = self._session.series[configuration].time
            often = min(max(int(LAYER_SECONDS / time.median), least), most) if time else least
            device = torch.device(configuration.device)
            return self._session.use_prepared(
                configuration, lambda made: attribute_time(made.module, made.call, device, repetitions=often)
            )

        for configuration in self._list_timed():
            if (
                configuration.mode == "eager"
                and not configuration.training
                and self._rows[configuration].attribution is None
            ):
                say(f"layers: {configuration.describe()}")
                attribution = self._try_measuring(configuration, "layers", attribute_one)
                self._rows[configuration] = replace(self._rows[configuration], attribution=attribution)

    def collect(self) -> Measurements:
        """Collect everything known at this moment."""
        series = self._session.series
        others = [peak for peak in self._so_far.peaks if peak.probe not in series]
        return replace(
            self._so_far,
            effort=self._effort,
            runs=(*self._so_far.runs, replace(self._run, finished=self.finished)),
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
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises
            series = self._session.series[configuration]
            note = f"{what} not measured: {classify_failure(error).message}"
            self._session.series[configuration] = replace(series, notes=(*series.notes, note))
            return None
