"""Preserving the random number generators of the process."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["preserve_generators"]


@contextmanager
def preserve_generators() -> Iterator[None]:
    """Give the generators of torch, Python and, where it is loaded, numpy back as they were.

    A generator that nothing drew from is not set: another thread may be drawing from it.
    """
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    # Not imported here: a model that draws from numpy has imported it before.
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
    # The state is a tuple of five, whose second part is an array: != would compare its elements one by one
    # and give an array.
    return before[2:] != after[2:] or bytes(before[1]) != bytes(after[1])  # type: ignore[call-overload]
