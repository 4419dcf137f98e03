"""Keeps exporters and quantizers from talking: what they say of themselves is no result of a measurement."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

__all__ = ["silence"]


@contextmanager
def silence() -> Iterator[None]:
    """Hold back prints, warnings, and log records below errors, and let them through again afterwards."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
