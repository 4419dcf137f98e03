"""The process that counts cases for one worker, as the worker sees it: started, asked, limited and ended.

A model may hang, take all memory or end its process. Then that process is ended and its case is a row that
says so; another process counts the rest.
"""

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import BinaryIO, cast

from msgspec import msgpack
from msgspec.structs import replace

from resflops.errors import ModelError
from resflops.process.own_program import build_command
from resflops.sweeps.cases import Batch, Case, Limits, Outcome
from resflops.sweeps.columns import build_failed_row
from resflops.sweeps.frames import read_frame, write_frame
from resflops.sweeps.outcomes import decode_outcome

__all__ = ["CountingProcess", "Workers", "count_batch"]

_START = 300.0
"""Seconds within which the process must have loaded torch."""
_GLANCE = 0.1
"""Seconds between two looks at how much memory it takes."""


class CountingProcess:
    """One process."""

    def __init__(self, folder: str) -> None:
        """Start it in a folder, to which the paths in specs are relative."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # One thread each: there are as many processes as the user wants cores to be busy.
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.folder = folder
        self._process = subprocess.Popen(  # noqa: S603 - this very Python, with our own program
            build_command("resflops.sweeps.counting_program"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=folder if Path(folder).is_dir() else None,
            env={**threads, **os.environ},
        )
        self._requests = cast("BinaryIO", self._process.stdin)
        self._answers: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._answers), daemon=True).start()
        if self._wait(Limits(seconds=_START)) != b"":
            raise ModelError(f"a process that counts could not be started: {self.end()}")

    def count(self, cases: list[Case], batch: Batch) -> Iterator[Outcome]:
        """Count the first of some cases, and those after it, until one ends the process.

        The outcome of that case is the last.
        """
        request = replace(batch, cases=tuple(cases))
        with contextlib.suppress(OSError):
            write_frame(self._requests, msgpack.encode(request))
        for case in cases:
            started = monotonic()
            answer = self._wait(batch.limits)
            if isinstance(answer, bytes):
                yield decode_outcome(answer)
                continue
            kind, reason = answer
            said = self.end()
            if kind == _CRASH:
                reason = f"the process that counted it ended: {said}"
            row = build_failed_row(case, kind, reason)
            seconds = monotonic() - started
            yield Outcome(number=case.number, label=case.label, row=row, failure=kind, seconds=seconds)
            return

    @property
    def runs(self) -> bool:
        """Whether it can be asked for more."""
        return self._process.poll() is None

    def end(self) -> str:
        """End it, and tell how it ended and what it said last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # One that has closed its pipes is about to end by itself, and how it does is worth knowing.
            self._process.wait(0.5 if self._answers_ended else 0)
        self._process.kill()
        code = self._process.wait()
        with contextlib.suppress(OSError):
            self._requests.close()
        how = f"signal {_name_signal(-code)}" if code < 0 else f"exit status {code}"
        if self._said.closed:
            return how
        self._said.seek(0)
        lines = self._said.read()[-4000:].decode(errors="backslashreplace").strip().splitlines()
        self._said.close()
        return f"{how}; it said last: {lines[-1]}" if lines else how

    _answers_ended = False

    def _wait(self, limits: Limits) -> bytes | tuple[str, str]:
        """Wait for an answer.

        Returns:
            The answer, or the kind of what happened instead, with a message.
        """
        until = monotonic() + limits.seconds
        while True:
            try:
                answer = self._answers.get(timeout=min(_GLANCE, max(until - monotonic(), 0.001)))
            except queue.Empty:
                if monotonic() > until:
                    return "time limit", f"it took more than {limits.seconds:g} seconds"
                if limits.memory is not None and (taken := self._read_memory()) > limits.memory:
                    return "memory limit", (
                        f"the process that counted it took {taken:,} bytes, more than {limits.memory:,}"
                    )
                continue
            if answer is None:
                self._answers_ended = True
                return _CRASH, ""
            return answer

    def _read_memory(self) -> int:
        import psutil

        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0


_CRASH = "crash"


def _listen(stream: BinaryIO, answers: "queue.Queue[bytes | None]") -> None:
    with contextlib.suppress(OSError, ValueError), stream:
        while (answer := read_frame(stream)) is not None:
            answers.put(answer)
    answers.put(None)


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


class Workers:
    """Workers that are threads of this program: each has a process of its own as soon as it counts."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._started: list[CountingProcess] = []
        self._closed = False

    def count(self, batch: Batch) -> list[Outcome]:
        """Count a batch of cases in the process of the worker that this is called in.

        Raises:
            ModelError: no process can be started here, or the sweep has ended.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(batch.cases):
            if self._closed:
                raise ModelError("the sweep has ended")
            process = self._find_process(batch.folder)
            outcomes.extend(process.count(list(batch.cases[len(outcomes) :]), batch))
        return outcomes

    def close(self) -> None:
        """End all processes, also those that are counting."""
        self._closed = True
        while self._started:
            self._started.pop().end()

    def _find_process(self, folder: str) -> CountingProcess:
        process: CountingProcess | None = getattr(self._own, "process", None)
        if process is not None and process.runs and process.folder == folder:
            return process
        if process is not None:
            with contextlib.suppress(ValueError):
                self._started.remove(process)
            process.end()
        process = self._own.process = CountingProcess(folder)
        self._started.append(process)
        return process


_WORKERS = Workers()


def count_batch(batch: Batch) -> list[Outcome]:
    """Count a batch of cases in a process of the worker that this is called in, wherever that runs.

    This is what executors are given to do. The process ends by itself some time after the last batch.

    Raises:
        ModelError: no process can be started here.
    """
    return _WORKERS.count(batch)
