"""Rounds over everything that is to be measured: in turn, and nothing lost by a failure or Ctrl-C.

It knows neither torch nor a device: what it measures is a step, a function without
arguments, and a device times it.
"""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec.structs import replace

from resflops.latency.failures import DeviceLostError, classify_failure, may_be_memory
from resflops.latency.schedule import Effort, order_visits
from resflops.latency.series import Round, Series

__all__ = ["Device", "Prepared", "Session", "Step", "warm_up"]

Step = Callable[[], object]
"""One forward pass, training step or probe, without waiting for the device to be done."""

Clock = Callable[[], float]


class Prepared(Protocol):
    """Something ready to be measured; it holds the memory that it needs."""

    @property
    def step(self) -> Step:
        """The function that does it once."""

    @property
    def cold_l2(self) -> bool:
        """Whether the L2 cache is to be cleared before every repetition."""

    @property
    def held_before(self) -> int | None:
        """Bytes that it needs on the device and that were there before it was made ready.

        None if it allocates where the device keeps no count.
        """


class Device(Protocol):
    """What steps run on, and how they are timed there."""

    def wait(self) -> None:
        """Wait until everything that was launched is done."""

    def time_step(self, step: Step, repetitions: int, *, cold_l2: bool) -> Round:
        """Take samples of a step that has been warmed up."""

    def read_allocated_bytes(self) -> int | None:
        """Read how many bytes are allocated now; None where the device keeps no count."""

    def read_free_bytes(self) -> int | None:
        """Read how many bytes more can be allocated; None where that does not matter."""

    def read_peak_since(self, before: int | None) -> int | None:
        """Read the most bytes allocated since ``reset_peak``, above those of before."""

    def reset_peak(self) -> None:
        """Start looking for the peak again."""

    def release(self) -> None:
        """Give back memory that nothing holds any more; never raises."""

    def survives(self, error: BaseException) -> bool:
        """Tell whether steps can still run after an error, which may have broken the device for good."""


Ready = TypeVar("Ready", bound=Prepared)
Key = TypeVar("Key")
Result = TypeVar("Result")


def warm_up(step: Step, device: Device, seconds: float, *, clock: Clock = time.perf_counter) -> float:
    """Run a step until a time has passed, and twice at least: the first run may be a slow one.

    Returns:
        The seconds that one run took, the first left out.
    """
    start = clock()
    step()
    device.wait()
    after_first = clock()
    runs = 0
    while not runs or clock() - start < seconds:
        # Waiting every time keeps a GPU's queue from hiding how long the warm-up will take.
        step()
        device.wait()
        runs += 1
    return (clock() - after_first) / runs


