"""Hears what transformers says while a model is built and traced, in place of the user's terminal.

Most of it is for those who train or generate text, and is dropped. That a layer runs by a reference
implementation, since the kernel that is meant for it is not installed, decides what is counted, and becomes
a note.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["describe_fallbacks", "hear_transformers"]

FALLBACK = re.compile(r"`?(\w+)`? is falling back to its reference")


@contextmanager
def hear_transformers() -> Iterator[list[str]]:
    """Collect what transformers' logger is told in this thread, in place of its handlers, which come back."""
    if "transformers" not in sys.modules:
        yield []
        return
    heard: list[str] = []
    before = getattr(_OF_THREAD, "heard", None)
    _OF_THREAD.heard = heard
    _forget_what_was_said()
    with _LOCK:
        _enter()
    try:
        yield heard
    finally:
        with _LOCK:
            _leave()
        _OF_THREAD.heard = before


def describe_fallbacks(heard: list[str]) -> tuple[str, ...]:
    """Describe in one note which functions ran by a reference implementation; nothing if none did.

    >>> describe_fallbacks(["`scan` is falling back to its reference PyTorch implementation because …"])
    ("counted by transformers' reference implementation of scan, whose optimized kernel is not installed",)
    """
    names = dict.fromkeys(match[1] for message in heard if (match := FALLBACK.search(message)))
    if not names:
        return ()
    kernels = "whose optimized kernel is" if len(names) == 1 else "whose optimized kernels are"
    return (
        f"counted by transformers' reference implementation of {', '.join(names)}, {kernels} not installed",
    )


class _Hearing(logging.Handler):
    """Keeps what is said in a thread that counts; what another thread says goes where it went before."""

    def emit(self, record: logging.LogRecord) -> None:
        heard = getattr(_OF_THREAD, "heard", None)
        if heard is not None:
            heard.append(record.getMessage())
            return
        for handler in _replaced:
            if record.levelno >= handler.level:
                handler.handle(record)


_LOCK = threading.Lock()
_OF_THREAD = threading.local()
_HEARING = _Hearing()
_replaced: list[logging.Handler] = []
_depth = 0


def _enter() -> None:
    global _depth  # noqa: PLW0603 - the logger is one for all threads, and the last to leave gives it back
    logger = logging.getLogger("transformers")
    if not _depth:
        _replaced[:] = logger.handlers
        logger.handlers[:] = [_HEARING]
    _depth += 1


def _leave() -> None:
    global _depth  # noqa: PLW0603 - as in _enter
    _depth -= 1
    if not _depth:
        logging.getLogger("transformers").handlers[:] = _replaced


def _forget_what_was_said() -> None:
    """Let transformers say again what it says once: it holds for this model, too."""
    once = getattr(logging.Logger, "warning_once", None)
    clear = getattr(once, "cache_clear", None)
    if clear is not None:
        clear()
