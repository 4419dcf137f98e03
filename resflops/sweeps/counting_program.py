"""The program of the process that counts cases, which can be ended without harm to the sweep.

It takes batches of cases on its standard input and gives an outcome for each on its standard output. It ends
when the other end has gone, and when nobody has asked it for anything for a while.
"""

import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

from msgspec import msgpack
from msgspec.structs import replace

from resflops.cost import Cost
from resflops.cost.convention import find_convention
from resflops.errors import (
    InputError,
    ModelError,
    ResflopsError,
    SpecError,
    TraceError,
    UnknownModelError,
    describe_error,
)
from resflops.process.garbage import delay_collection
from resflops.sources.counting import CountRequest, count_model, count_spec
from resflops.sweeps.cases import Batch, Case, Outcome
from resflops.sweeps.columns import build_failed_row, build_row
from resflops.sweeps.frames import read_frame, write_frame
from resflops.sweeps.outcomes import encode_outcome

__all__ = ["count_case", "main", "name_failure"]

IDLE = 60.0
"""Seconds for which it waits for the next batch."""


def main() -> None:
    """Count what comes in."""
    requests, answers = _take_pipes()
    # Ctrl-C goes to every process of a terminal; the sweep ends this one when it is done with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    batches: queue.Queue[Batch] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, batches), daemon=True).start()
    with suppress(ImportError):
        # Before the first case, whose time is limited. A sweep of ONNX files does without.
        import torch  # noqa: F401
    write_frame(answers, b"")
    counter = _Counter()
    while True:
        try:
            batch = batches.get(timeout=IDLE)
        except queue.Empty:
            return
        for outcome in counter.count(batch):
            write_frame(answers, encode_outcome(outcome))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for messages: what models print goes to standard error."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def _listen(requests: BinaryIO, batches: "queue.Queue[Batch]") -> None:
    """Take batches as they come; a thread of its own, so that a long count does not outlive the sweep."""
    while (message := read_frame(requests)) is not None:
        batches.put(msgpack.decode(message, type=Batch))
    os._exit(0)


class _Counter:
    """Counts batches, and keeps what they have in common."""

    def __init__(self) -> None:
        self._imported: set[str] = set()

    def count(self, batch: Batch) -> Iterator[Outcome]:
        """Count the cases of a batch."""
        makers = self._unpickle(batch) if batch.makers else []
        for case in batch.cases:
            started = perf_counter()
            outcome = count_case(case, batch, None if case.made_by is None else makers[case.made_by])
            yield replace(outcome, seconds=perf_counter() - started)

    def _unpickle(self, batch: Batch) -> Sequence[Any]:
        """Load what makes the models of a batch; where that fails, the error in place of each."""
        sys.path.extend(path for path in batch.paths if path not in sys.path)
        try:
            for place in batch.modules:
                self._import(place)
            makers: list[Any] = pickle.loads(batch.makers)  # noqa: S301 - from the process that started this one
        except Exception as error:  # noqa: BLE001 - whatever the user's modules raise
            return [error] * len(batch.cases)
        return makers

    def _import(self, place: str) -> None:
        if place not in self._imported:
            from resflops.sources.origins.factory import import_code
            from resflops.sources.spec import Spec

            import_code(place, Spec(text=place, name=place))
            self._imported.add(place)


def count_case(case: Case, batch: Batch, maker: Any = None) -> Outcome:  # noqa: ANN401 - a function or a module
    """Count one case; an error of any kind is its outcome.

    Args:
        case: the case.
        batch: the batch that it belongs to.
        maker: what makes its model if no spec names it; or the error for which there is none.
    """
    try:
        if case.failure is not None:
            kind, reason = case.failure
            row = build_failed_row(case, kind, reason)
        else:
            kind, row = "", build_row(case, _count(case, batch, maker), batch.options)
    # The code of models may raise anything, and may call exit().
    except (Exception, SystemExit) as error:  # noqa: BLE001
        kind = name_failure(error)
        reason = str(error) if isinstance(error, ResflopsError) else describe_error(error)
        row = build_failed_row(case, kind, reason)
    return Outcome(number=case.number, label=case.label, row=row, failure=kind)


@delay_collection()
def _count(case: Case, batch: Batch, maker: Any) -> Cost:  # noqa: ANN401
    options = batch.options
    if isinstance(maker, Exception):
        raise ModelError(f"what makes it could not be loaded: {describe_error(maker)}")
    convention = find_convention("macs")
    if case.spec:
        return count_spec(
            CountRequest(
                spec=case.spec,
                name=case.name,
                convention=convention,
                input_shape=case.input_shape,
                batch=case.batch,
                dtype=options.dtype,
                backward=options.training,
                fresh=options.fresh,
                lifetimes=options.memory,
            )
        ).cost
    from resflops.sources.batches import set_input
    from resflops.sources.origins.factory import describe_made

    found, shape = set_input(describe_made(case.name, maker), case.input_shape, case.batch)
    return count_model(
        found,
        input_shape=shape,
        convention=convention,
        backward=options.training,
        dtype=options.dtype,
        lifetimes=options.memory,
    )


_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (UnknownModelError, "unknown model"),
    (SpecError, "spec"),
    (ModelError, "model"),
    (InputError, "input"),
    (TraceError, "trace"),
    (MemoryError, "memory"),
)


def name_failure(error: BaseException) -> str:
    """Name the kind of an error in a word or two."""
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "error")
