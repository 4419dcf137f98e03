"""The function behind pytest's fixture ``cost_gate``; ``pytest_plugin`` hands it to the tests."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import ResflopsError, SchemaError, UsageError, suggest
from resflops.gate.config import Budget
from resflops.gate.limits import read_limit, read_tolerance
from resflops.gate.lockfile import read_lock, renew_lock, write_lock
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import METRICS, Metric, Snapshot, snapshot_cost
from resflops.gate.verdict import Verdict, judge
from resflops.render.formats import sentence
from resflops.tables import verdict_notes

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CostGate", "write_locked"]

Limit = int | float | str | None


class CostGate:
    """Fails a test if a model costs more than it may, and names the layers to blame.

    Args:
        path: the lock file of the models that tests lock.
        updates: where to put what they cost now, by name, to be locked; None to hold them to
            what is locked.
        fail: ends the test with a message.
    """

    def __init__(
        self, *, path: Path, updates: MutableMapping[str, str] | None, fail: Callable[[str], NoReturn]
    ) -> None:
        self._path = path
        self._updates = updates
        self._fail = fail

    def __call__(
        self,
        model: "nn.Module",
        *inputs: Any,  # noqa: ANN401 - whatever the model takes
        keyword_inputs: Mapping[str, Any] | None = None,
        macs: Limit = None,
        params: Limit = None,
        buffers: Limit = None,
        total: Limit = None,
        lock: str = "",
        tolerance: Mapping[Metric, object] | None = None,
        convention: str = DEFAULT_CONVENTION,
        allow_uncounted: Iterable[str] = (),
    ) -> Cost:
        """Hold a model to limits, to what was locked under a name, or to both.

        Args:
            model: any module on any device; it is left as it is.
            inputs: what it takes; a tuple of ints is the shape of a float32 tensor.
            keyword_inputs: what it takes by keyword.
            macs: the most multiply-accumulates, such as ``"<=4.2G"``.
            params: the most parameters.
            buffers: the most elements of buffers.
            total: the most it may cost under the convention.
            lock: the name that it is locked under; ``pytest --resflops-lock`` locks it.
            tolerance: how much more than locked is let through, such as ``{"macs": "+1%"}``.
            convention: what ``total`` counts.
            allow_uncounted: ops that may stay uncounted; any other fails the test.

        Returns:
            The cost.
        """
        limits: dict[Metric, Limit] = {"macs": macs, "params": params, "buffers": buffers, "total": total}
        message = ""
        try:
            cost = self._count(model, inputs, dict(keyword_inputs or {}), convention)
            now = snapshot_cost(cost, model=lock)
            found = judge(
                now,
                locked=self._find_locked(now) if lock else None,
                budgets=_read_budgets(limits, needed=not lock),
                tolerances=_read_tolerances(tolerance or {}),
                allowed=frozenset(allow_uncounted),
            )
        except ResflopsError as error:
            message = f"cost_gate: {error}"
        if message:
            # Not above, where pytest would show the error once more as its cause.
            self._fail(message)
        elif not found.passed:
            self._fail(self._explain(found))
        elif lock and self._updates is not None:
            self._updates[lock] = msgspec.json.encode(now).decode()
        return cost

    @staticmethod
    def _count(
        model: "nn.Module", inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], convention: str
    ) -> Cost:
        from resflops.cost import price
        from resflops.cost.convention import find_convention
        from resflops.tracing import trace

        return price(trace(model, *inputs, **keyword_inputs), find_convention(convention))

    def _find_locked(self, now: Snapshot) -> Snapshot:
        """What was locked; what it costs now, if that is to be locked."""
        if self._updates is not None:
            if self._path.exists():
                # What is wrong with it is said at once, and not after all tests have run.
                read_lock(self._path)
            written = self._updates.get(now.model)
            if written is not None and msgspec.json.decode(written, type=Snapshot) != now:
                raise UsageError(f"two models are locked as {now.model!r}; give each a name of its own")
            return now
        again = "run `pytest --resflops-lock` and commit it"
        if not self._path.exists():
            raise SchemaError(f"{now.model!r} is not locked: there is no {shorten_path(self._path)}; {again}")
        snapshots = read_lock(self._path).snapshots
        if now.model not in snapshots:
            raise SchemaError(
                f"{now.model!r} is not locked in {shorten_path(self._path)}"
                f"{suggest(now.model, snapshots)}; {again}"
            )
        return snapshots[now.model]

    def _explain(self, found: Verdict) -> str:
        lines = list(map(sentence, verdict_notes(found)))
        if found.diff is not None and any(finding.over_lock for finding in found.findings):
            lines.append(
                f"if it is to cost that: pytest --resflops-lock, and commit {shorten_path(self._path)}"
            )
        return "\n".join(lines)


def write_locked(path: Path, updates: Mapping[str, str]) -> bool:
    """Put what tests locked into their lock file, beside what it holds; tells whether it changed.

    Raises:
        FileError: it cannot be written.
        SchemaError: what is there is no sound lock file; it is left as it is.
    """
    from resflops.gate.counting import name_versions

    old = read_lock(path) if path.exists() else None
    new = {name: msgspec.json.decode(text, type=Snapshot) for name, text in updates.items()}
    snapshots = {**(old.snapshots if old else {}), **new}
    return write_lock(path, renew_lock(snapshots.values(), old=old, made_by=name_versions()))


def _read_budgets(limits: Mapping[Metric, Limit], *, needed: bool) -> dict[Metric, Budget]:
    found = {
        metric: Budget(limit=read_limit(limit), text=str(limit), line=1)
        for metric, limit in limits.items()
        if limit is not None
    }
    if needed and not found:
        raise UsageError(
            'no limit is given; give one, as in macs="<=4.2G", or a name to lock, as in lock="net"'
        )
    return found


def _read_tolerances(given: Mapping[Metric, object]) -> dict[Metric, Any]:
    for metric in given:
        if metric not in METRICS:
            raise UsageError(
                f"no metric {metric!r}{suggest(metric, METRICS)}; there are {', '.join(METRICS)}"
            )
    return {metric: read_tolerance(value) for metric, value in given.items()}
