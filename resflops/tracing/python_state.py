"""The state of Python's own generator of random numbers, before a count and after it.

``random.getstate`` takes a large part of the time that a small network takes to be counted. So the memory of
the generator is read instead: its words, and its position among them.
"""

import ctypes
import random
import struct
import sys
from typing import Any

__all__ = ["PythonState"]

_WORDS = 624
_SIZE = 4 * (1 + _WORDS)
"""The position of the generator and its words, in bytes."""


class PythonState:
    """The state of the generator behind the functions of ``random`` at one moment."""

    def __init__(self) -> None:
        self._state: Any = random.getstate() if _ADDRESS is None else None
        self._memory = _read()
        # Normally distributed numbers come in pairs, and the second is kept for the next call.
        self._gauss_next = _read_gauss(_GENERATOR)

    def has_changed(self) -> bool:
        """Whether numbers have been drawn since, or the generator was seeded."""
        if self._state is not None:
            return bool(self._state != random.getstate())
        return _read() != self._memory or _read_gauss(_GENERATOR) != self._gauss_next

    def restore(self) -> None:
        """Set the generator to what it was."""
        random.setstate(self._state or _unpack(self._memory, self._gauss_next))


def _read() -> bytes:
    return b"" if _ADDRESS is None else ctypes.string_at(_ADDRESS, _SIZE)


def _read_gauss(generator: Any) -> Any:
    return getattr(generator, "gauss_next", None)


def _unpack(memory: bytes, gauss_next: float | None) -> Any:
    """Make of the generator's memory what ``random.setstate`` takes."""
    position, *words = struct.unpack(f"=i{_WORDS}I", memory)
    return random.Random.VERSION, (*words, position), gauss_next


def _find_memory(generator: Any) -> int | None:
    """Find the address of a generator's position and words; None if they lie otherwise than assumed here."""
    if sys.implementation.name != "cpython" or type(generator) is not random.Random:
        return None
    if random.Random.__basicsize__ < object.__basicsize__ + _SIZE:
        return None
    address = id(generator) + object.__basicsize__
    known = _unpack(ctypes.string_at(address, _SIZE), _read_gauss(generator)) == generator.getstate()
    return address if known else None


_GENERATOR = getattr(random.random, "__self__", None)
_ADDRESS = _find_memory(_GENERATOR)
