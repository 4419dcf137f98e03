"""A profile by a known rule, and a real one that takes a second."""

from pathlib import Path
from random import Random

import pytest
import torch

from resflops.latency.devices import open_device
from resflops.latency.prediction import Evaluation, Profile, Sample, SizedOp, evaluation
from resflops.latency.prediction.designs import SHARES, draw_op
from resflops.latency.prediction.evaluation import TriedNetwork, make_profile
from resflops.latency.prediction.sized_ops import CHANNELS_LAST, IN_PLACE, MODULE, VIEW, classify_op
from resflops.latency.schedule import Effort

BRIEF = Effort(rounds=1, discarded=0, warm_up=0.0, seconds=0.0, least=1)
SMALL = {
    "tiny": TriedNetwork(
        make=lambda: torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()), side=8, batches=(1, 2)
    )
}


def take(op: SizedOp) -> float:
    """The rule by which the synthetic machine takes its time: a nanosecond an element of its sizes."""
    product = 1
    for size in op.sizes:
        product *= max(size, 1)
    return 1e-6 + 1e-9 * product**0.5


@pytest.fixture(scope="session")
def synthetic() -> Profile:
    rng, samples = Random(1), [Sample(SizedOp(kind), 2e-6) for kind in (MODULE, VIEW)]
    for kind in SHARES:
        for _ in range(12):
            options = {"in_place": kind.endswith(IN_PLACE), "channels_last": kind.endswith(CHANNELS_LAST)}
            op = classify_op(draw_op(kind, rng), **options)
            samples.append(Sample(op, take(op)))
    return Profile(
        environment=open_device("cpu")[1],
        dtype="float32",
        started="2026-11-01T12:00:00+00:00",
        budget=1.0,
        samples=tuple(samples),
        evaluations=(
            Evaluation(model="resnet18", batch=1, measured=0.1, predicted=0.11),
            Evaluation(model="resnet20", batch=1, measured=0.1, predicted=0.08),
            Evaluation(model="dense", batch=1, measured=0.1, predicted=0.13),
            Evaluation(model="dense", batch=8, measured=0.8, predicted=0.84),
        ),
    )


@pytest.fixture(scope="session")
def real() -> Profile:
    # The largest ops take most of the time, and are no matter here.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("resflops.latency.prediction.designs.MOST_MACS", 1_000_000)
        patched.setattr("resflops.latency.prediction.designs.MOST_ELEMENTS", 50_000)
        patched.setattr("resflops.latency.prediction.designs.MOST_WEIGHTS", 100_000)
        return make_profile(budget=0.0, effort=BRIEF, networks=SMALL)


@pytest.fixture
def made_quickly(monkeypatch, real):
    """Let the command make the profile that is there already."""
    asked = []

    def make(*, dtype, say):
        say("timing ops")
        asked.append(dtype)
        return real

    monkeypatch.setattr(evaluation, "make_profile", make)
    return asked


@pytest.fixture
def saved(synthetic, tmp_path) -> Path:
    file = tmp_path / "profile.json"
    synthetic.save(file)
    return file
