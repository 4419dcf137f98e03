"""Preserving the random number generators of the process, and fixing what they give."""

import ctypes
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._C import DisableTorchFunction

from resflops.tracing.numpy_state import NumpyState
from resflops.tracing.other_threads import are_others_running
from resflops.tracing.python_state import PythonState

__all__ = ["SEED", "fix_generators", "preserve_generators"]

SEED = 0
"""The seed that models are built and run from where they are counted by their specs."""


@contextmanager
def fix_generators() -> Iterator[list[str]]:
    """Seed the generators of torch, Python and numpy, and give them back as they were.

    What is built or run inside is the same in every process: torch draws the seed of its generator for the
    CPU from the system, as Python and numpy do.

    Yields:
        A list that holds afterwards whose generators were drawn from, as ``preserve_generators`` does.
    """
    with preserve_generators():
        # Not torch.manual_seed, which would also seed a CUDA that is not initialised yet, for good.
        torch.default_generator.manual_seed(SEED)
        for generator in _list_cuda_generators():
            generator.manual_seed(SEED)
        random.seed(SEED)
        if numpy := sys.modules.get("numpy.random"):
            numpy.seed(SEED)
        with preserve_generators() as drawn:
            yield drawn


@contextmanager
def preserve_generators() -> Iterator[list[str]]:
    """Give the generators of torch, Python and, where it is loaded, numpy back as they were.

    A generator that nothing drew from is not set. While other threads run, none is: it would repeat the
    numbers that another thread has drawn meanwhile.

    Yields:
        A list that holds afterwards whose generators were drawn from: ``torch``, ``Python``, ``numpy``.
    """
    alone = not are_others_running()
    torch_state, python_state = torch.get_rng_state(), PythonState()
    cuda = [(generator, generator.get_state()) for generator in _list_cuda_generators()]
    # Not imported here: a model that draws from numpy has imported it before.
    numpy = sys.modules.get("numpy.random")
    numpy_state = NumpyState(numpy) if numpy else None
    drawn: list[str] = []
    try:
        yield drawn
    finally:
        torch_drawn = not _are_equal(torch_state, torch.get_rng_state())
        if torch_drawn and alone:
            torch.set_rng_state(torch_state)
        if _restore_cuda(cuda, alone=alone) or torch_drawn:
            drawn.append("torch")
        if python_state.has_changed():
            drawn.append("Python")
            if alone:
                python_state.restore()
        if numpy_state is not None and numpy_state.has_changed():
            drawn.append("numpy")
            if alone:
                numpy_state.restore()


def _are_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two states are equal, which torch keeps as bytes on the CPU."""
    # torch.equal takes several times as long.
    return _read(one) == _read(other)


def _read(state: torch.Tensor) -> bytes:
    # In a trace within a trace, the outer one would be given the call, and a meta tensor to make it on.
    with DisableTorchFunction():
        return ctypes.string_at(state.data_ptr(), state.numel())


def _list_cuda_generators() -> tuple[Any, ...]:
    """List the generators of all CUDA devices; none before CUDA is initialised, which takes seconds."""
    return tuple(torch.cuda.default_generators) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]


def _restore_cuda(before: list[tuple[torch.Generator, torch.Tensor]], *, alone: bool) -> bool:
    """Give the generators of CUDA devices back, and tell whether any had been drawn from."""
    drawn = False
    for generator, state in before:
        if not _are_equal(state, generator.get_state()):
            drawn = True
            if alone:
                generator.set_state(state)
    if not before:
        for generator in _list_cuda_generators():
            # CUDA was initialised in between: a seed starts its generators afresh, and theirs is the one
            # that the caller has given or will be given by torch.
            generator.manual_seed(generator.initial_seed())
    return drawn
