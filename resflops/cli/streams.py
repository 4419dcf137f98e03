"""What a command finds outside of itself: standard streams that may be closed or full, and signals."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from resflops.errors import escape_control_characters

__all__ = [
    "OutputError",
    "Terminated",
    "discard_output",
    "raise_terminated",
    "raise_when_terminated",
    "tolerate_stderr",
    "warn",
    "write_output",
]


class OutputError(Exception):
    """Standard output cannot be written; ``closed`` if its reader has gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.closed = isinstance(error, BrokenPipeError)


class Terminated(KeyboardInterrupt):
    """SIGTERM came, with which CI and a shell's kill end a command. It ends like one by Ctrl-C."""


def raise_terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what handlers take
    """Raise Terminated: the handler of SIGTERM."""
    raise Terminated


@contextlib.contextmanager
def raise_when_terminated() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that whatever is open is cleaned up."""
    # Only the main thread may set a handler, and one that the caller has set stays.
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def tolerate_stderr() -> Iterator[None]:
    """Put a stream in place of standard error that never fails: what it says must not decide a status."""
    _open_standard_descriptors()
    before = sys.stderr
    with contextlib.ExitStack() as opened:
        # None where the process was started without one, as by pythonw or a daemon.
        under = before or opened.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        sys.stderr = _Tolerant(under)
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = before


def _open_standard_descriptors() -> None:
    """Open what is closed of the first three, or the next file would be opened as standard error."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


class _Tolerant:
    """A stream that discards what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        # ValueError: the stream is closed.
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            discard_output(self._stream)
        return len(text)

    def writelines(self, lines: Any) -> None:  # noqa: ANN401 - what any stream takes
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is kept back, if that is possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            discard_output(self._stream)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def discard_output(stream: TextIO) -> None:
    """Discard what could not be written, because Python would try again at exit, and end with status 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def warn(message: str) -> None:
    """Write one message to standard error, as ``resflops: …``."""
    sys.stderr.write(f"resflops: {escape_control_characters(message)}\n")


def write_output(text: str) -> None:
    """Write a text to standard output, if there is one.

    Raises:
        OutputError: it cannot be written to.
    """
    if sys.stdout is None:
        return
    # Where the locale has no × or ⁹, the table has a question mark there, rather than not being written.
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    except OSError as error:
        raise OutputError(error) from error
