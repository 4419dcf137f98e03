"""One line on the standard error that says what is going on, and goes away when it is done."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

__all__ = ["progress"]

CLEAR = "\r\x1b[K"


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows a text in place of the one before.

    It shows nothing unless the standard error is a terminal that can take a line back.
    Whatever models print meanwhile goes to the standard error too: the standard output is
    for the result, which may be JSON.

    Args:
        shown: false to show nothing anywhere.
    """
    stream = sys.stderr
    with redirect_stdout(stream):
        if not shown or stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda _: None
        else:
            yield from _in_place(stream)


def _in_place(stream: TextIO) -> Iterator[Callable[[str], None]]:

    def say(text: str) -> None:
        width = shutil.get_terminal_size().columns
        stream.write(CLEAR + f"resflops: {text} …"[: width - 1])
        stream.flush()

    try:
        yield say
    finally:
        stream.write(CLEAR)
        stream.flush()
