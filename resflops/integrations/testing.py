"""The function behind the pytest fixture ``cost_gate``, which ``pytest_plugin`` gives to the tests."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from msgspec.structs import replace

from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import ResflopsError, SchemaError, UsageError, suggest
from resflops.gate.config import Budget
from resflops.gate.held_memory import hold_lines
from resflops.gate.limits import read_bytes_limit, read_bytes_tolerance, read_limit, read_tolerance
from resflops.gate.lockfile import read_lock, renew_lock, write_lock
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import (
    ALL_METRICS,
    MEMORY_METRICS,
    HeldLine,
    Metric,
    Snapshot,
    explain_metric,
    snapshot_cost,
)
from resflops.gate.verdict import Verdict, judge
from resflops.render.formats import format_note
from resflops.storage.writing import hold_folder
from resflops.tables.gate_notes import note_verdict

if TYPE_CHECKING:
    from resflops.api import Model

__all__ = ["CostGate", "write_locked"]

Limit = int | float | str | None


class CostGate:
    """A function that fails a test if a model costs more than it may, and names the layers responsible.

    Args:
        path: the lock file of the models that tests lock.
        updates: collects the snapshots to be locked, by name; None to check models against the lock file.
        fail: is called with a message, and ends the test.
    """

    def __init__(
        self, *, path: Path, updates: MutableMapping[str, str] | None, fail: Callable[[str], NoReturn]
    ) -> None:
        self._path = path
        self._updates = updates
        self._fail = fail

    def __call__(
        self,
        model: "Model",
        *inputs: Any,  # noqa: ANN401 - whatever the model takes
        keyword_inputs: Mapping[str, Any] | None = None,
        macs: Limit = None,
        params: Limit = None,
        buffers: Limit = None,
        total: Limit = None,
        peak_memory: Limit = None,
        training_memory: Limit = None,
        lock: str = "",
        tolerance: Mapping[Metric, object] | None = None,
        convention: str = DEFAULT_CONVENTION,
        allow_uncounted: Iterable[str] = (),
        **others: object,
    ) -> Cost:
        """Check the cost of a model against limits, against what was locked under a name, or against both.

        Args:
            model: any module on any device, which is left as it is, or the spec of a model.
            inputs: what the model takes, as :func:`resflops.count` reads it.
            keyword_inputs: what the model takes by keyword.
            macs: the limit for multiply-accumulates, such as ``"<=4.2G"``.
            params: the limit for parameters.
            buffers: the limit for the elements of buffers.
            total: the limit for the cost under the convention.
            peak_memory: the limit for the bytes in use at the peak of inference, such as ``"<=2GiB"``.
            training_memory: the limit for those of a forward and backward pass.
            lock: the name that the model is locked under; ``pytest --resflops-lock`` locks it.
            tolerance: how far above the locked figures is still allowed, such as ``{"macs": "+1%"}``.
            convention: what ``total`` counts.
            allow_uncounted: ops that may stay uncounted; any other uncounted op fails the test.
            others: there are no others; a test that gives one fails with what is meant.

        Returns:
            The cost of the model.
        """
        limits: dict[Metric, Limit] = {
            "macs": macs,
            "params": params,
            "buffers": buffers,
            "total": total,
            "peak_memory": peak_memory,
            "training_memory": training_memory,
        }
        message = ""
        try:
            _check_no_others(others)
            budgets = _read_budgets(limits, needed=not lock)
            tolerances = _read_tolerances(tolerance or {})
            asked = self._list_peaks(lock, [*budgets, *tolerances])
            cost, held = _measure(model, inputs, dict(keyword_inputs or {}), convention, asked)
            now = snapshot_cost(cost, model=lock, memory=held)
            verdict = judge(
                now,
                locked=self._find_locked(now) if lock else None,
                budgets=budgets,
                tolerances=tolerances,
                allowed=frozenset(allow_uncounted),
            )
        except ResflopsError as error:
            message = f"cost_gate: {error}"
        if message:
            # Outside of the except clause, where pytest would show the error once more as its cause.
            self._fail(message)
        elif not verdict.passed:
            self._fail(self._explain(verdict))
        elif lock and self._updates is not None:
            # Only after the limits have passed: what breaks one must not be locked.
            self._updates[lock] = msgspec.json.encode(now).decode()
        return cost

    def _list_peaks(self, lock: str, asked: Iterable[Metric]) -> tuple[Metric, ...]:
        """List the peaks of memory that a limit, a tolerance or the lock asks for."""
        peaks = set(asked)
        if lock and self._updates is None and self._path.exists():
            locked = read_lock(self._path).snapshots.get(lock)
            peaks |= set(locked.memory_metrics if locked else ())
        return tuple(metric for metric in MEMORY_METRICS if metric in peaks)

    def _find_locked(self, now: Snapshot) -> Snapshot:
        """Find the snapshot to compare with: the locked one or, while locking, the present one itself.

        Raises:
            SchemaError: the model is not locked.
            UsageError: another model has been locked under the name.
        """
        if self._updates is not None:
            if self._path.exists():
                # Read for its errors alone, which are reported here and not after all tests have run.
                read_lock(self._path)
            earlier = self._updates.get(now.model)
            # The same model may be locked by several tests, as by the cases of one that is parametrized.
            if earlier is not None and msgspec.json.decode(earlier, type=Snapshot) != now:
                raise UsageError(f"two models are locked as {now.model!r}; give each a name of its own")
            return now
        remedy = "run `pytest --resflops-lock` and commit the file"
        if not self._path.exists():
            raise SchemaError(
                f"{now.model!r} is not locked: there is no {shorten_path(self._path)}; {remedy}"
            )
        snapshots = read_lock(self._path).snapshots
        if now.model not in snapshots:
            raise SchemaError(
                f"{now.model!r} is not locked in {shorten_path(self._path)}"
                f"{suggest(now.model, snapshots)}; {remedy}"
            )
        return snapshots[now.model]

    def _explain(self, verdict: Verdict) -> str:
        lines = list(map(format_note, note_verdict(verdict)))
        if verdict.over_lock or verdict.changed:
            lines.append(
                f"to accept the new cost, run `pytest --resflops-lock` and commit {shorten_path(self._path)}"
            )
        if verdict.over_budget:
            lines.append("over budget: make the model cheaper, or raise the limit in the test")
        return "\n".join(lines)


def _measure(
    model: "Model",
    inputs: tuple[Any, ...],
    keyword_inputs: dict[str, Any],
    convention: str,
    peaks: Sequence[Metric],
) -> tuple[Cost, tuple[HeldLine, ...]]:
    """Count a model, and watch on shapes what its layers hold at the peaks that are asked for."""
    from resflops.api.given_models import open_given
    from resflops.api.graphs import read_given_graph
    from resflops.cost import price
    from resflops.cost.convention import find_convention
    from resflops.peak_memory.from_traces import estimate_memory
    from resflops.tracing import resolve_inputs, trace

    under = find_convention(convention)
    if (read := read_given_graph(model, inputs, keyword_inputs)) is not None:
        return price(read, under), hold_lines(peaks, lambda options: estimate_memory(read, options))
    given = open_given(model, inputs, keyword_inputs)
    # Named by its class, as lock files have it; a model given by its spec has no better name than that.
    traced = trace(given.module, *given.args, **given.kwargs)
    cost = price(replace(traced, model=model) if isinstance(model, str) else traced, under)
    if not peaks:
        return cost, ()
    from resflops.tracing.memory import measure_memory

    reading = resolve_inputs(given.module, given.args, given.kwargs)
    return cost, hold_lines(peaks, lambda options: measure_memory(given.module, reading, options))


def write_locked(path: Path, updates: Mapping[str, str]) -> bool:
    """Add the snapshots that tests locked to their lock file, which keeps all others.

    Returns:
        Whether the file changed.

    Raises:
        FileError: the file cannot be written.
        SchemaError: the file is damaged; it is left as it is.
    """
    from resflops.gate.counting import name_versions

    new = {name: msgspec.json.decode(text, type=Snapshot) for name, text in updates.items()}
    with hold_folder(path):
        old = read_lock(path) if path.exists() else None
        snapshots = {**(old.snapshots if old else {}), **new}
        return write_lock(path, renew_lock(snapshots.values(), old=old, made_by=name_versions()))


def _check_no_others(others: Mapping[str, object]) -> None:
    """Refuse arguments that the gate does not have, with what is meant.

    Raises:
        UsageError: there are some.
    """
    for name in others:
        close = suggest(name, ("tolerance", "convention", "lock", "allow_uncounted", "keyword_inputs"))
        meant = close.removeprefix("; ") or explain_metric(name)
        raise UsageError(
            f"unexpected argument {name!r}; {meant}; an input of the model by keyword goes into "
            f"keyword_inputs={{{name!r}: ...}}"
        )


def _read_budgets(limits: Mapping[Metric, Limit], *, needed: bool) -> dict[Metric, Budget]:
    budgets = {
        metric: Budget(
            limit=(read_bytes_limit if metric in MEMORY_METRICS else read_limit)(limit),
            text=str(limit),
            line=1,
        )
        for metric, limit in limits.items()
        if limit is not None
    }
    if needed and not budgets:
        raise UsageError(
            'no limit is given; give one, as in macs="<=4.2G", or a name to lock, as in lock="net"'
        )
    return budgets


def _read_tolerances(given: Mapping[Metric, object]) -> dict[Metric, Any]:
    for metric in given:
        if metric not in ALL_METRICS:
            raise UsageError(f"tolerance {metric!r}: {explain_metric(metric)}")
    return {
        metric: (read_bytes_tolerance if metric in MEMORY_METRICS else read_tolerance)(value)
        for metric, value in given.items()
    }
