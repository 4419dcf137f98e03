"""One line on the standard error that says what is going on, and goes away when it is done."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import TextIO

__all__ = ["announce_torch", "progress"]

CLEAR = "\r\x1b[K"


def announce_torch(say: Callable[[str], None]) -> None:
    """Say that torch is being loaded, unless it is there already: it takes a second or more."""
    if "torch" not in sys.modules:
        say("loading torch")


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows a text in place of the one before.

    It shows nothing unless the standard error is a terminal that can take a line back.
    Whatever models print meanwhile goes to the standard error too: the standard output is
    for the result, which may be JSON.

    Args:
        shown: false to show nothing anywhere.

    Raises:
        KeyboardInterrupt: from the function, if Ctrl-C was pressed since and went unheard.
    """
    stream = sys.stderr
    with redirect_stdout(stream), _remember_interrupts() as check:
        if not shown or stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda _: check()
        else:
            yield from _show_in_place(stream, check)


@contextmanager
def _remember_interrupts() -> Iterator[Callable[[], None]]:
    """A function that raises KeyboardInterrupt if one was raised before and got lost.

    Python drops an exception that is raised in a finaliser or in a callback of C code, that of Ctrl-C
    as any other, and a model is built and run by a good deal of both.
    """
    lost = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal lost
        lost = True
        signal.default_int_handler(number, frame)

    def check() -> None:
        nonlocal lost
        if lost:
            lost = False
            raise KeyboardInterrupt

    # Only where Ctrl-C means what it usually does; and only the main thread may say what it means.
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield check
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _show_in_place(stream: TextIO, check: Callable[[], None]) -> Iterator[Callable[[str], None]]:

    def say(text: str) -> None:
        check()
        width = shutil.get_terminal_size().columns
        stream.write(CLEAR + f"resflops: {text} …"[: width - 1])
        stream.flush()

    try:
        yield say
    finally:
        stream.write(CLEAR)
        stream.flush()
