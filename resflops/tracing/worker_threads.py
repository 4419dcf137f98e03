"""Threads that a forward starts: they record like the thread of the trace.

A thread has torch's modes for itself, so what a new one runs would be seen by nobody. A thread that the
tracing thread starts, and a job that it hands to a pool, is therefore run under the recorder of the trace, in
the name of the layer that started it. Whoever starts one waits until it has nothing more to do, so that the
ops of a model are in the same order each time; a thread that waits for another one is not waited for.

What is done elsewhere is not known: in another process, or in a thread that was there before the trace and is
told what to do by other means. An op without a rule then stands for it. Such a thread works with the model's
real weights, so nothing is handed to it but in a real run.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from queue import Queue
from sys import _getframe
from threading import Thread
from typing import Any
from weakref import ref

import torch
from torch import Tensor

from resflops.errors import DataDependentError, ResflopsError
from resflops.tracing.autograd_pass import AutogradNeeded
from resflops.tracing.custom_modules import CustomCalls, find_calls, join_calls
from resflops.tracing.dispatcher import DispatchRecorder
from resflops.tracing.flex import disable_flex_compile
from resflops.tracing.grad_mode import GradMode, TrueGradMode
from resflops.tracing.meta import find_tensors
from resflops.tracing.modules import Modules
from resflops.tracing.other_threads import are_others_running
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import find_recorder, join_trace, redirect, redirect_value

__all__ = ["SharedRecorder", "note_unseen"]

_PATIENCE = 0.05
"""For how many seconds a thread may record nothing before it is taken to wait for another one."""
_LIMIT = 60.0
"""For how many seconds an op may wait for that of another thread."""


class SharedRecorder(Recorder):
    """A recorder that several threads use. One becomes it as the first of them is about to start."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Record one call, after those of other threads."""
        # A thread may outlive the trace.
        if self.over:
            return func(*args, **(kwargs or {}))
        # An op may call the model's code back, and that may wait for a thread whose op waits for this one.
        if not self.lock.acquire(timeout=_LIMIT):
            raise RuntimeError("two threads of the forward pass wait for each other")
        try:
            return super().__torch_function__(func, types, args, kwargs)
        finally:
            self.lock.release()


class _Job:
    """Something to run in another thread, in the name of the layer that hands it over."""

    def __init__(self, recorder: Recorder, function: Callable[..., Any]) -> None:
        recorder.__class__ = SharedRecorder
        self._recorder, self._function = recorder, function
        self._layer = recorder.find_calling_module(_getframe(2))
        self._calls = find_calls()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recorder = self._recorder
        if recorder.over or find_recorder() is recorder:
            # In a pool that the forward has made, the thread has the modes already.
            return _run_for(self._layer, self._function, args, kwargs)
        with _record_thread(recorder, self._calls):
            return _run_for(self._layer, self._function, args, kwargs)


