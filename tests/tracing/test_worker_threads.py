"""Threads that a forward starts: what they run counts, in the name of their layer, and nobody else notices."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import pytest
import torch
from torch import nn

import resflops

# One branch on an input of 2 by 6.
BRANCH = 2 * 6 * 6


class Branches(nn.Module):
    """Two layers, two pools with threads that run before any trace, and what is done with them."""

    def __init__(self, function):
        super().__init__()
        self.left, self.right = nn.Linear(6, 6), nn.Linear(6, 6)
        self.executor, self.pool = ThreadPoolExecutor(2), ThreadPool(2)
        list(self.executor.map(time.sleep, [0.01, 0.01]))
        self.function = function

    def forward(self, x):
        return self.function(self, x)

    def close(self):
        self.executor.shutdown()
        self.pool.close()
        self.pool.join()


def submit(model, x):
    with ThreadPoolExecutor(2) as executor:
        return sum(
            future.result() for future in [executor.submit(layer, x) for layer in (model.left, model.right)]
        )


def run_threads(jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start(model, x):
    results = []
    run_threads([lambda: results.append(model.left(x)), lambda: results.append(model.right(x))])
    return sum(results)


def start_within(model, x):
    results = [x]

    def outer():
        results.append(model.left(results[-1]))
        run_threads([lambda: results.append(model.right(results[-1]))])

    run_threads([outer])
    return results[-1]


def feed(model, x):
    """Hand layers to a thread that waits for them, as pipelines do."""
    jobs, results = queue.Queue(), queue.Queue()

    def work():
        while (job := jobs.get()) is not None:
            results.put(job(x))

    thread = threading.Thread(target=work)
    thread.start()
    jobs.put(model.left)
    first = results.get()
    jobs.put(model.right)
    second = results.get()
    jobs.put(None)
    thread.join()
    return first + second


def pool(model, x):
    with ThreadPool(2) as threads:
        return sum(threads.map(lambda layer: layer(x), [model.left, model.right]))


def look_at_value(model, x):
    found = []
    run_threads([lambda: found.append(model.left(x).sum().item())])
    return model.right(x) * found[0]


def take_gradient(model, x):
    found = []

    def work():
        y = x.detach().requires_grad_()
        found.append(torch.autograd.grad(model.left(y).sum(), y)[0])

    run_threads([work])
    return found[0]


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(submit, id="an executor"),
        pytest.param(lambda m, x: sum(m.executor.map(lambda layer: layer(x), (m.left, m.right))), id="one of before"),
        pytest.param(start, id="threads"),
        pytest.param(start_within, id="a thread of a thread"),
        pytest.param(feed, id="a thread with a queue"),
        pytest.param(pool, id="a pool"),
        pytest.param(lambda m, x: sum(m.pool.map(lambda layer: layer(x), [m.left, m.right])), id="a pool of before"),
        pytest.param(lambda m, x: sum(m.pool.imap(lambda layer: layer(x), [m.left, m.right])), id="imap"),
        pytest.param(look_at_value, id="a look at values"),
        pytest.param(take_gradient, id="a gradient"),
    ],
)  # fmt: skip
def test_both_branches_count(function, real):
    model = Branches(function)
    cost = resflops.count(resflops.trace(model, torch.ones(2, 6), real=real))
    assert (cost.macs, cost.uncounted) == (2 * BRANCH, ())
    model.close()


def test_an_op_belongs_to_the_layer_that_handed_it_over():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6, 6))

        def forward(self, x):
            with ThreadPoolExecutor(1) as executor:
                return executor.submit(torch.mm, x, self.weight).result()

    trace = resflops.trace(nn.Sequential(Inner(), nn.ReLU()), (2, 6))
    assert [(op.op, op.layer) for op in trace.ops] == [("matmul", "0"), ("relu", "1")]


def test_ops_come_in_the_order_in_which_threads_were_started():
    model = Branches(start)
    orders = {tuple(op.layer for op in resflops.trace(model, (2, 6)).ops) for _ in range(10)}
    assert orders == {("left", "right", "", "")}
    model.close()


def test_traces_in_several_threads_count_each_its_own():
    model = Branches(submit)
    with ThreadPoolExecutor(4) as executor:
        costs = list(executor.map(lambda _: resflops.count(model, (2, 6)).macs, range(12)))
    assert costs == [2 * BRANCH] * 12
    model.close()


def test_a_model_that_cannot_be_copied_is_counted_in_several_threads_and_is_as_before():
    model = Branches(submit)
    resflops.count(model, (2, 6))
    before = [dict(vars(module)) for module in model.modules()]
    for _ in range(12):
        with ThreadPoolExecutor(4) as executor:
            costs = list(executor.map(lambda _: resflops.count(model, (2, 6)).macs, range(8)))
        assert costs == [2 * BRANCH] * 8
        assert [dict(vars(module)) for module in model.modules()] == before
    model.close()


def test_threads_of_others_are_not_recorded_and_work_on():
    results, started, finished = [], threading.Event(), threading.Event()

    def work():
        started.wait()
        run_threads([lambda: results.append(torch.ones(2, 6) @ torch.ones(6, 6))])
        finished.set()

    other = threading.Thread(target=work)
    other.start()

    def run(model, x):
        started.set()
        finished.wait()
        return model.left(x)

    model = Branches(run)
    assert resflops.count(model, (2, 6)).macs == BRANCH
    other.join()
    assert torch.equal(results[0], torch.full((2, 6), 6.0))
    model.close()


def test_threading_is_as_before():
    before = threading.Thread.start, ThreadPoolExecutor.submit, dict(vars(ThreadPool))
    model = Branches(submit)
    resflops.count(model, (2, 6))
    with pytest.raises(resflops.errors.TraceError):
        resflops.count(model, (2, 5))
    assert (threading.Thread.start, ThreadPoolExecutor.submit, dict(vars(ThreadPool))) == before
    # A thread that started under a recorder runs on without it.
    assert torch.equal(model.executor.submit(torch.ones, 2).result(), torch.ones(2))
    model.close()


def test_what_a_thread_of_before_is_told_by_a_queue_is_not_known():
    jobs, results = queue.Queue(), queue.Queue()
    thread = threading.Thread(target=lambda: results.put(torch.mm(*jobs.get())))
    thread.start()

    class Asking(nn.Module):
        def forward(self, left, right):
            jobs.put((left, right))
            return results.get()

    cost = resflops.count(Asking(), (2, 6), (6, 6))
    assert [op.op for op in cost.uncounted] == ["unseen_thread"]
    thread.join()


class Fed(nn.Module):
    """A model whose layer runs in a thread that is older than any trace, and is told what to do by a queue."""

    def __init__(self, make=queue.Queue):
        super().__init__()
        self.layer, self.last = nn.Linear(6, 6), nn.Linear(6, 2)
        # A model is copied for some passes, and a queue cannot be.
        self.__dict__["channels"] = make(), make()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        jobs, results = self.channels
        while (x := jobs.get()) is not None:
            results.put(self.layer(x))

    def forward(self, x):
        jobs, results = self.channels
        jobs.put(x)
        return self.last(results.get(timeout=10))


@pytest.mark.parametrize("make", [queue.Queue, queue.LifoQueue])
@pytest.mark.parametrize("real", [False, True])
def test_a_thread_of_before_that_a_queue_feeds_is_listed(real, make):
    model = Fed(make)
    for _ in range(2):
        cost = resflops.count(resflops.trace(model, torch.rand(3, 6), real=real))
        assert [(op.op, op.calls) for op in cost.uncounted] == [("unseen_thread", 1)]
        assert cost.macs == 3 * 6 * 2
        # The thread lives on, and never met a tensor without memory.
        assert model(torch.rand(3, 6)).shape == (3, 2)
    model.channels[0].put(None)


def test_a_thread_of_before_that_leaves_its_result_elsewhere_is_listed():
    asked, done = threading.Event(), threading.Event()

    class Leaving(nn.Module):
        def forward(self, x):
            given.append(x)
            asked.set()
            done.wait(10)
            return box[0]

    given, box, model = [], [], Leaving()

    def work():
        asked.wait(10)
        box.append(given[0] @ given[0].mT)
        done.set()
        ended.wait(10)

    ended = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    cost = resflops.count(resflops.trace(model, torch.rand(3, 6), real=True))
    ended.set()
    assert [op.op for op in cost.uncounted] == ["unseen_thread"]


@pytest.mark.parametrize("real", [False, True])
def test_a_queue_within_the_forward_hides_nothing(real):
    class Buffered(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 2)

        def forward(self, x):
            channel = queue.Queue()
            channel.put((x, x + 1))
            left, right = channel.get()
            return self.layer(left) + self.layer(right)

    cost = resflops.count(resflops.trace(Buffered(), torch.rand(3, 6), real=real))
    assert (cost.uncounted, cost.macs) == ((), 2 * 3 * 6 * 2)


@pytest.mark.parametrize("real", [False, True])
def test_a_thread_of_the_forward_that_a_queue_feeds_is_counted(real):
    class Started(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 2)

        def forward(self, x):
            jobs, results = queue.Queue(), queue.Queue()
            thread = threading.Thread(target=lambda: results.put(self.layer(jobs.get(timeout=10))))
            thread.start()
            jobs.put(x)
            thread.join()
            return results.get()

    cost = resflops.count(resflops.trace(Started(), torch.rand(3, 6), real=real))
    assert (cost.uncounted, cost.macs) == ((), 3 * 6 * 2)
