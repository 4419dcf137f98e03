"""Timing on a CUDA device: events around the kernels, and the clock around whole steps."""

import gc
from time import perf_counter

import torch

from resflops.latency.measurements import Energy, Reading, Round
from resflops.latency.session import Step
from resflops.latency.telemetry import Telemetry

__all__ = ["Cuda"]

STEPS_AT_ONCE = 4
"""Steps launched together while energy is measured."""


class Cuda:
    """One GPU, as a device to time on."""

    def __init__(self, device: torch.device, telemetry: Telemetry) -> None:
        self.device = device
        self.telemetry = telemetry
        self._l2: torch.Tensor | None = None

    def wait(self) -> None:
        """Wait until every kernel on the device is done."""
        torch.cuda.synchronize(self.device)

    def time_step(self, step: Step, repetitions: int, *, cold_l2: bool) -> Round:
        """Run each repetition twice: first for the GPU's time, then for the clock's.

        For the GPU's time all repetitions are launched without waiting, each between two events,
        and one synchronisation ends them: the launches run ahead of the kernels where
        they can, and where they cannot the gaps are in the GPU's time, as they are in a real run.
        By the clock every repetition begins and ends with an idle device.
        """
        with torch.cuda.device(self.device):
            before = self.telemetry.take_reading()
            gpu, during = self._time_by_events(step, repetitions, cold_l2=cold_l2)
            return Round(
                gpu=gpu,
                wall=self._time_by_clock(step, repetitions, cold_l2=cold_l2),
                before=before,
                during=during,
            )

    def _time_by_events(
        self, step: Step, repetitions: int, *, cold_l2: bool
    ) -> tuple[tuple[float, ...], Reading]:
        pairs = [(_create_event(), _create_event()) for _ in range(repetitions)]
        for start, end in pairs:
            if cold_l2:
                self._clear_l2()
            start.record()
            step()
            end.record()
        # Before the synchronisation, while the kernels that were launched last are still running.
        during = self.telemetry.take_reading()
        self.wait()
        # CUDA events tell milliseconds.
        return tuple(round(start.elapsed_time(end) / 1e3, 9) for start, end in pairs), during

    def _time_by_clock(self, step: Step, repetitions: int, *, cold_l2: bool) -> tuple[float, ...]:
        wall = []
        for _ in range(repetitions):
            if cold_l2:
                self._clear_l2()
            self.wait()
            start = perf_counter()
            step()
            self.wait()
            wall.append(round(perf_counter() - start, 9))
        return tuple(wall)

    def measure_energy(self, step: Step, seconds: float) -> Energy | None:
        """Measure what the board draws while it does nothing but this; None where NVML has no counter.

        The counter moves some ten times a second, so the window is long. A block of steps is
        always launched before the one before it is waited for: the device never idles.
        """
        if self.telemetry.read_joules() is None:
            return None
        with torch.cuda.device(self.device):
            self.wait()
            steps, start = 0, perf_counter()
            before, running = self.telemetry.read_joules(), None
            while perf_counter() - start < seconds:
                for _ in range(STEPS_AT_ONCE):
                    step()
                steps += STEPS_AT_ONCE
                launched = _create_event()
                launched.record()
                if running is not None:
                    running.synchronize()
                running = launched
            self.wait()
            after, taken = self.telemetry.read_joules(), perf_counter() - start
        if before is None or after is None:
            return None
        return Energy(joules=round(after - before, 3), seconds=round(taken, 6), steps=steps)

    def read_allocated_bytes(self) -> int | None:
        """Read how many bytes of tensors are on the device."""
        return torch.cuda.memory_allocated(self.device)

    def read_peak_since(self, before: int | None) -> int | None:
        """Read the most bytes of tensors at one moment, above those that were there before."""
        return torch.cuda.max_memory_allocated(self.device) - (before or 0)

    def reset_peak(self) -> None:
        """Start looking for the peak again."""
        torch.cuda.reset_peak_memory_stats(self.device)

    def release(self) -> None:
        """Return memory that nothing holds any more to the device."""
        self._l2 = None
        gc.collect()
        torch.cuda.empty_cache()

    def _clear_l2(self) -> None:
        if self._l2 is None:
            size = int(torch.cuda.get_device_properties(self.device).L2_cache_size)
            # Written to, a buffer of the cache's own size leaves nothing else in it.
            self._l2 = torch.empty(size, dtype=torch.int8, device=self.device)
        self._l2.zero_()


def _create_event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
