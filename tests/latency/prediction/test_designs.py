"""What is drawn to be timed: ops that can be, within their limits, of the kinds that they are drawn for."""

from math import prod
from random import Random

import pytest
import torch

from resflops.latency.prediction.designs import MOST_ELEMENTS, SHARES, draw_op
from resflops.latency.prediction.sized_ops import CHANNELS_LAST, IN_PLACE, classify_op
from resflops.latency.prediction.steps import prepare_op

KINDS = [pytest.param(kind, id=kind) for kind in SHARES]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_for_a_kind_is_of_it(kind) -> None:
    rng, options = (
        Random(3),
        {"in_place": kind.endswith(IN_PLACE), "channels_last": kind.endswith(CHANNELS_LAST)},
    )
    records = [draw_op(kind, rng) for _ in range(20)]
    # A 7×7 of one group or a depthwise one of one channel are dense ones.
    assert {classify_op(record, **options).kind for record in records} == {kind}
    assert max(prod(record.output_shape) for record in records) <= MOST_ELEMENTS


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_run_makes_what_the_record_says(monkeypatch, kind) -> None:
    monkeypatch.setattr("resflops.latency.prediction.designs.MOST_ELEMENTS", 50_000)
    monkeypatch.setattr("resflops.latency.prediction.designs.MOST_WEIGHTS", 100_000)
    record = draw_op(kind, Random(5))
    options = {"in_place": kind.endswith(IN_PLACE), "channels_last": kind.endswith(CHANNELS_LAST)}
    prepared = prepare_op(record, dtype=torch.float32, **options)
    made = prepared.step()
    shape = record.output_shape
    if kind == "copy":
        shape = (shape[0], shape[2], shape[1], *shape[3:])
    assert tuple(made.shape) == shape
    assert (made.data_ptr() == prepared.touch().data_ptr()) == kind.endswith(IN_PLACE)


def test_the_same_seed_draws_the_same() -> None:
    assert [draw_op(kind, Random(0)) for kind in SHARES] == [draw_op(kind, Random(0)) for kind in SHARES]
