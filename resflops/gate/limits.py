"""Read counts, limits and tolerances as people write them: ``4.2G``, ``<=26M``, ``+1%``. All are exact."""

import re
from collections.abc import Callable
from fractions import Fraction

from msgspec import Struct

from resflops.errors import UsageError
from resflops.peak_memory.sizes import read_size

__all__ = [
    "Tolerance",
    "read_bytes_limit",
    "read_bytes_tolerance",
    "read_count",
    "read_limit",
    "read_tolerance",
]

UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
COUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?)\s*([a-zA-Z]*)")
LONGEST, BEYOND = 30, 10**30
"""The most characters of a count: more than any count needs, and few enough to be read at once."""


class Tolerance(Struct, frozen=True):
    """How far above the locked figure is still allowed."""

    part: Fraction = Fraction(0)
    """As a part of the locked figure."""
    count: int = 0
    """As a count, in addition to the part."""

    def compute_limit(self, locked: int) -> int:
        """Compute the highest figure that passes.

        >>> Tolerance(part=Fraction(1, 100)).compute_limit(150), Tolerance(count=5).compute_limit(150)
        (151, 155)
        """
        return locked + int(locked * self.part) + self.count


def read_count(value: object) -> int:
    """Read a count, which may end in k, M, G or T.

    >>> read_count("4.2G"), read_count(26_000_000), read_count("1,815k"), read_count(4.2e9)
    (4200000000, 26000000, 1815000, 4200000000)

    Raises:
        UsageError: it is not a count, or not a whole number.
    """
    # True is an int to Python.
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        if 0 <= value < BEYOND:
            return int(value)
        value = "a negative number" if value < 0 else f"a number of more than {LONGEST} digits"
    match = COUNT.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None:
        raise UsageError(
            f"{value!r} is not a count; write a whole number, or a number with k, M, G or T, as in 4.2G"
        )
    number, unit = match.groups()
    if unit not in UNITS:
        raise UsageError(f"{value!r}: unknown unit {unit!r}; the units are k, M, G and T")
    # A Fraction and not a float, in which 0.000000001G would not be exactly 1.
    count = Fraction(re.sub("[_,]", "", number)) * UNITS[unit]
    if count.denominator != 1:
        raise UsageError(f"{value!r} is not a whole number of operations; write a whole number")
    return int(count)


def read_bytes_limit(value: object) -> int:
    """Read the most bytes that a limit allows: ``"2GiB"``, ``"<=500MB"``, ``"<24G"`` or a number of bytes.

    >>> read_bytes_limit("2GiB"), read_bytes_limit("<= 500MB"), read_bytes_limit("<1KB")
    (2147483648, 500000000, 999)

    Raises:
        UsageError: it is not a size, or not an upper limit.
    """
    text, less = _split_sign(value) if isinstance(value, str) else (value, 0)
    return read_size(text, what="the limit") - less


def read_limit(value: object) -> int:
    """Read the highest figure that a limit allows: ``"<=4.2G"``, ``"<4.2G"`` or a count.

    >>> read_limit("<=4.2G"), read_limit("< 100"), read_limit(512)
    (4200000000, 99, 512)

    Raises:
        UsageError: it is not an upper limit.
    """
    if not isinstance(value, str):
        return read_count(value)
    text, less = _split_sign(value)
    limit = read_count(text) - less
    if limit < 0:
        raise UsageError(f"{value!r} allows nothing, not even 0; write a higher limit")
    return limit


def _split_sign(value: str) -> tuple[str, int]:
    """Split a limit into its figure, and what is taken off that for ``<``."""
    # DOTALL, so that a text with a line break matches too, and what reads the figure reports it.
    match = re.fullmatch(r"\s*(<=|≤|<|)\s*(.*)", value, re.DOTALL)
    assert match is not None  # noqa: S101 - every part of the pattern may be empty
    sign, text = match.groups()
    if text.startswith(("=", ">", "!")):
        raise UsageError(f"{value!r} is not an upper limit; write one as in <=4.2G")
    return text, int(sign == "<")


def read_tolerance(value: object, *, read: Callable[[object], int] = read_count) -> Tolerance:
    """Read how far above the locked figure is still allowed: ``"+1%"``, ``"+5M"`` or a number.

    >>> read_tolerance("+0.5%"), read_tolerance("+5M")
    (Tolerance(part=Fraction(1, 200), count=0), Tolerance(part=Fraction(0, 1), count=5000000))

    Args:
        value: the tolerance.
        read: reads one that is not a percentage: a count, or a size of memory.

    Raises:
        UsageError: it is not a tolerance.
    """
    if not isinstance(value, str):
        return Tolerance(count=read(value))
    text = value.strip().removeprefix("+").strip()
    percent = re.fullmatch(r"(\d{1,4}(?:\.\d{1,9})?)\s*%", text)
    if percent:
        return Tolerance(part=Fraction(percent[1]) / 100)
    try:
        return Tolerance(count=read(text))
    except UsageError:
        kind = "a count as in +5M" if read is read_count else "a size as in +5MiB"
        raise UsageError(f"{value!r} is not a tolerance; write a percentage as in +1%, or {kind}") from None


def read_bytes_tolerance(value: object) -> Tolerance:
    """Read how many bytes above the locked figure are still allowed: ``"+1%"``, ``"+5MiB"`` or a number.

    >>> read_bytes_tolerance("+2KiB"), read_bytes_tolerance(0)
    (Tolerance(part=Fraction(0, 1), count=2048), Tolerance(part=Fraction(0, 1), count=0))

    Raises:
        UsageError: it is not a tolerance.
    """
    # No size of memory is 0, but a tolerance may be.
    if value in (0, "0", "+0") and not isinstance(value, bool):
        return Tolerance()
    return read_tolerance(value, read=lambda given: read_size(given, what="the tolerance"))
