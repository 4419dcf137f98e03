"""The state of numpy's own generator of random numbers, before a count and after it.

Numpy takes as long to give it as a small network takes to be counted. So it is asked once. Afterwards the
generator's memory is compared, of which numpy's ``ctypes`` interface gives the address.
"""

import ctypes
import sys
from typing import Any

__all__ = ["NumpyState"]

_SIZE = 4 * (624 + 1)
"""The words of numpy's usual generator and its position among them, in bytes."""


class NumpyState:
    """The state of numpy's own generator at one moment.

    Args:
        numpy: the module ``numpy.random``.
    """

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy
        self._generator = _find_generator(numpy)
        self._state = numpy.get_state(legacy=False)
        self._memory = self._read_memory()

    def has_changed(self) -> bool:
        """Whether numbers have been drawn since, or the generator was seeded or replaced."""
        if _find_generator(self._numpy) is not self._generator:
            return True
        if self._memory:
            # One case is not noticed: seeded again as before, it gave all it had given but half a pair.
            return _read(self._generator) != self._memory
        return not _are_equal(self._state, self._numpy.get_state(legacy=False))

    def restore(self) -> None:
        """Set the generator to what it was."""
        if self._generator is not None and _find_generator(self._numpy) is not self._generator:
            self._numpy.set_bit_generator(self._generator)
        self._numpy.set_state(self._state)

    def _read_memory(self) -> bytes:
        """Read the generator's memory; none if it does not tell all."""
        # Normally distributed numbers come in pairs, and to hand out the second leaves the memory as it was.
        if self._state["has_gauss"] or type(self._generator) is not getattr(self._numpy, "MT19937", None):
            return b""
        memory, state = _read(self._generator), self._state["state"]
        # Only if it is laid out as is thought here.
        known = state["key"].tobytes() + int(state["pos"]).to_bytes(4, sys.byteorder)
        return memory if memory == known else b""


def _find_generator(numpy: Any) -> Any:
    """Find the generator behind numpy's functions; None before numpy 1.24, which does not give it."""
    return numpy.get_bit_generator() if hasattr(numpy, "get_bit_generator") else None


def _read(generator: Any) -> bytes:
    return ctypes.string_at(generator.ctypes.state_address, _SIZE)


def _are_equal(one: Any, other: Any) -> bool:
    """Whether two states are equal: nested dicts, with numbers and arrays in them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_are_equal(one[name], other[name]) for name in one)
    if hasattr(one, "tobytes") and hasattr(other, "tobytes"):
        return bool(one.tobytes() == other.tobytes())
    return bool(one == other)