class Session(Generic[Key, Ready]):
    """Everything that is measured together, with all that is known of it so far."""

    def __init__(
        self,
        subjects: Mapping[Key, Callable[[], Ready]],
        device: Device,
        effort: Effort,
        *,
        series: Mapping[Key, Series] | None = None,
        run: int = 0,
        risky: Container[Key] = (),
        transient: Container[Key] = (),
        estimate_bytes: Callable[[Key], int | None] = lambda _: None,
    ) -> None:
        """Start, or continue what was measured before.

        Args:
            subjects: what to measure, each with the function that makes it ready.
            device: the device to measure on.
            effort: how long to measure.
            series: what is known of some of them already.
            run: the number of this run, which its samples carry.
            risky: what may break the device, so that all others have their first rounds before it.
            transient: what is released after every visit rather than kept ready for the next.
            estimate_bytes: estimates how much memory something needs, before it was ever ready.
        """
        known = series or {}
        self.series: dict[Key, Series] = {key: known.get(key, Series()) for key in subjects}
        self._subjects = subjects
        self._device = device
        self._effort = effort
        self._run = run
        self._risky = risky
        self._transient = transient
        self._estimate_bytes = estimate_bytes
        self._ready: dict[Key, Ready] = {}

    def list_missing(self) -> list[tuple[int, Key]]:
        """List the visits that are still to be made at least, in order, each with its round."""
        return [
            (number, key)
            for number, key in self._order_visits()
            if number < self._effort.rounds and self._lacks(key, number)
        ]

    def run_rounds(self) -> Iterable[tuple[int, Key]]:
        """Make the visits one by one, and yield each before it is made; those discarded have numbers below 0.

        What was measured stands in ``series`` at any time, also after an interrupt.
        """
        for number, key in self._order_visits():
            if self._lacks(key, number):
                yield number, key
                self._visit(key, kept=number >= 0)

    def _order_visits(self) -> Iterator[tuple[int, Key]]:
        """Order all visits that there may be."""
        keys = list(self.series)
        safe = [key for key in keys if key not in self._risky]
        for some in (safe, [key for key in keys if key in self._risky]):
            for number in range(-self._effort.discarded, 1):
                yield from ((number, key) for key in order_visits(some, number))
        for number in self._effort.list_rounds()[1:]:
            yield from ((number, key) for key in order_visits(keys, number))

    def _lacks(self, key: Key, number: int) -> bool:
        """Whether a visit is to be made in a round; in one that is discarded, if any other is to be made."""
        series, effort = self.series[key], self._effort
        number = number if number >= 0 else len(series.rounds)
        if series.failure or len(series.rounds) > number:
            return False
        if number < effort.rounds:
            return True
        if number not in effort.list_rounds() or series.time is None or effort.precision is None:
            return False
        return series.time.width / 2 > effort.precision

    def use_prepared(self, key: Key, use: Callable[[Ready], Result]) -> Result:
        """Use what was prepared for a key; it stays prepared while memory lasts.

        Raises:
            DeviceLostError: the device can run nothing more in this process.
            Exception: whatever preparing or using it raises; that is out of memory only
                if it does not fit when it has the device to itself.
        """
        while True:
            try:
                return use(self._prepare(key))
            except Exception as error:
                self._check_survival(key, error)
                # Alone on the device already, so there is nothing to release for another attempt.
                if not may_be_memory(error) or self._ready.keys() <= {key}:
                    raise
            # Outside the handler, whose traceback holds on to what was allocated.
            self._release_longest_unused(key)

    def _check_survival(self, key: Key, error: BaseException) -> None:
        if not self._device.survives(error):
            self.record_failure(key, error)
            self._ready.clear()
            raise DeviceLostError(classify_failure(error).describe()) from error

    def _release_longest_unused(self, key: Key) -> None:
        """Release half of what is prepared, and the key itself, whose own memory may be in pieces."""
        others = [each for each in self._ready if each != key]
        for each in (key, *others[: -(-len(others) // 2)]):
            self._ready.pop(each, None)
        self._device.release()

    def release(self, key: Key | None = None) -> None:
        """Release what was prepared for a key, or for all, with the memory that it holds."""
        if key is None:
            self._ready.clear()
        else:
            self._ready.pop(key, None)
        self._device.release()

    def record_failure(self, key: Key, error: BaseException) -> None:
        """Note that something cannot be measured, or no further."""
        self.series[key] = replace(self.series[key], failure=classify_failure(error))

    def _prepare(self, key: Key) -> Ready:
        if key in self._ready:
            # To the end: what was used last is released last.
            self._ready[key] = self._ready.pop(key)
            return self._ready[key]
        self._make_room(key)
        before = self._device.read_allocated_bytes()
        made = self._subjects[key]()
        # The first step allocates what later ones use again, so the peak is read after it.
        made.step()
        self._device.wait()
        self._ready[key] = made
        peak = self._device.read_peak_since(before)
        peak = None if peak is None or made.held_before is None else peak + made.held_before
        self.series[key] = replace(self.series[key], peak_bytes=peak)
        return made

    def _make_room(self, key: Key) -> None:
        """Release what is unused for longest, until there is memory for something more."""
        if not self._lacks_memory(key):
            return
        # At first what nothing holds any more.
        self._device.release()
        while self._ready and self._lacks_memory(key):
            del self._ready[next(iter(self._ready))]
            self._device.release()

    def _lacks_memory(self, key: Key) -> bool:
        needed = self.series[key].peak_bytes or self._estimate_bytes(key)
        free = self._device.read_free_bytes() if needed else None
        return needed is not None and free is not None and free < needed

    def _visit(self, key: Key, *, kept: bool = True) -> None:
        try:
            taken = self.use_prepared(key, lambda made: self._take_round(made, self.series[key].rounds))
        except DeviceLostError:
            raise
        # Whatever a model raises is its result; one that exits ends itself, and not everyone else.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self.record_failure(key, error)
        else:
            series = self.series[key]
            if kept:
                self.series[key] = replace(series, rounds=(*series.rounds, replace(taken, run=self._run)))
        if self.series[key].failure:
            # Here, where no traceback holds on to its memory any more.
            self.release(key)
        elif key in self._transient:
            # Back to torch, which has it for what comes next.
            self._ready.pop(key, None)

    def _take_round(self, made: Ready, earlier: Sequence[Round]) -> Round:
        pace = warm_up(made.step, self._device, self._effort.warm_up)
        # As often in every round, so that no round outweighs another.
        repetitions = len(earlier[0].wall) if earlier else self._effort.choose_repetitions(pace)
        return self._device.time_step(made.step, repetitions, cold_l2=made.cold_l2)
