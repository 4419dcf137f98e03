"""The processes that count models at commits, as the process that waits for them sees them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import msgspec

from resflops.errors import RevisionError
from resflops.gate.git import Checkout, open_checkout
from resflops.gate.history.configurations import Subject
from resflops.gate.history.counting import Job, Result
from resflops.gate.history.reads import Recorded
from resflops.process.own_program import build_command

__all__ = ["Worker", "open_worker"]

LOST = "its process was lost, as when memory runs out or it crashes"


class Worker:
    """One process that counts one model after another, and the folder that it counts in."""

    def __init__(self, checkout: Checkout, result: Path, process: "subprocess.Popen[bytes]") -> None:
        """Take its parts; ``open_worker`` makes them."""
        self._checkout = checkout
        self._result = result
        self._process = process

    def count(
        self, commit: str, name: str, subject: Subject, *, fresh: bool, time_limit: int | None
    ) -> Result:
        """Count a model at a commit, from a clean checkout.

        Args:
            commit: the hash of the commit.
            name: what messages call the model.
            subject: the model.
            fresh: whether to trace it even if a trace of it is stored.
            time_limit: after how many seconds to give it up; None for never.

        Raises:
            RevisionError: the commit cannot be checked out, or the process is lost.
        """
        # Also for another model of the same commit: the one before may have written files.
        self._checkout.move_to(commit)
        folder = self._checkout.folder
        self._result.unlink(missing_ok=True)
        job = Job(
            folder=str(folder),
            root=str(folder / subject.root),
            model=subject.configure(name),
            result=str(self._result),
            fresh=fresh,
            time_limit=time_limit,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RevisionError("the process that counts has no streams")
        started = monotonic()
        try:
            self._process.stdin.write(msgspec.json.encode(job) + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = b""
        if not answer:
            raise RevisionError("the process that counts models was lost; run the command again to go on")
        if not self._result.exists():
            late = time_limit is not None and monotonic() - started >= time_limit
            return Result(
                recorded=Recorded(),
                failure=f"it took longer than the time limit of {time_limit} s" if late else LOST,
                is_certain=False,
            )
        return msgspec.msgpack.decode(self._result.read_bytes(), type=Result)

    def stop(self) -> None:
        """Stop the process and what it counts. It may be called from another thread."""
        _kill(self._process)


@contextmanager
def open_worker(repository: Path) -> Iterator[Worker]:
    """Start a process with an empty folder, and end and remove both in the end.

    Args:
        repository: the top folder of the repository.
    """
    with open_checkout(repository) as checkout:
        process = subprocess.Popen(  # noqa: S603 - our own program
            build_command("resflops.gate.history.counting"),
            cwd=checkout.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C goes to every process of a terminal; this one is stopped by the one that waits for it.
            start_new_session=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            yield Worker(checkout, checkout.folder.with_name("result"), process)
        finally:
            _kill(process)
            process.communicate()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process, and the copy of it that counts."""
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
