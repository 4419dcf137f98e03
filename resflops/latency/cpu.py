"""Timing on the CPU: a step is done when its call returns."""

import gc
import os
from pathlib import Path
from time import perf_counter

from resflops.latency.series import Reading, Round
from resflops.latency.session import Step

__all__ = ["Cpu", "read_load"]


class Cpu:
    """The processor that runs this process, as a device to time on."""

    def wait(self) -> None:
        """Return at once: on the CPU a step is done when its call returns."""

    def time_step(self, step: Step, repetitions: int, *, cold_l2: bool) -> Round:
        """Time every repetition by the clock; ``cold_l2`` is never asked for on the CPU."""
        del cold_l2
        before, wall = read_load(), []
        for _ in range(repetitions):
            start = perf_counter()
            step()
            wall.append(perf_counter() - start)
        return Round(wall=tuple(round(seconds, 9) for seconds in wall), before=before, during=read_load())

    def read_allocated_bytes(self) -> int | None:
        """Return None: torch keeps no count of the host's memory."""
        return None

    def read_free_bytes(self) -> int | None:
        """Read how many bytes the system can give without swapping; None where it does not tell.

        Backends hold the weights of every configuration that is prepared; where memory runs out, a process is
        ended rather than told.
        """
        return read_available_bytes()

    def read_peak_since(self, before: int | None) -> int | None:
        """Return None, for the same reason."""
        return before

    def reset_peak(self) -> None:
        """Do nothing: no peak is kept."""

    def release(self) -> None:
        """Collect garbage: modules may refer to themselves, and hold their weights until then."""
        gc.collect()

    def survives(self, error: BaseException) -> bool:
        """Return True: an error on the processor leaves it as it is."""
        del error
        return True


def read_load() -> Reading:
    """Read how busy the machine is: what else runs takes its share of every sample."""
    try:
        return Reading(load=round(os.getloadavg()[0], 2))
    except OSError:
        # Not every system knows a load average.
        return Reading()


def read_available_bytes() -> int | None:
    """Read how many bytes of the host's memory are available to new work; None where no file tells it."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    # In units of 1024 bytes, whatever its "kB" says.
    return None if found is None else int(found) * 1024
