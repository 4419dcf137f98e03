"""The program that counts models at commits, each figure in a process of its own, for ``pricing``.

Importing torch takes seconds, and is the same for every commit. So where the system can fork, one process
imports it and no code of the commits, and every figure is counted in a copy of that process. A commit that
has a module of the same name as one that is imported already gets a new process instead, in which the code of
the commit comes first, as it does elsewhere.
"""

import os
import select
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from importlib.machinery import all_suffixes
from pathlib import Path

import msgspec
from msgspec import Struct

from resflops.errors import ModelError
from resflops.gate.config import ModelConfig
from resflops.gate.counting import snapshot_models
from resflops.gate.history.reads import Recorded
from resflops.gate.history.recording import Recorder
from resflops.gate.snapshot import Snapshot
from resflops.sources.cache_key import list_installed_folders
from resflops.storage.writing import write_bytes

__all__ = ["Job", "Result", "main"]

CAN_FORK = sys.platform == "linux"
"""On macOS torch's own libraries do not survive it."""
SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/run")
"""Folders that tell of the machine."""


class Job(Struct, frozen=True, kw_only=True):
    """One model to count at one commit."""

    folder: str
    """The folder with the files of the commit."""
    root: str
    """The folder in it that the paths and packages in the spec are relative to."""
    model: ModelConfig
    result: str
    """The path of the file to write."""
    fresh: bool = False
    """Whether to trace it even if a trace of it is stored."""
    time_limit: int | None = None
    """After how many seconds to give it up."""


class Result(Struct, frozen=True, kw_only=True):
    """What the process writes."""

    recorded: Recorded
    snapshot: Snapshot | None = None
    failure: str = ""
    """Why the model cannot be counted."""
    is_certain: bool = True
    """Whether it would fail again."""


def main() -> int:
    """Count the models of the jobs on standard input, a line each, and answer each with a line."""
    answers = os.dup(1)
    # Whatever models print is no answer.
    os.dup2(2, 1)
    once = "once" in sys.argv[1:]
    if CAN_FORK and not once:
        _import_all()
    imported = {name.partition(".")[0] for name in sys.modules}
    for line in iter(sys.stdin.buffer.readline, b""):
        job = msgspec.json.decode(line, type=Job)
        if once:
            _count(job)
        elif CAN_FORK and not _list_modules(job) & imported:
            _count_in_copy(job)
        else:
            _count_in_new_process(line, job.time_limit)
        os.write(answers, b"done\n")
    return 0


def _import_all() -> None:
    """Import what counting needs, and nothing that a model would import otherwise."""
    import torch  # noqa: F401

    import resflops.sources.live_traces  # noqa: F401


def _list_modules(job: Job) -> set[str]:
    """List the modules that an import may find at the commit before those that are installed."""
    endings = tuple(all_suffixes())
    names: set[str] = set()
    for folder in _list_sources(job):
        if os.path.isdir(folder):  # noqa: PTH112
            with os.scandir(folder) as entries:
                names |= {
                    entry.name.partition(".")[0]
                    for entry in entries
                    if entry.is_dir() or entry.name.endswith(endings)
                }
    return names


def _list_sources(job: Job) -> tuple[str, str]:
    # Both layouts of a project; the one that the commit does not have harms nothing.
    return job.folder, str(Path(job.folder) / "src")


def _count_in_copy(job: Job) -> None:
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(0)
            _count(job)
            status = 0
        finally:
            os._exit(status)
    # Also until standard input is closed: nobody waits for the figure any more.
    descriptor = os.pidfd_open(child)
    ready, _, _ = select.select([0, descriptor], [], [], job.time_limit)
    os.close(descriptor)
    if descriptor not in ready:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _count_in_new_process(line: bytes, time_limit: int | None) -> None:
    command = [sys.executable, "-P", *_read_own_command(), "once"]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, input=line, check=False, timeout=time_limit)  # noqa: S603


def _read_own_command() -> list[str]:
    """Read the command of this process, without the interpreter and its options."""
    return sys.orig_argv[sys.orig_argv.index("-c") :]


def _count(job: Job) -> None:
    """Count a model with the code of its commit, and write the result."""
    sys.path[:0] = _list_sources(job)
    recorder = Recorder(Path(job.folder), installed=_list_known_folders())
    recorder.start()
    failure, is_certain, snapshot = "", True, None
    try:
        root = Path(job.root)
        (outcome,) = snapshot_models(
            [job.model],
            root=root if root.is_dir() else Path(job.folder),
            fresh=job.fresh,
            memory={job.model.name: ()},
        )
        if isinstance(outcome, ModelError):
            failure = str(outcome.__cause__ or outcome)
        else:
            snapshot = outcome
    except BaseException:  # noqa: BLE001 - whatever its code raises or ends with: it is one figure of many
        failure, is_certain = traceback.format_exc().strip().rpartition("\n")[2], False
    recorded = recorder.finish()
    result = Result(recorded=recorded, snapshot=snapshot, failure=failure, is_certain=is_certain)
    write_bytes(job.result, msgspec.msgpack.encode(result))


def _list_known_folders() -> tuple[str, ...]:
    """List the folders that a figure is known to depend on, or not to."""
    import tempfile

    from resflops.sources.trace_cache import find_cache_folder

    cache = find_cache_folder()
    own = str(Path(__file__).parents[3])
    return (
        *list_installed_folders(),
        *(sys.prefix, sys.base_prefix, own, tempfile.gettempdir()),
        *SYSTEM,
        *([str(cache.parent)] if cache else ()),
    )
