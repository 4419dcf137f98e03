"""Run a function in a process of its own, with a time limit.

The process is forked: it begins with the caller's model as it is, and memory that either of the two
writes to is copied first, so that nothing that happens in the child reaches the caller.
"""

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import IO, Any

import msgspec
from msgspec import Struct

from resflops.errors import UsageError, describe_error

__all__ = ["Failure", "can_fork", "run_in_process"]

LAST_WORDS = 300
"""The number of characters of an error message that are kept."""

LENGTH_BYTES = 8
LARGEST_ANSWER = 1 << 28
"""The most bytes of an answer: a number for each op of the largest model, many times over."""


class Failure(Struct, frozen=True, kw_only=True):
    """The outcome of a function that gave no result."""

    reason: str
    """Why there is none, in one line."""
    missing: str = ""
    """The name of the module that could not be imported, if that is what happened."""


def can_fork() -> bool:
    """Whether this system can fork a process, as Windows cannot."""
    return hasattr(os, "fork")


def run_in_process(
    function: Callable[[], Any],
    *,
    seconds: float,
    kind: Any = Any,  # noqa: ANN401 - any type
) -> Any:  # noqa: ANN401 - a value of that type
    """Run a function in a process of its own.

    Its answer comes back as JSON, which is only read: to load a pickle would run what it says.

    Args:
        function: takes nothing, and returns what JSON can hold. It may raise, crash or hang.
        seconds: how long it may take. Then, or as soon as it has answered, its process group is killed.
        kind: the type of what it returns, such as a struct, which JSON does not tell.

    Returns:
        What the function returned, or a ``Failure``.

    Raises:
        UsageError: this system cannot fork.
    """
    if not can_fork():
        raise UsageError(
            f"peers run in forked processes, and {sys.platform} cannot fork; run them on a Unix system"
        )
    read_end, write_end = os.pipe()
    # A file and not a pipe for what the child prints: nobody reads it before the child has ended, and
    # a full pipe would stop the child.
    with tempfile.TemporaryFile() as output:
        # Text that is still in a buffer would be written by both processes.
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # From 3.12 on, Python warns of forking beside threads; those are torch's, and not used there.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.close(read_end)
            _run_child(function, write_end, output)
        # In both processes, since either may run first.
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        # The read below ends when every copy of the write end is closed, this one first.
        os.close(write_end)
        try:
            data = _read_all(read_end, until=time.monotonic() + seconds)
        finally:
            os.close(read_end)
            status = _reap(child)
            # Also where it has ended by itself: what it started may go on.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
            if status is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
        if data is None:
            return Failure(reason=f"did not finish within {seconds:g} s, and was stopped")
        if not data:
            return Failure(reason=_describe_exit(status, output))
        return _decode_answer(data, kind)


def _decode_answer(data: bytes, kind: Any) -> Any:  # noqa: ANN401
    """Read what came through the pipe, in which the code of a peer may have written, too."""
    try:
        answer = msgspec.json.decode(data)
        if isinstance(answer, dict) and answer.keys() == {"failure"}:
            return msgspec.convert(answer["failure"], Failure)
        # Not strict: the keys of an object are texts in JSON, and may stand for numbers.
        return msgspec.convert(answer["result"], bytes if answer["bytes"] else kind, strict=False)
    except (msgspec.DecodeError, ValueError, RecursionError, LookupError, TypeError) as error:
        return Failure(reason=f"did not answer with its figures: {describe_error(error)[:LAST_WORDS]}")


def _encode_answer(answer: object) -> bytes:
    """Write an answer: its length, since what the peer started may keep the pipe open, and JSON."""
    if isinstance(answer, Failure):
        said: dict[str, Any] = {"failure": msgspec.to_builtins(answer)}
    else:
        try:
            # JSON has no bytes: they are sent as text.
            said = {"result": msgspec.to_builtins(answer), "bytes": isinstance(answer, bytes)}
            json.dumps(said)
        except (TypeError, ValueError, RecursionError) as error:
            why = describe_error(error)[:LAST_WORDS]
            said = {"failure": {"reason": f"its answer cannot be written as JSON: {why}"}}
    text = json.dumps(said).encode()
    return len(text).to_bytes(LENGTH_BYTES, "big") + text


def _run_child(function: Callable[[], Any], write_end: int, output: IO[bytes]) -> None:
    """Run the function, send its result, and exit without the exit handlers of the parent."""
    try:
        # A process group of its own, so that processes that the function starts are killed with it.
        os.setpgid(0, 0)
        # The descriptors too, because C code prints past sys.stdout.
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        sys.stdout = sys.stderr = open(output.fileno(), "w", errors="replace", closefd=False)  # noqa: SIM115
        result = _compute_result(function)
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(_encode_answer(result))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # Neither sys.exit nor return: the stack above is the caller's, with its finally clauses, and
        # the exit handlers belong to the parent.
        os._exit(0)


def _compute_result(function: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        # The caller may have made warnings errors; nobody would see them here.
        warnings.simplefilter("ignore")
        if "torch" in sys.modules:
            import torch

            # Threads do not survive a fork: an op that waited for the parent's pool would hang. torch's
            # own data loaders do the same in their workers.
            torch.set_num_threads(1)
        return function()
    except ModuleNotFoundError as error:
        return Failure(reason=f"no module named {error.name!r}", missing=error.name or "")
    except BaseException as error:  # noqa: BLE001 - an exit or an interrupt of a peer is a result, too
        return Failure(reason=describe_error(error)[:LAST_WORDS])


def _read_all(source: int, *, until: float) -> bytes | None:
    """Read an answer; None if that takes too long, and nothing if the other end is closed before."""
    data = bytearray()
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([source], [], [], left)
        if ready:
            part = os.read(source, 1 << 16)
            if not part:
                return b""
            data += part
            length = int.from_bytes(data[:LENGTH_BYTES], "big")
            if len(data) >= LENGTH_BYTES and len(data) - LENGTH_BYTES >= length:
                return bytes(data[LENGTH_BYTES : LENGTH_BYTES + length])
            if len(data) > LARGEST_ANSWER:
                return b""
    return None


def _reap(child: int, *, patience: float = 1.0) -> int | None:
    """Wait a moment for a child that is about to end; its exit status, or None if it goes on."""
    # A child that has sent its result still has to flush and exit. The status that it would leave by
    # itself is worth the wait: _describe_exit tells the user about it.
    until = time.monotonic() + patience
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > until:
            return None
        time.sleep(0.002)


def _describe_exit(status: int, output: IO[bytes]) -> str:
    output.seek(0)
    words = output.read().decode(errors="replace").strip().rpartition("\n")[2][-LAST_WORDS:]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        what = f"was killed by signal {number} ({signal.Signals(number).name})"
    else:
        what = f"ended without a result, with exit status {os.waitstatus_to_exitcode(status)}"
    return f"{what}: {words}" if words else what
