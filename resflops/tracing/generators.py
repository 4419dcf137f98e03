"""The random number generators of the process, given back as they were."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["same_generators"]


@contextmanager
def same_generators() -> Iterator[None]:
    """Give torch's, Python's and, where it is loaded, numpy's generator back as they were.

    One that was not used is not set either: another thread may be drawing from it.
    """
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy = sys.modules.get("numpy.random")
    numpy_state = numpy.get_state() if numpy else None
    try:
        yield
    finally:
        if not torch.equal(torch_state, torch.get_rng_state()):
            torch.set_rng_state(torch_state)
        if python_state != random.getstate():
            random.setstate(python_state)
        if numpy and numpy_state and _differ(numpy_state, numpy.get_state()):
            numpy.set_state(numpy_state)


def _differ(before: tuple[object, ...], after: tuple[object, ...]) -> bool:
    # The second of the five is an array, which compares element by element.
    return before[2:] != after[2:] or bytes(before[1]) != bytes(after[1])  # type: ignore[call-overload]
