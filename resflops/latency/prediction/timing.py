"""Times single ops on this machine as they run in a network, until a budget is spent."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from time import monotonic, perf_counter

import torch
from msgspec import Struct

from resflops.latency.prediction.designs import SHARES, draw_op
from resflops.latency.prediction.networks import build_chain
from resflops.latency.prediction.profile import Sample
from resflops.latency.prediction.sized_ops import (
    CHANNELS_LAST,
    IN_PLACE,
    MODULE,
    VIEW,
    SizedOp,
    classify_op,
    count_moved,
)
from resflops.latency.prediction.steps import PreparedOp, prepare_op
from resflops.latency.session import Step
from resflops.latency.statistics import quantile
from resflops.records import OpRecord
from resflops.tracing.generators import preserve_generators

__all__ = ["time_ops"]

SEED = 0

CHUNK = 40
"""Ops that take turns. Their weights and activations sweep the caches, and oneDNN, which keeps the 1,024
primitives that it built last, has to build none again."""

BAND = 6 * CHUNK
"""Ops of about one size, of which those of like kinds take turns: in a network, too, the code of a kind stays
in the caches, and in a network of small ops much of what they read."""

DRAWN = 12
"""How many of each share are drawn at once, so that bands are narrow."""

ROUNDS = 5
LEAST_SECONDS = 1e-7

Clock = Callable[[], float]


class _DrawnOp(Struct, frozen=True, kw_only=True):
    kind: str
    record: OpRecord

    @property
    def options(self) -> dict[str, bool]:
        return {
            "in_place": self.kind.endswith(IN_PLACE),
            "channels_last": self.kind.endswith(CHANNELS_LAST),
        }


def time_ops(
    *,
    dtype: torch.dtype,
    budget: float,
    say: Callable[[float], None] = lambda _: None,
    clock: Clock = perf_counter,
) -> tuple[Sample, ...]:
    """Time ops until a budget is spent, the calls of views and modules first.

    Args:
        dtype: the element type of all tensors.
        budget: seconds after which no further ops are begun; one of each kind is always timed.
        say: called with the share of the budget that is spent.
        clock: tells seconds.
    """
    rng, started = Random(SEED), monotonic()  # noqa: S311 - no secret
    samples = list(_time_calls(clock))
    # One of each kind first: whatever the budget, none is without a time.
    samples += _time_chunk([_draw(kind, rng) for kind in SHARES], dtype, clock)
    while True:
        for chunk in _draw_chunks(rng):
            samples += _time_chunk(chunk, dtype, clock)
            spent = (monotonic() - started) / budget if budget else 1.0
            say(min(spent, 1.0))
            if spent >= 1.0:
                return tuple(samples)


def _time_calls(clock: Clock) -> Iterator[Sample]:
    """Time what Python takes to call a module, beside the same ops called as functions, and a view."""
    with preserve_generators():
        chain = build_chain()
    tensor = torch.zeros(8, 8)

    def view_often() -> None:
        for _ in range(chain.modules):
            tensor.view(64)

    steps = (chain.call_modules, chain.call_functions, view_often)
    with torch.no_grad():
        times = [[_time_once(step, clock) for step in steps] for _ in range(10 * ROUNDS)]
    modules, functions, views = (min(taken) for taken in zip(*times, strict=True))
    yield Sample(SizedOp(MODULE), max((modules - functions) / chain.modules, LEAST_SECONDS))
    yield Sample(SizedOp(VIEW), max(views / chain.modules, LEAST_SECONDS))


def _draw(kind: str, rng: Random) -> _DrawnOp:
    return _DrawnOp(kind=kind, record=draw_op(kind, rng))


def _draw_chunks(rng: Random) -> list[list[_DrawnOp]]:
    """Draw ops, and group those that take turns."""
    drawn = [_draw(kind, rng) for kind, share in SHARES.items() for _ in range(DRAWN * share)]
    drawn.sort(key=lambda each: count_moved(each.record))
    chunks = []
    for start in range(0, len(drawn), BAND):
        band = sorted(drawn[start : start + BAND], key=lambda each: each.kind)
        chunks += [band[at : at + CHUNK] for at in range(0, len(band), CHUNK)]
    for chunk in chunks:
        rng.shuffle(chunk)
    # Whenever the budget is spent, ops of all sizes are among those that were timed.
    rng.shuffle(chunks)
    return chunks


def _time_chunk(chunk: Sequence[_DrawnOp], dtype: torch.dtype, clock: Clock) -> Iterator[Sample]:
    nothing = PreparedOp(touch=_do_nothing, step=_do_nothing)
    prepared = [nothing, *(prepare_op(each.record, dtype=dtype, **each.options) for each in chunk)]
    times: list[list[float]] = [[] for _ in prepared]
    with torch.no_grad():
        # The first round builds what is kept for the later ones, and is left out.
        for number in range(1 + ROUNDS):
            for op, taken in zip(prepared, times, strict=True):
                op.touch()
                seconds = _time_once(op.step, clock)
                if number:
                    taken.append(seconds)
    # Not the median: what else runs on the machine makes samples slower and none faster.
    empty, *lows = (quantile(taken, 0.25) for taken in times)
    for each, seconds in zip(chunk, lows, strict=True):
        yield Sample(classify_op(each.record, **each.options), round(max(seconds - empty, LEAST_SECONDS), 9))


def _do_nothing() -> None:
    """Take as long as the clock itself does."""


def _time_once(step: Step, clock: Clock) -> float:
    start = clock()
    step()
    return clock() - start
