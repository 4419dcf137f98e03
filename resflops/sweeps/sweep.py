"""A sweep from its models to its rows: which cases there are, which are done, and who counts the rest."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from resflops._version import __version__
from resflops.errors import ResflopsError, UsageError
from resflops.records import Shape
from resflops.sources.steps import Step
from resflops.sweeps.candidates import Candidate, Candidates
from resflops.sweeps.cases import Batch, Case, Limits, Outcome, SweepOptions
from resflops.sweeps.columns import Column, find_version, list_columns
from resflops.sweeps.counting_process import Workers, count_batch
from resflops.sweeps.counting_program import name_failure
from resflops.sweeps.files import write_rows
from resflops.sweeps.journal import Journal, JournalSummary
from resflops.sweeps.scheduling import run_batches

__all__ = ["SweepRequest", "SweepResult", "list_rows", "name_journal", "run_sweep"]

Say = Callable[[str], None]


class SweepRequest(Struct, frozen=True, kw_only=True):
    """What to sweep over, and how."""

    models: Any
    """What the models come from, as ``Candidates`` takes it."""
    inputs: tuple[tuple[Shape | None, int | None], ...] = ((None, None),)
    """Shapes of the main input, and batches; None is the usual one."""
    options: SweepOptions = SweepOptions()
    limits: Limits = Limits()
    workers: int | None = None
    """How many batches are counted at a time; None for as many as there are cores, or workers elsewhere."""
    executor: Any = None
    """What has ``submit``, as the executors of ``concurrent.futures`` have; None for processes here."""
    out: Path | None = None
    """The file to write; None to keep the rows in memory."""
    resume: bool = False
    """Whether to go on where an earlier sweep was stopped."""
    retry_failed: bool = False
    """Whether to count those again that failed then."""
    restart: bool = False
    """Whether to drop what an earlier sweep has left."""


class SweepResult(Struct, frozen=True, kw_only=True):
    """What a sweep has counted."""

    journal: Journal
    columns: tuple[Column, ...]
    counted: int
    """How many cases were counted by this run, rather than by one before."""
    seconds: float
    workers: int
    named_failures: tuple[tuple[str, str], ...] = ()
    """Models that the user named by themselves and that failed, with the reasons."""
    interrupted: bool = False

    def summarize(self) -> JournalSummary:
        """Summarize it."""
        return self.journal.summarize()


def name_journal(out: Path) -> Path:
    """Name the file of the journal of a sweep that is written to a file."""
    return out.with_name(f"{out.name}.sweep")


def run_sweep(request: SweepRequest, *, say: Say = lambda _: None) -> SweepResult:
    """Run a sweep, and write its rows if a file is given.

    With an interrupt, what has been counted is written and kept for another run.

    Args:
        request: the sweep.
        say: is called with a line about what is being done.

    Raises:
        UsageError: an earlier sweep was stopped and it was not said whether to go on; or it was another one.
        FileError: a file cannot be written.
        ResflopsError: a search space failed.
    """
    started = monotonic()
    candidates = Candidates(request.models, say=say, fresh=request.options.fresh)
    about = _describe(request)
    columns = list_columns(request.options)
    workers = request.workers or _count_workers(request.executor)
    journal = _open_journal(request, about)
    counted, interrupted = 0, False
    named: dict[str, str] = {}
    try:
        with ExitStack() as stack:
            submit = _start_workers(request.executor, workers, stack)
            cases = _Cases(request, candidates, journal, _share_memory(request, workers))
            for outcomes in run_batches(cases.take, submit, slots=workers):
                journal.add(outcomes)
                counted += len(outcomes)
                say(_tell_progress(cases, counted, outcomes[-1], started))
                named |= {
                    each.label: each.row["reason"]
                    for each in outcomes
                    if each.failure and each.number in cases.named
                }
    except KeyboardInterrupt:
        if not counted:
            _leave(journal)
            raise
        interrupted = True
    except BaseException:
        _leave(journal)
        raise
    if request.out is not None:
        if not interrupted:
            # After an interrupt, progress would take it for one that got lost, and raise it again.
            say(f"writing {request.out}")
        write_rows(request.out, columns, journal.rows(), about)
        journal.release()
    return SweepResult(
        journal=journal,
        columns=columns,
        counted=counted,
        seconds=monotonic() - started,
        workers=workers,
        named_failures=tuple(named.items()),
        interrupted=interrupted,
    )


def _tell_progress(cases: "_Cases", counted: int, last: Outcome, started: float) -> str:
    rate = counted / max(monotonic() - started, 1e-6)
    # The rate first: a bar cuts a long text.
    what = f"{rate:,.1f} a second, {last.label}"
    done = cases.done_before + counted
    return what if cases.total is None else Step(what, min(done + 1, cases.total), of=cases.total)


def _count_workers(executor: Any) -> int:  # noqa: ANN401 - anything with submit()
    """Count the workers that an executor has, or the cores that this process may use."""
    if executor is not None:
        with suppress(AttributeError):
            return max(1, int(executor._max_workers))  # noqa: SLF001 - all of the standard library's have it
        with suppress(AttributeError):
            return max(1, int(sum(executor._client.nthreads().values())))  # noqa: SLF001 - Dask's has its client
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share_memory(request: SweepRequest, workers: int) -> Limits:
    """Give each process its share of this machine's memory, if no other limit is set."""
    if request.limits.memory is not None or request.executor is not None:
        return request.limits
    import psutil

    return replace(request.limits, memory=int(0.9 * psutil.virtual_memory().total) // workers)


def _start_workers(executor: Any, number: int, stack: ExitStack) -> Callable[[Batch], Any]:  # noqa: ANN401
    """Start what counts batches, and give the function that hands one over."""
    if executor is not None:
        return lambda batch: executor.submit(count_batch, batch)
    pool = ThreadPoolExecutor(number, thread_name_prefix="sweep")
    workers = Workers()
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
    # Before the pool waits for its threads, which wait for their processes.
    stack.callback(workers.close)
    return lambda batch: pool.submit(workers.count, batch)


def _describe(request: SweepRequest) -> dict[str, Any]:
    """Describe what decides the rows: the request, and the versions of what counts and has the models."""
    models = request.models
    texts = [models] if isinstance(models, str) else models
    named = isinstance(texts, list | tuple) and all(isinstance(each, str) for each in texts)
    return {
        "resflops": __version__,
        "python": ".".join(map(str, sys.version_info[:2])),
        **{name: version for name in _PACKAGES if (version := find_version(name))},
        "models": list(texts) if named else "made by the caller",
        "inputs": [[list(shape) if shape else None, batch] for shape, batch in request.inputs],
        "options": msgspec.to_builtins(request.options),
    }


_PACKAGES = ("torch", "torchvision", "timm", "transformers")


def _open_journal(request: SweepRequest, about: dict[str, Any]) -> Journal:
    """Open the journal of a sweep, in which an earlier run may have left what it counted.

    Raises:
        UsageError: it has, and it was not said what to do with it; or that was another sweep.
    """
    if request.out is None:
        journal = Journal.open(None)
        journal.describe("")
        return journal
    path = name_journal(request.out)
    if not path.exists() and (request.resume or request.retry_failed):
        raise UsageError(
            f"there is no {path}, which an earlier sweep would have left; leave out --resume to start one"
        )
    if request.restart and path.exists():
        # Opened first, for another sweep may be writing to it.
        Journal.open(path).remove()
    journal = Journal.open(path)
    try:
        _compare(journal, about, request, path)
    except ResflopsError:
        journal.close()
        raise
    return journal


def _leave(journal: Journal) -> None:
    """Leave a journal for another run; one without a row would only be in its way."""
    if journal.is_empty:
        journal.remove()
    else:
        journal.close()


def _compare(journal: Journal, about: dict[str, Any], request: SweepRequest, path: Path) -> None:
    left = journal.about
    # One that was killed before its first row was another sweep in name only.
    if not left or journal.is_empty:
        journal.describe(msgspec.json.encode(about).decode())
        return
    if not (request.resume or request.retry_failed):
        rows = journal.summarize().rows
        raise UsageError(
            f"{path} has {rows:,} rows of an earlier sweep; --resume goes on with it, --restart starts again"
        )
    before = msgspec.json.decode(left)
    now = msgspec.json.decode(msgspec.json.encode(about))
    if differing := [name for name in {**before, **now} if before.get(name) != now.get(name)]:
        name = differing[0]
        raise UsageError(
            f"{path} is of another sweep: its {name} was {_write(before.get(name))}, and now is "
            f"{_write(now.get(name))}; rows of both do not belong in one file; go on with the same, or start "
            "again with --restart"
        )


def _write(value: object) -> str:
    return msgspec.json.encode(value).decode() if value is not None else "not there"


class _Cases:
    """The cases that are left to count, taken in batches."""

    def __init__(
        self, request: SweepRequest, candidates: Candidates, journal: Journal, limits: Limits
    ) -> None:
        self._request, self._journal, self._limits = request, journal, limits
        self._candidates = candidates
        self.done_before = 0
        """How many of those before the next one were done by an earlier run."""
        self.named: set[int] = set()
        """The numbers of those whose models the user named by themselves."""
        self._left = self._leave_out_done(self._list())

    @property
    def total(self) -> int | None:
        """How many there are with those that are done; None if nobody knows."""
        total = self._candidates.total
        return None if total is None else total * len(self._request.inputs)

    def take(self, most: int) -> Batch | None:
        """Take the next cases, at most so many; None if there are no more."""
        taken = list(islice(self._left, most))
        if not taken:
            return None
        makers = [maker for _, maker in taken if maker is not None]
        places = iter(range(len(makers)))
        cases = tuple(case if maker is None else replace(case, made_by=next(places)) for case, maker in taken)
        return Batch(
            cases=cases,
            options=self._request.options,
            limits=self._limits,
            folder=str(Path.cwd()),
            paths=tuple(path for path in sys.path if path) if makers else (),
            modules=tuple(self._candidates.modules) if makers else (),
            makers=_pickle(makers) if makers else b"",
        )

    def _list(self) -> Iterator[tuple[Case, Any]]:
        number = 0
        for candidate in self._candidates:
            for shape, batch in self._request.inputs:
                if candidate.named:
                    self.named.add(number)
                yield _make_case(number, candidate, shape, batch), candidate.make
                number += 1

    def _leave_out_done(self, cases: Iterator[tuple[Case, Any]]) -> Iterator[tuple[Case, Any]]:
        """Leave out those that an earlier run has done.

        Raises:
            UsageError: one of them was another then.
        """
        if not (self._request.resume or self._request.retry_failed):
            yield from cases
            return
        while group := list(islice(cases, 1000)):
            done = self._journal.find(group[0][0].number, group[-1][0].number)
            for case, maker in group:
                label, failure = done.get(case.number, (case.label, None))
                if label != case.label:
                    raise UsageError(
                        f"row {case.number} was {label!r} in the sweep before, and now is {case.label!r}; a "
                        "search space must give the same models in the same order; start again with --restart"
                    )
                if failure is None or (failure and self._request.retry_failed):
                    yield case, maker
                else:
                    self.done_before += 1


def _make_case(number: int, candidate: Candidate, shape: Shape | None, batch: int | None) -> Case:
    error = candidate.error
    return Case(
        number=number,
        name=candidate.name,
        spec=candidate.spec,
        source=candidate.source,
        input_shape=shape,
        batch=batch,
        failure=(name_failure(error), str(error)) if error else None,
    )


def _pickle(makers: Sequence[Any]) -> bytes:
    """Pickle what makes models, also functions of a script or a notebook.

    Raises:
        UsageError: something cannot be pickled.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(list(makers)))
    except Exception as error:
        raise UsageError(
            f"a model cannot be handed to another process: {error}; give a function that makes it"
        ) from error


def list_rows(result: SweepResult) -> Iterable[dict[str, Any]]:
    """List the rows of a sweep with all columns, in their order."""
    for row in result.journal.rows():
        yield {column.name: row.get(column.name) for column in result.columns}
