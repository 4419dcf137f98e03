"""Show on standard error what is being done, in one line, with a bar if it takes long."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from time import monotonic
from types import FrameType
from typing import TextIO

from resflops.cli.progress_bar import ProgressBar
from resflops.cli.streams import Terminated, raise_terminated
from resflops.errors import escape_control_characters
from resflops.sources.steps import Step

__all__ = ["announce_torch", "progress"]

CLEAR = "\r\x1b[K"


def announce_torch(say: Callable[[str], None]) -> None:
    """Say that torch is being loaded, which takes a second or more, unless it is loaded already."""
    if "torch" not in sys.modules:
        say("loading torch")


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that shows a text in place of the one before.

    The function shows nothing unless standard error is a terminal that can clear a line. Whatever models
    print in the meantime goes to standard error, too: standard output is for the result, which may be JSON.

    Args:
        shown: False to show nothing at all.

    Raises:
        KeyboardInterrupt: raised by the function, if Ctrl-C was pressed before and got lost.
    """
    stream = sys.stderr
    with redirect_stdout(stream), _remember_interrupts() as check:
        # The function still checks for a lost Ctrl-C where it shows nothing.
        if not shown or stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda _: check()
        else:
            yield from _show_in_place(stream, check)


@contextmanager
def _remember_interrupts() -> Iterator[Callable[[], None]]:
    """Give a function that raises KeyboardInterrupt, or Terminated, if one was raised before and got lost.

    Python drops an exception that is raised in a finaliser or in a callback of C code, including that of
    Ctrl-C, and building and running a model goes through many of both.
    """
    lost: type[KeyboardInterrupt] | None = None

    def check() -> None:
        nonlocal lost
        if lost:
            error, lost = lost, None
            raise error

    def remember(handler: Callable[[int, FrameType | None], None]) -> Callable[[int, FrameType | None], None]:
        def interrupt(number: int, frame: FrameType | None) -> None:
            nonlocal lost
            lost = Terminated if number == signal.SIGTERM else KeyboardInterrupt
            handler(number, frame)

        return interrupt

    # A handler of the caller's stays in place; and only the main thread may install another one.
    known = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: raise_terminated}
    if threading.current_thread() is not threading.main_thread():
        known = {}
    replaced = {number: handler for number, handler in known.items() if signal.getsignal(number) is handler}
    for number, handler in replaced.items():
        signal.signal(number, remember(handler))
    try:
        yield check
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


BEFORE_A_BAR = 0.5
"""Seconds that work of several steps takes before it gets a bar: what is over sooner needs none."""


def _show_in_place(stream: TextIO, check: Callable[[], None]) -> Iterator[Callable[[str], None]]:
    started = monotonic()
    bar = ProgressBar(stream, started=started)

    def say(text: str) -> None:
        check()
        if isinstance(text, Step) and text.total > 1 and monotonic() - started > BEFORE_A_BAR:
            if not bar.is_open:
                stream.write(CLEAR)
            bar.show(text)
            return
        bar.close()
        # Cut before the last column: a line that wraps could not be cleared by one carriage return.
        width = shutil.get_terminal_size().columns
        stream.write(CLEAR + f"resflops: {escape_control_characters(text)} …"[: width - 1])
        stream.flush()

    try:
        yield say
    finally:
        bar.close()
        stream.write(CLEAR)
        stream.flush()
