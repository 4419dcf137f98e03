"""Sizes of memory as people write them: ``24GiB``, ``24GB``, ``512M``. All are exact.

Makers of memory chips and of GPUs count in units of 1024 and write ``24 GB``; disks and papers count in units
of 1000. So what is read tells them apart by the ``i``, and what is written says both.
"""

import re
from fractions import Fraction

from resflops.errors import UsageError

__all__ = ["format_size", "read_size"]

_PREFIXES = "KMGTP"
_BINARY = {prefix: 1024**power for power, prefix in enumerate(_PREFIXES, start=1)}
_DECIMAL = {prefix: 1000**power for power, prefix in enumerate(_PREFIXES, start=1)}

_UNITS: dict[str, int] = {
    "": 1,
    "B": 1,
    **_BINARY,
    **{f"{prefix}iB": size for prefix, size in _BINARY.items()},
    **{f"{prefix}B": size for prefix, size in _DECIMAL.items()},
}
"""The units that are read, in bytes. A letter alone, as on the box of a GPU, is a unit of 1024."""

_SPELLED = {unit.lower(): unit for unit in _UNITS} | {
    f"{prefix}i".lower(): f"{prefix}iB" for prefix in _PREFIXES
}
_SIZE = re.compile(r"(\d[\d_,]*(?:\.\d+)?)\s*([a-zA-Z]*)", re.ASCII)

_LONGEST, _BEYOND = 30, 10**21
"""The most characters of a size, and bytes that no machine has."""


def read_size(value: object, *, what: str = "a limit") -> int:
    """Read a size of memory, in bytes.

    ``GB`` is 10⁹ bytes and ``GiB`` 2³⁰. ``G`` alone is ``GiB``, as the makers of devices mean it.

    >>> read_size("24G"), read_size("24GiB"), read_size("24GB"), read_size("1.5 MiB"), read_size(512)
    (25769803776, 25769803776, 24000000000, 1572864, 512)

    Args:
        value: the size, a text or a number of bytes.
        what: what it is, for the message of an error.

    Raises:
        UsageError: it is not a size, or less than a byte.
    """
    # True is an int to Python.
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise UsageError(f"{what} must be a size such as 24G, 24GiB, 24GB or 512M, got {value!r:.50}")
    number, spelled = match.groups()
    unit = _SPELLED.get(spelled.lower())
    if unit is None:
        raise UsageError(
            f"{what} has an unknown unit {spelled!r} in {text!r}; the units are KB, MB, GB and TB, of 1000, "
            "and KiB, MiB, GiB and TiB, of 1024; K, M, G and T alone are of 1024, too"
        )
    # A Fraction and not a float, in which 0.1GB would not be exactly 100000000.
    size = int(Fraction(re.sub("[_,]", "", number)) * _UNITS[unit])
    if not 1 <= size < _BEYOND:
        raise UsageError(
            f"{what} must be at least 1 byte, got {text!r}"
            if size < 1
            else f"{what} is more memory than any machine has: {text!r}"
        )
    return size


def format_size(size: int, *, signed: bool = False) -> str:
    """Write a size in units of 1000 and of 1024, both said.

    >>> format_size(574_668_960), format_size(512), format_size(-1500)
    ('575 MB (548 MiB)', '512 B', '−1.50 KB (1.46 KiB)')
    >>> format_size(2_000_000, signed=True), format_size(0, signed=True)
    ('+2.00 MB (1.91 MiB)', '0 B')
    """
    sign = "−" if size < 0 else "+" if signed and size else ""
    size = abs(size)
    if size < 1000:
        return f"{sign}{size} B"
    return f"{sign}{_format_in(size, 1000, 'B')} ({_format_in(size, 1024, 'iB')})"


def _format_in(size: int, base: int, ending: str) -> str:
    """Write a size to three digits in the unit that suits it."""
    power = 1
    # As it is written: 999,950 bytes are 1.00 MB and not 1000 KB.
    while power < len(_PREFIXES) and round(size / base**power) >= base:
        power += 1
    value = size / base**power
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_PREFIXES[power - 1]}{ending}"
