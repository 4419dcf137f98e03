"""Threads that may run a model are told from those of packages that run none."""

import threading

import pytest
import torch
from torch import nn

import resflops
from resflops.tracing.other_threads import are_others_running


class Unchanged(nn.Module):
    def forward(self, rows):
        return nn.functional.dropout3d(rows, p=0.5, training=False)


@pytest.mark.parametrize(
    ("module", "runs"),
    [
        ("__main__", True),
        ("torch._inductor.compile_worker.subproc_pool", False),
        ("torch.utils.data._utils.pin_memory", True),
        ("tqdm._monitor", False),
        # As in the process of a sweep, which counts a third as fast where it must expect other models.
        ("resflops.sweeps.counting_program", False),
    ],
)
def test_a_thread_counts_by_whose_it_is(module, runs):
    over = threading.Event()

    def listen():
        over.wait()

    listen.__module__ = module
    before = are_others_running()
    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert (before, are_others_running()) == (False, runs)
    finally:
        over.set()
        thread.join()
    assert not are_others_running()


def test_a_thread_that_runs_no_model_has_made_no_result():
    """A progress bar's monitor, which torch's exporter starts, made a real run's own result look like another's."""
    over = threading.Event()

    def listen():
        over.wait()

    listen.__module__ = "tqdm._monitor"
    thread = threading.Thread(target=listen)
    thread.start()
    try:
        # In eval mode it may give back what it was given, which no op has made.
        traced = resflops.trace(Unchanged(), torch.empty(2, 4, 6, 6), real=True)
    finally:
        over.set()
        thread.join()
    assert resflops.count(traced).complete
