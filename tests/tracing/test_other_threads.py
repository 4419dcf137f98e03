"""Threads that may run a model are told from those of packages that run none."""

import threading

import pytest

from resflops.tracing.other_threads import are_others_running


@pytest.mark.parametrize(
    ("module", "runs"),
    [
        ("__main__", True),
        ("torch._inductor.compile_worker.subproc_pool", False),
        ("torch.utils.data._utils.pin_memory", True),
        ("tqdm._monitor", False),
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
