"""Attributes the time of a step to modules, by a mark before and after every module.

A mark is the clock on the CPU and an event in the stream on a GPU. The time between two marks
belongs to the innermost module that is open then, so the layers' times add up to the step's.
The marks themselves take time, which is why the whole step is timed with them as well.
"""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import nn

from resflops.latency.measurements import Attribution, LayerTime
from resflops.latency.statistics import median

__all__ = ["attribute_time"]


class Marks(Protocol):
    """A sequence of moments."""

    def mark(self) -> None:
        """Note this moment."""

    def read_gaps(self) -> list[float]:
        """Seconds from each mark to the next."""


class ClockMarks:
    """Marks on the CPU, by the clock."""

    def __init__(self) -> None:
        self._moments: list[float] = []

    def mark(self) -> None:
        """Note what the clock says."""
        self._moments.append(perf_counter())

    def read_gaps(self) -> list[float]:
        """Seconds from each mark to the next."""
        moments = self._moments
        return [after - before for before, after in pairwise(moments)]


class EventMarks:
    """Marks on a GPU, by CUDA events: nothing waits until the gaps are read."""

    def __init__(self) -> None:
        self._events: list[torch.cuda.Event] = []

    def mark(self) -> None:
        """Put an event behind the kernels that were launched."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        self._events.append(event)

    def read_gaps(self) -> list[float]:
        """Seconds from each mark to the next, once the device is done."""
        torch.cuda.synchronize()
        # CUDA events tell milliseconds.
        return [before.elapsed_time(after) / 1e3 for before, after in pairwise(self._events)]


def attribute_time(
    module: nn.Module,
    call: Callable[[], object],
    device: torch.device,
    *,
    repetitions: int,
    block: Callable[[], None] = lambda: None,
) -> Attribution:
    """Time every module of a model, without the modules inside it.

    Args:
        module: the model; it has no hook left when this is done, also when it raises.
        call: one forward pass of it.
        device: the device that the model is on.
        repetitions: how many forward passes the medians are of.
        block: blocks a GPU's stream until a forward pass is launched, so that no layer's time is that of its
            launches.
    """
    new_marks = EventMarks if device.type == "cuda" else ClockMarks
    runs: list[dict[str, float]] = []
    unmarked: list[float] = []
    # The first call may build caches and choose kernels, so it is left out.
    call()
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        for _ in range(repetitions):
            # In turns, so that a drift of the machine does not pass for the marks' own time.
            block()
            unmarked.append(_time_whole_step(call, new_marks()))
            block()
            runs.append(_time_modules(module, call, _ModuleMarks(new_marks)))
    names = dict.fromkeys(name for run in runs for name in run)
    return Attribution(
        layers=tuple(
            LayerTime(name=name, seconds=round(median([run.get(name, 0.0) for run in runs]), 9))
            for name in names
        ),
        seconds=round(median([sum(run.values()) for run in runs]), 9),
        plain_seconds=round(median(unmarked), 9),
        repetitions=repetitions,
    )


def _time_whole_step(call: Callable[[], object], marks: Marks) -> float:
    marks.mark()
    call()
    marks.mark()
    return sum(marks.read_gaps())


def _time_modules(module: nn.Module, call: Callable[[], object], marks: "_ModuleMarks") -> dict[str, float]:
    handles = []
    try:
        for name, submodule in module.named_modules():
            handles.append(submodule.register_forward_pre_hook(marks.make_enter_hook(name)))
            # Also when a forward raises: its module would stay open and take all gaps that follow.
            handles.append(submodule.register_forward_hook(marks.make_leave_hook(), always_call=True))
        call()
    finally:
        for handle in handles:
            handle.remove()
    return marks.add_up_by_module()


class _ModuleMarks:
    """The marks of one forward pass, and the module that each gap belongs to."""

    def __init__(self, new_marks: Callable[[], Marks]) -> None:
        self._marks = new_marks()
        self._open: list[str] = []
        self._owners: list[str] = []

    def make_enter_hook(self, name: str) -> Callable[..., None]:
        """Make the hook that runs before a module."""

        def hook(*_: Any) -> None:  # noqa: ANN401 - torch's
            self._open.append(name)
            self._note()

        return hook

    def make_leave_hook(self) -> Callable[..., None]:
        """Make the hook that runs after a module."""

        def hook(*_: Any) -> None:  # noqa: ANN401 - torch's
            self._open.pop()
            self._note()

        return hook

    def add_up_by_module(self) -> dict[str, float]:
        """Add the gaps up by module, in the order of the first calls."""
        seconds: dict[str, float] = {}
        # After the last mark nothing is open, and nothing follows it.
        for owner, gap in zip(self._owners, self._marks.read_gaps(), strict=False):
            seconds[owner] = seconds.get(owner, 0.0) + gap
        return seconds

    def _note(self) -> None:
        self._marks.mark()
        self._owners.append(self._open[-1] if self._open else "")
