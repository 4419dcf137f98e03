"""What optimisers keep and take, beside torch's own."""

import pytest
from torch import nn

import resflops
from resflops.peak_memory.from_traces import estimate_memory
from resflops.peak_memory.options import OPTIMIZERS, read_options

SMALL = 4096
"""Bytes of what a step takes beside whole tensors: biases, and numbers."""


def _list_peaks(optimizer, device):
    model = nn.Sequential(nn.Linear(300, 400), nn.Linear(400, 500), nn.Linear(500, 300)).train()
    options = {"training": True, "optimizer": optimizer, "device": device}
    live = resflops.memory(model, (2, 300), **options)
    stored = estimate_memory(resflops.trace(model, (2, 300), lifetimes=True), read_options(**options))
    return live, stored


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_keeps_what_torchs_own_keeps(optimizer, device):
    live, stored = _list_peaks(optimizer, device)
    assert stored.split()["optimizer"] == live.split()["optimizer"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS.keys() - {"rprop"}))
def test_a_step_takes_what_torchs_own_step_takes(optimizer, device):
    live, stored = _list_peaks(optimizer, device)
    assert stored.peak == pytest.approx(live.peak, abs=SMALL)
