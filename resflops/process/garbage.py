"""Holding Python's garbage collector back while much is made that lives on.

The collector runs whenever 700 more containers have been made than dropped, and looks at all that are young;
every hundredth time it looks at everything. Importing torch makes 300,000 containers that never die, and a
network some 10,000 that live until it is counted, so a sixth of an import and a third of a sweep were spent
on looking at what was not garbage (Python 3.11, torch 2.14).
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["allow_collection", "delay_collection"]

_THRESHOLD = 200_000
"""So many more containers are made than dropped before the collector looks for garbage among them: not
without end, because a model's own code may make garbage that holds much memory."""

_LOCK = threading.Lock()


class _Delays:
    """The delays of all threads: the first raises the threshold, and the last gives it back."""

    number = 0
    before: tuple[int, int, int] | None = None
    """The thresholds to give back; None if they are not raised."""


@contextmanager
def delay_collection() -> Iterator[None]:
    """Let the garbage collector wait until very much has been made, and give it back as it was.

    It is also a decorator, as every context manager of ``contextlib`` is.

    The threshold is raised, and the collector not turned off, so that whoever turns it off or on inside finds
    it like that afterwards. A higher threshold stays, and so does one that is set inside.
    """
    with _LOCK:
        if not _Delays.number:
            _raise_threshold()
        _Delays.number += 1
    try:
        yield
    finally:
        with _LOCK:
            _Delays.number -= 1
            if not _Delays.number:
                _give_threshold_back()


@contextmanager
def allow_collection() -> Iterator[None]:
    """Let the garbage collector run as usual, also inside a delay, where garbage may hold much memory."""
    with _LOCK:
        _give_threshold_back()
    try:
        yield
    finally:
        with _LOCK:
            if _Delays.number and _Delays.before is None:
                _raise_threshold()


def _raise_threshold() -> None:
    before = gc.get_threshold()
    # 0 stands for a collector that never runs by itself.
    if 0 < before[0] < _THRESHOLD:
        gc.set_threshold(_THRESHOLD, *before[1:])
        _Delays.before = before


def _give_threshold_back() -> None:
    before, _Delays.before = _Delays.before, None
    if before is not None and gc.get_threshold() == (_THRESHOLD, *before[1:]):
        gc.set_threshold(*before)