def _run_for(self: Any, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Run a function in the name of a module: this frame looks like that of one of its methods."""
    return function(*args, **kwargs)


@contextmanager
def _record_thread(recorder: Recorder, calls: CustomCalls | None) -> Iterator[None]:
    """Let a recorder see what the current thread does."""
    with ExitStack() as stack:
        stack.enter_context(join_trace(recorder))
        stack.enter_context(join_calls(calls))
        stack.enter_context(disable_flex_compile())
        # Torch starts every thread with autograd on, whatever the mode of the one that starts it.
        own, recorder.grad_mode = recorder.grad_mode, TrueGradMode() if recorder.autograd else GradMode()
        stack.callback(setattr, recorder, "grad_mode", own)
        stack.enter_context(torch.set_grad_enabled(recorder.autograd))
        stack.enter_context(DispatchRecorder(recorder))
        stack.enter_context(recorder.resume())
        yield


def _wait(recorder: Recorder, is_done: Callable[[float], bool]) -> None:
    """Wait for a thread to end, as long as it records anything."""
    seen = -1
    while seen != len(recorder.ops):
        seen = len(recorder.ops)
        if is_done(_PATIENCE):
            return


@redirect("threading", "Thread.start")
def start_thread(recorder: Recorder, own: Callable[..., Any], thread: Thread) -> None:
    """Start a thread whose ops are recorded."""
    job = _Job(recorder, thread.run)

    def run() -> None:
        # Python prints what a thread raises. The recorder has noted it, and the pass fails of it.
        with suppress(ResflopsError, AutogradNeeded):
            job()

    thread.run = run  # type: ignore[method-assign]
    own(thread)

    def is_done(seconds: float) -> bool:
        thread.join(seconds)
        return not thread.is_alive()

    _wait(recorder, is_done)


@redirect("concurrent.futures.thread", "ThreadPoolExecutor.submit")
def submit(
    recorder: Recorder,
    own: Callable[..., Any],
    pool: Any,
    function: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Future[Any]:
    """Hand a job to a pool, which may have had its threads since before the trace."""
    job = _Job(recorder, function)
    # The threads that the pool now starts are its own, and outlive the trace.
    with join_trace(None):
        future: Future[Any] = own(pool, job, *args, **kwargs)

    def is_done(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.0005)
        return future.done()

    _wait(recorder, is_done)
    return future


@redirect("multiprocessing.pool", "ThreadPool.apply_async")
@redirect("multiprocessing.pool", "ThreadPool._map_async")
@redirect("multiprocessing.pool", "ThreadPool.imap")
@redirect("multiprocessing.pool", "ThreadPool.imap_unordered")
def spread(
    recorder: Recorder,
    own: Callable[..., Any],
    pool: Any,
    function: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Hand jobs to a pool of threads."""
    result = own(pool, _Job(recorder, function), *args, **kwargs)
    # An iterator over the results has no such method, and its reader waits.
    if hasattr(result, "ready"):

        def is_done(seconds: float) -> bool:
            result.wait(seconds)
            return bool(result.ready())

        _wait(recorder, is_done)
    return result


@redirect("multiprocessing.process", "BaseProcess.start")
@redirect("concurrent.futures.process", "ProcessPoolExecutor.submit")
def leave_process(recorder: Recorder, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Start a process, or hand a job to one. No recorder sees what it does, which counts as not known."""
    layer = recorder.find_running_layer(_getframe(1))
    recorder.note("another_process", layer, tuple(find_tensors((args, kwargs))), (), {})
    return own(*args, **kwargs)


_handed: dict[int, tuple[Any, str]] = {}
"""What recorded threads have put into queues: its id to a reference to the recorder, and the layer."""


@redirect("queue", "Queue.put")
def hand_over(
    recorder: Recorder, own: Callable[..., Any], channel: Any, item: Any, *args: Any, **kwargs: Any
) -> Any:
    """Put something into a queue, from which a thread may take it that was there before the trace."""
    if isinstance(channel, Queue) and any(True for _ in find_tensors(item)):
        # Only a thread of the forward's own has made it a shared one, and that may be the one that waits.
        if not recorder.real and channel.not_empty._waiters and type(recorder) is not SharedRecorder:  # type: ignore[attr-defined]
            raise DataDependentError(
                "it hands tensors to a thread that already existed, where shapes cannot be traced"
            )
        for key in [key for key, (known, _) in _handed.items() if known() is None]:
            del _handed[key]
        if type(recorder) is Recorder:
            recorder.__class__ = SharedRecorder
        _handed[id(item)] = ref(recorder), recorder.find_running_layer(_getframe(1))
    return own(channel, item, *args, **kwargs)


@redirect_value("queue", "Queue._get")
@redirect_value("queue", "LifoQueue._get")
@redirect_value("queue", "PriorityQueue._get")
def watch_takers(own: Callable[..., Any]) -> Callable[..., Any]:
    """Note who takes something out of a queue: a thread without a recorder does unknown work with it.

    A thread that has been waiting since before the trace calls this, too, once there is something to take.
    """

    def take(channel: Any) -> Any:
        item = own(channel)
        handed = _handed.pop(id(item), None) if _handed else None
        if handed is not None and find_recorder() is None:
            recorder = handed[0]()
            if recorder is not None and not recorder.over:
                with recorder.lock:
                    recorder.note("unseen_thread", handed[1], tuple(find_tensors(item)), (), {})
        return item

    return take


def note_unseen(recorder: Recorder, results: Iterable[Tensor], modules: Modules) -> None:
    """Note the results of a pass that none of its ops has made, though no thread was seen to take anything.

    In a real run the model may return what somebody else holds. Only where there are other threads, one of
    them may have made it.
    """
    if recorder.real and not are_others_running():
        return
    # Of a tensor of a class of its own, the recorder knows what it wraps.
    unknown = [
        tensor
        for tensor in results
        if tensor.is_meta is not recorder.real and type(tensor) is Tensor and not recorder.knows(tensor)
    ]
    # A thread that was seen to take something stands for what it gave.
    if not unknown or any(op.op == "unseen_thread" for op in recorder.ops):
        return
    # A model on the meta device may return a constant of its own.
    held = {id(value) for attributes in modules.attributes for value in attributes.values()}
    if unseen := tuple(tensor for tensor in unknown if id(tensor) not in held):
        recorder.note("unseen_thread", "", (), unseen, {})
