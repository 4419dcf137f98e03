"""Timing on the CPU: a step is done when its call returns."""

import gc
import os
from time import perf_counter

from resflops.latency.measurements import Reading, Round
from resflops.latency.session import Step

__all__ = ["Cpu", "read_load"]


class Cpu:
    """The processor that runs this."""

    def wait(self) -> None:
        """Nothing runs behind a call's back."""

    def time_step(self, step: Step, repetitions: int, *, cold_l2: bool) -> Round:
        """The clock around every repetition; there is no cold L2 on the CPU, and none is asked for."""
        del cold_l2
        before, wall = read_load(), []
        for _ in range(repetitions):
            start = perf_counter()
            step()
            wall.append(perf_counter() - start)
        return Round(wall=tuple(round(each, 9) for each in wall), before=before, during=read_load())

    def read_allocated_bytes(self) -> int | None:
        """Unknown: torch keeps no count of the host's memory."""
        return None

    def read_peak_since(self, before: int | None) -> int | None:
        """Unknown too."""
        return before

    def reset_peak(self) -> None:
        """There is none."""

    def release(self) -> None:
        """Let the garbage collector find what refers to itself."""
        gc.collect()


def read_load() -> Reading:
    """How busy the machine is: what else runs takes its share of every sample."""
    try:
        return Reading(load=round(os.getloadavg()[0], 2))
    except OSError:
        return Reading()
