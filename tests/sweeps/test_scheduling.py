"""Handing batches to workers that lose some of them."""

from collections import Counter
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from itertools import islice
from threading import Lock
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resflops.errors import UsageError
from resflops.sweeps.cases import Batch, Case, Limits, Outcome, SweepOptions
from resflops.sweeps.scheduling import BATCH_SECONDS, run_batches


def count(batch, seconds=0.0):
    """What a worker does."""
    return [Outcome(number=case.number, label="", row={}, seconds=seconds) for case in batch.cases]


def give_cases(number, sizes=None):
    cases = (Case(number=each, name=str(each), spec="resnet18") for each in range(number))

    def take(most):
        if sizes is not None:
            sizes.append(most)
        taken = tuple(islice(cases, most))
        return Batch(cases=taken, options=SweepOptions(), limits=Limits(), folder="") if taken else None

    return take


def run(number, work, slots=2, sizes=None):
    with ThreadPoolExecutor(slots) as pool:
        batches = run_batches(give_cases(number, sizes), lambda batch: pool.submit(work, batch), slots=slots)
        return [outcome for outcomes in batches for outcome in outcomes]


@given(number=st.integers(0, 200), slots=st.integers(1, 4))
def test_every_case_is_counted_once(number, slots):
    assert sorted(each.number for each in run(number, count, slots)) == list(range(number))


@pytest.mark.parametrize(("seconds", "size"), [(BATCH_SECONDS / 40, 40), (BATCH_SECONDS * 10, 1)])
def test_batches_take_about_as_long_as_they_should(seconds, size):
    sizes = []
    run(400, lambda batch: count(batch, seconds), slots=1, sizes=sizes)
    assert sizes[0] == 1
    assert max(sizes) in range(size, size + 2)


def test_a_batch_that_is_lost_is_counted_again_case_by_case():
    lock, calls = Lock(), Counter()

    def lose(batch):
        with lock:
            calls.update(case.number for case in batch.cases)
        if any(case.number in (3, 30) for case in batch.cases):
            raise OSError("the worker is gone")
        return count(batch)

    outcomes = sorted(run(50, lose), key=lambda each: each.number)
    assert [each.number for each in outcomes] == list(range(50))
    lost = [each for each in outcomes if each.failure]
    assert [each.number for each in lost] == [3, 30]
    assert lost[0].failure == "worker lost"
    assert lost[0].row["reason"] == "the worker that counted it was lost: OSError: the worker is gone"


def test_a_broken_executor_ends_the_sweep():
    def fail(batch):
        raise BrokenExecutor("all processes are gone")

    with pytest.raises(UsageError, match="takes no more work: BrokenExecutor: all processes are gone"):
        run(5, fail)


class Job:
    """A job of a cluster, as submitit has it: no future of the standard library's."""

    def __init__(self, batch):
        self.batch, self.asked = batch, 0

    def done(self):
        self.asked += 1
        return self.asked > 2

    def result(self):
        assert self.done()
        sleep(0)
        return count(self.batch)


def test_futures_of_other_libraries_are_asked_whether_they_are_done():
    batches = run_batches(give_cases(5), Job, slots=1)
    assert sorted(each.number for outcomes in batches for each in outcomes) == list(range(5))
