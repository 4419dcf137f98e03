"""Timing on a CUDA device: events around the kernels, and the clock around whole steps."""

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import perf_counter, sleep

import torch

from resflops.latency.failures import CaptureError, is_out_of_memory
from resflops.latency.measurements import Energy
from resflops.latency.series import Round
from resflops.latency.session import Step
from resflops.latency.telemetry import BETWEEN_READINGS, JoulesAt, Sampler, Telemetry

__all__ = ["Cuda"]

STEPS_AT_ONCE = 4
"""Steps launched together while energy is measured."""

ENERGY_WARM_UP = 0.5
"""Seconds of steps before energy is measured: clocks and temperature settle."""

MOST_WINDOWS = 3
"""Windows after which energy is given up: the counter does not move."""

IDLE_SECONDS = 1.0
"""Seconds over which the idle board's power is measured, once."""

SLEPT = 10_000_000
"""Cycles of the kernel by whose time the rate of sleeping is measured: some milliseconds."""

AHEAD, MARGIN = 2.0, 20e-6
"""How many times as long as launching a step takes the stream is blocked, and seconds more: launching
varies. A queue takes about a thousand launches; of a longer step the first thousand are ahead."""


class Cuda:
    """One GPU, as a device to time on."""

    def __init__(
        self, device: torch.device, telemetry: Telemetry, *, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.device = device
        self.telemetry = telemetry
        self._clock = clock
        self.l2_bytes = 0
        """How much is written to clear the L2 cache; 0 for twice its size."""
        self._l2: torch.Tensor | None = None
        self._sleep_rate: float | None = None
        self._idle_watts: float | None = None

    def wait(self) -> None:
        """Wait until every kernel on the device is done."""
        torch.cuda.synchronize(self.device)

    def time_step(self, step: Step, repetitions: int, *, cold_l2: bool) -> Round:
        """Run each repetition three times: for the GPU's time, for that from step to step, for the clock's.

        For the GPU's time the stream is blocked until all kernels of a step are launched, so that none waits
        for its launch. For the time from step to step all are launched without waiting: the launches run
        ahead of the kernels where they can, and where they cannot the gaps are in it, as in a real run. By
        the clock every repetition begins and ends with an idle device.
        """
        with torch.cuda.device(self.device):
            before = self.telemetry.take_reading()
            launch = self._time_launch(step)
            with Sampler(self.telemetry) as sampler:
                gpu = self._time_by_events(step, repetitions, cold_l2=cold_l2, blocked=launch)
                queued = self._time_by_events(step, repetitions, cold_l2=cold_l2)
            return Round(
                gpu=gpu,
                queued=queued,
                wall=self._time_by_clock(step, repetitions, cold_l2=cold_l2),
                before=before,
                during=sampler.summarize(),
            )

    def _time_launch(self, step: Step) -> float:
        """Time how long the processor takes to launch a step."""
        self.wait()
        start = self._clock()
        step()
        launched = self._clock() - start
        self.wait()
        return launched

    def block(self, seconds: float) -> None:
        """Let the stream do nothing for a time, in which kernels can be launched behind it."""
        if self._sleep_rate is None:
            self._sleep_rate = self._measure_sleep_rate()
        _sleep_on_device(int(seconds * self._sleep_rate))

    def _measure_sleep_rate(self) -> float:
        """Measure how many of the cycles that it is told a sleeping kernel takes in a second."""
        start, end = _create_event(), _create_event()
        # Once before, since the first launch of a kernel loads it.
        _sleep_on_device(1000)
        start.record()
        _sleep_on_device(SLEPT)
        end.record()
        self.wait()
        return SLEPT / (float(start.elapsed_time(end)) / 1e3)

    def _time_by_events(
        self, step: Step, repetitions: int, *, cold_l2: bool, blocked: float | None = None
    ) -> tuple[float, ...]:
        """Time repetitions by events around each.

        Args:
            step: the step.
            repetitions: how many.
            cold_l2: whether to clear the L2 cache before each.
            blocked: seconds that launching a step takes, to block the stream until it is launched; None to
                let the kernels begin as they come.
        """
        pairs = [(_create_event(), _create_event()) for _ in range(repetitions)]
        for start, end in pairs:
            # An event is made on the device when it is first recorded, which takes a moment.
            start.record()
            end.record()
        for start, end in pairs:
            if cold_l2:
                self._clear_l2()
            if blocked is not None:
                self.block(AHEAD * blocked + MARGIN)
            start.record()
            step()
            end.record()
        self.wait()
        # CUDA events tell milliseconds.
        return tuple(round(start.elapsed_time(end) / 1e3, 9) for start, end in pairs)

    def _time_by_clock(self, step: Step, repetitions: int, *, cold_l2: bool) -> tuple[float, ...]:
        wall = []
        for _ in range(repetitions):
            if cold_l2:
                self._clear_l2()
            self.wait()
            start = self._clock()
            step()
            self.wait()
            wall.append(round(self._clock() - start, 9))
        return tuple(wall)

    def measure_energy(self, step: Step, seconds: float) -> Energy | None:
        """Measure what the board draws while it does nothing but this; None where NVML has no counter.

        The counter moves some ten times a second. So the window begins and ends where it moves, after a
        warm-up in which the clocks settle. A block of steps is always launched before the one before it is
        waited for, and a thread of its own reads the counter, of which an answer takes milliseconds: the
        device idles no more than in steps that follow each other.
        """
        if self.telemetry.read_joules() is None:
            return None
        if self._idle_watts is None:
            self._idle_watts = self._measure_idle_power()
        with torch.cuda.device(self.device):
            self.wait()
            moves, done = self._watch_counter(step, seconds)
            self.wait()
        if len(moves) < 2 or len(done) < 2:
            return None
        (since, before), (until, after) = moves[0], moves[-1]
        seconds_a_step = (done[-1] - done[0]) / ((len(done) - 1) * STEPS_AT_ONCE)
        return Energy(
            joules=round(after - before, 3),
            seconds=round(until - since, 6),
            steps=round((until - since) / seconds_a_step, 3),
            idle_watts=self._idle_watts,
        )

    def _watch_counter(self, step: Step, seconds: float) -> tuple[list[JoulesAt], list[float]]:
        """Watch the energy counter while blocks of steps run.

        Args:
            step: the step.
            seconds: how long to watch, after the warm-up.

        Returns:
            When the counter moved and to how many joules, and when blocks were done.
        """
        begin = self._clock() + ENERGY_WARM_UP
        last, done, moves = begin + MOST_WINDOWS * seconds, list[float](), list[JoulesAt]()
        with self.telemetry.watch_joules(self._clock) as moved:
            for now in self._run_blocks(step):
                if now < begin:
                    continue
                done.append(now)
                moves = [move for move in list(moved) if move[0] >= begin]
                if now > last or (moves and moves[-1][0] - moves[0][0] >= seconds):
                    break
        return moves, done

    def _run_blocks(self, step: Step) -> Iterator[float]:
        """Run blocks of steps without end; tell when each is done, the next being launched already."""
        running: torch.cuda.Event | None = None
        while True:
            for _ in range(STEPS_AT_ONCE):
                step()
            launched = _create_event()
            launched.record()
            if running is not None:
                running.synchronize()
                yield self._clock()
            running = launched

    def _measure_idle_power(self) -> float | None:
        """Measure what the board draws while nothing runs, between two moves of its counter."""
        self.wait()
        end = self._clock() + IDLE_SECONDS
        with self.telemetry.watch_joules(self._clock) as moves:
            while self._clock() < end:
                self._pause()
        if len(moves) < 2:
            return None
        (since, before), (until, after) = moves[0], moves[-1]
        return round((after - before) / (until - since), 3)

    def read_allocated_bytes(self) -> int | None:
        """Read how many bytes of tensors are on the device."""
        return torch.cuda.memory_allocated(self.device)

    def read_free_bytes(self) -> int | None:
        """Read how many bytes the driver has left.

        What torch keeps for tensors to come is not among them, as the most of that may be a captured graph's,
        which no other tensor gets. What is free for all is handed back by ``release``.
        """
        return int(torch.cuda.mem_get_info(self.device)[0])

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
        # A device that is lost raises here, too; ``survives`` finds out.
        with suppress(RuntimeError):
            torch.cuda.empty_cache()

    def survives(self, error: BaseException) -> bool:
        """Tell whether kernels, memory and random numbers still work after an error.

        An illegal access makes every later call of a process fail. A capture that fails leaves its traces in
        the allocator up to torch 2.12 (pytorch PR 180395), where the next one that waits fails an assertion.
        """
        if isinstance(error, CaptureError) and not _recovers_from_captures():
            return False
        try:
            with torch.cuda.device(self.device):
                torch.cuda.synchronize(self.device)
                torch.rand(1, device=self.device).item()
        except RuntimeError as probed:
            # Memory that is not there is no loss.
            return is_out_of_memory(probed)
        return True

    def _pause(self) -> None:
        sleep(BETWEEN_READINGS)

    def _clear_l2(self) -> None:
        if self._l2 is None:
            # Twice the cache's size: large ones are in two parts, each with lines of its own.
            cache = int(torch.cuda.get_device_properties(self.device).L2_cache_size)
            self._l2 = torch.empty(self.l2_bytes or 2 * cache, dtype=torch.int8, device=self.device)
        self._l2.zero_()


def _recovers_from_captures() -> bool:
    major, minor = str(torch.__version__).split(".")[:2]
    return (int(major), int(minor)) >= (2, 13)


def _sleep_on_device(cycles: int) -> None:
    """Launch a kernel that does nothing for some cycles."""
    # Torch's own, which its tests and triton's use; there is no public one.
    torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]  # noqa: SLF001


def _create_event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
