"""Keeping what torch logs of an op that fails on fake tensors off the user's terminal: the error says it."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_fakes"]

_LOGGER = "torch._subclasses.fake_tensor"


@contextmanager
def quiet_fakes() -> Iterator[None]:
    """Drop what this thread would log of fake tensors, as long as this lasts."""
    thread = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger(_LOGGER)
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
