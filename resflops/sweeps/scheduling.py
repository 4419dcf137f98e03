"""Handing cases to workers in batches, and taking the outcomes as they come back.

A batch takes about as long as ``BATCH_SECONDS``, so that handing it over costs little beside it: under 5 %
(tests/benchmarks/sweep_command.py measures it).
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from time import sleep
from typing import Any

from msgspec.structs import replace

from resflops.errors import ResflopsError, UsageError, describe_error
from resflops.sweeps.cases import Batch, Outcome
from resflops.sweeps.columns import build_failed_row

__all__ = ["BATCH_SECONDS", "Submit", "run_batches"]

BATCH_SECONDS = 2.0
"""How long a batch is meant to take."""
MOST_CASES = 512
"""The most cases of a batch: what is lost with a kill is counted again."""

Submit = Callable[[Batch], Any]
"""Hands a batch to a worker and gives a future of its outcomes at once: what has ``done`` and ``result``."""


def run_batches(
    take: Callable[[int], Batch | None], submit: Submit, *, slots: int
) -> Iterator[list[Outcome]]:
    """Run batches until there are no more.

    Args:
        take: gives a batch of at most so many cases; None if there are no more.
        submit: hands a batch to a worker.
        slots: how many batches are counted at a time.

    Yields:
        The outcomes of a batch, whichever is done first.

    Raises:
        UsageError: the executor is broken.
    """
    sizes = _BatchSizes()
    waiting: deque[Batch] = deque()
    running: dict[Any, Batch] = {}
    while True:
        # One more for each, so that no worker waits for the next batch.
        while len(running) < 2 * slots:
            batch = waiting.popleft() if waiting else take(sizes.choose())
            if batch is None:
                break
            running[_submit(submit, batch)] = batch
        if not running:
            return
        for future in _wait_for_some(list(running)):
            batch = running.pop(future)
            try:
                outcomes: list[Outcome] = future.result()
            except (BrokenExecutor, CancelledError) as error:
                raise _make_broken_error(error) from error
            except ResflopsError:
                raise
            except Exception as error:  # noqa: BLE001 - what executors raise for workers that they have lost
                if len(batch.cases) > 1:
                    waiting.extend(_split(batch))
                    continue
                outcomes = [_blame(batch, error)]
            sizes.learn(outcomes)
            yield outcomes


class _BatchSizes:
    """How many cases make a batch, from how long those before took."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._cases = 0

    def choose(self) -> int:
        if not self._cases:
            return 1
        return max(1, min(MOST_CASES, int(BATCH_SECONDS * self._cases / max(self._seconds, 1e-6))))

    def learn(self, outcomes: list[Outcome]) -> None:
        # The recent ones count for more: small models often come before large ones.
        self._seconds = self._seconds / 2 + sum(each.seconds for each in outcomes)
        self._cases = self._cases // 2 + len(outcomes)


def _submit(submit: Submit, batch: Batch) -> Any:  # noqa: ANN401 - a future of any kind
    try:
        return submit(batch)
    except (BrokenExecutor, RuntimeError) as error:
        raise _make_broken_error(error) from error


def _wait_for_some(futures: list[Any]) -> list[Any]:
    """Wait until one is done or more, and give those."""
    if all(isinstance(each, Future) for each in futures):
        return list(wait(futures, return_when=FIRST_COMPLETED).done)
    # Futures of other libraries, such as jobs of a cluster, can only be asked.
    while not (done := [each for each in futures if each.done()]):
        sleep(0.05)
    return done


def _split(batch: Batch) -> list[Batch]:
    half = len(batch.cases) // 2
    return [replace(batch, cases=batch.cases[:half]), replace(batch, cases=batch.cases[half:])]


def _blame(batch: Batch, error: Exception) -> Outcome:
    (case,) = batch.cases
    row = build_failed_row(
        case, "worker lost", f"the worker that counted it was lost: {describe_error(error)}"
    )
    return Outcome(number=case.number, label=case.label, row=row, failure="worker lost")


def _make_broken_error(error: BaseException) -> UsageError:
    return UsageError(f"the executor takes no more work: {describe_error(error)}; what was counted is kept")
