"""Sizes of memory as people write them, and as they are shown."""

import re
from fractions import Fraction

from resflops.errors import UsageError

__all__ = ["read_size"]

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,6})?)\s*(?P<prefix>[kmgtp]?)(?P<unit>i?b)?", re.IGNORECASE)


def read_size(text: str, *, what: str = "a size") -> int:
    """Read a size of memory, in bytes.

    ``GB`` is 10⁹ bytes and ``GiB`` 2³⁰. ``G`` alone is ``GiB``, as the makers of devices mean it.

    >>> read_size("24G"), read_size("24GiB"), read_size("24GB"), read_size("1.5 MiB"), read_size("512")
    (25769803776, 25769803776, 24000000000, 1572864, 512)

    Args:
        text: the size.
        what: what it is, for the message of an error.

    Raises:
        UsageError: it is not a size, or no byte.
    """
    found = _SIZE.fullmatch(text.strip()) if len(text) < 40 else None
    if found is None:
        raise UsageError(f"{what} must be a size such as 24G, 24GiB, 24GB or 512M, got {text!r:.50}")
    unit = (found["unit"] or "").lower()
    base = 1000 if unit == "b" and found["prefix"] else 1024
    size = int(Fraction(found["number"]) * base ** _POWERS[found["prefix"].lower()])
    if size < 1:
        raise UsageError(f"{what} must be at least one byte, got {text!r}")
    return size
