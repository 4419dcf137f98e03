"""Readers of the values of options."""

from collections.abc import Callable

from resflops.errors import UsageError
from resflops.sources.shapes import LONGEST_SIZE

__all__ = ["make_number_reader", "split_list"]


def make_number_reader(option: str) -> Callable[[str], int]:
    """Make a reader of whole numbers of at least 1, which raises UsageError for any other text."""

    def read(text: str) -> int:
        # isdigit() alone would accept the digits of other scripts, and int() refuses thousands of digits.
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_SIZE and int(text)):
            raise UsageError(f"{option} must be a whole number of at least 1, got {text!r}")
        return int(text)

    return read


def split_list(text: str) -> list[str]:
    """Split a list of numbers or names: ``1,8,32``."""
    return [part.strip() for part in text.split(",")]
