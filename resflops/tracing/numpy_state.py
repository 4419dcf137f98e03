"""The state of numpy's own generator of random numbers, before a count and after it.

Numpy takes as long to give it as a small network takes to be counted. So it is asked once, and not again as
long as the generator's memory is the same, of which numpy's ``ctypes`` interface gives the address.
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
        self._state, self._memory = _find_last(self._generator) or self._ask()

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

    def _ask(self) -> tuple[Any, bytes]:
        """Ask numpy for the state, and read the generator's memory; none if it does not tell all."""
        state = self._numpy.get_state(legacy=False)
        # Normally distributed numbers come in pairs, and to hand out the second leaves the memory as it was.
        if state["has_gauss"] or type(self._generator) is not getattr(self._numpy, "MT19937", None):
            return state, b""
        memory, inner = _read(self._generator), state["state"]
        # Only if it is laid out as is thought here.
        if memory != inner["key"].tobytes() + int(inner["pos"]).to_bytes(4, sys.byteorder):
            return state, b""
        _LAST[:] = [(self._generator, memory, state)]
        return state, memory


_LAST: list[tuple[Any, bytes, Any]] = []
"""The generator, memory and state that numpy was asked for last, where the memory tells all."""


def _find_last(generator: Any) -> tuple[Any, bytes] | None:
    """Find the state that was read last, if nothing has been drawn since."""
    for asked, memory, state in _LAST:
        if asked is generator and _read(generator) == memory:
            return state, memory
    return None


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
