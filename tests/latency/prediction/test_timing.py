"""A profile of this machine, with a budget of nothing: every kind has a time, and nothing is left changed."""

import random

import pytest
import torch

from resflops.latency.prediction import Predictor, Profile
from resflops.latency.prediction.designs import SHARES
from resflops.latency.prediction.sized_ops import MODULE, VIEW
from resflops.latency.prediction.timing import time_ops


def test_every_kind_has_a_time_whatever_the_budget(real) -> None:
    kinds = {sample.sized.kind for sample in real.samples}
    assert kinds == {*SHARES, MODULE, VIEW}
    assert min(sample.seconds for sample in real.samples) > 0


def test_networks_are_timed_and_predicted_at_every_batch(real) -> None:
    assert [(each.model, each.batch) for each in real.evaluations] == [("tiny", 1), ("tiny", 2)]
    assert all(each.measured > 0 and each.predicted > 0 for each in real.evaluations)


def test_a_profile_goes_to_a_file_and_back(real, tmp_path) -> None:
    real.save(tmp_path / "profile.json")
    assert Profile.load(tmp_path / "profile.json") == real


@pytest.fixture
def small_ops(monkeypatch):
    monkeypatch.setattr("resflops.latency.prediction.designs.MOST_MACS", 1_000_000)
    monkeypatch.setattr("resflops.latency.prediction.designs.MOST_ELEMENTS", 50_000)
    monkeypatch.setattr("resflops.latency.prediction.designs.MOST_WEIGHTS", 100_000)


def test_progress_ends_at_the_whole_budget_and_a_larger_one_times_more(small_ops) -> None:
    shares: list[float] = []
    samples = time_ops(dtype=torch.float32, budget=0.5, say=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(samples) >= len(SHARES) + 2


def test_random_numbers_threads_and_gradients_are_as_before(small_ops) -> None:
    torch.manual_seed(7)
    random.seed(7)
    before = torch.get_rng_state(), random.getstate(), torch.get_num_threads(), torch.is_grad_enabled()
    time_ops(dtype=torch.float32, budget=0.0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), torch.get_num_threads(), torch.is_grad_enabled())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
def test_every_kind_runs_in_other_dtypes(small_ops, dtype) -> None:
    assert {sample.sized.kind for sample in time_ops(dtype=dtype, budget=0.0)} == {*SHARES, MODULE, VIEW}


def test_an_interrupt_passes_through(small_ops) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time_ops(dtype=torch.float32, budget=9.0, say=interrupt)


def test_what_is_predicted_from_a_real_profile_has_all_layers(real) -> None:
    from resflops import count, load

    cost = count(load("resnet20"), (1, 3, 32, 32))
    prediction = Predictor(real).predict(cost)
    assert prediction.seconds == pytest.approx(sum(prediction.layers.values()))
    assert {row.name for row in cost.layers} <= {*prediction.layers}
    assert prediction.stand_ins == {}
