"""Random number generators: what fixes them, who drew from them, and that they are given back."""

import contextlib
import random

import numpy as np
import pytest
import torch
from torch import nn

import resflops
from resflops.tracing.generators import fix_generators, preserve_generators


def draw():
    return torch.rand(2).tolist(), random.random(), np.random.rand()


def read_states():
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()


def test_fixed_generators_give_the_same_numbers_whatever_was_drawn_before():
    with fix_generators():
        first = draw()
    draw()
    with fix_generators():
        assert draw() == first


@pytest.mark.parametrize("manage", [fix_generators, preserve_generators])
@pytest.mark.parametrize("raises", [False, True])
def test_generators_are_as_before(manage, raises):
    before = read_states()
    with contextlib.suppress(ZeroDivisionError), manage():
        draw()
        1 / (not raises)
    assert read_states() == before


@pytest.mark.parametrize("manage", [fix_generators, preserve_generators])
@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda: None, []),
        (lambda: torch.rand(1), ["torch"]),
        (random.random, ["Python"]),
        (np.random.rand, ["numpy"]),
        (draw, ["torch", "Python", "numpy"]),
    ],
    ids=["none", "torch", "Python", "numpy", "all"],
)
def test_whose_numbers_were_drawn_is_told(manage, function, names):
    with manage() as drawn:
        function()
    assert drawn == names


class SkipsLayers(nn.Module):
    """Stochastic depth: whether a layer is called is drawn for each of them."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(8))

    def forward(self, x):
        for layer in self.layers:
            if self.draw() < 0.5:
                x = layer(x)
        return x


@pytest.mark.parametrize(
    ("draw", "name"), [(random.random, "Python"), (np.random.rand, "numpy")], ids=["Python", "numpy"]
)
def test_a_path_that_is_drawn_is_said_to_be(draw, name):
    trace = resflops.trace(SkipsLayers(draw), (1, 4))
    assert trace.execution == "meta"
    assert trace.notes == (f"it draws random numbers from {name}, on which its path may depend",)


def test_a_path_that_is_drawn_by_torch_is_run_for_real_and_said_to_be():
    trace = resflops.trace(SkipsLayers(lambda: torch.rand(()).item()), (1, 4))
    assert trace.execution == "real"
    assert "run for real on the CPU" in trace.notes[0]


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
def test_dropout_is_no_reason_for_a_note(real):
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    assert resflops.trace(model, torch.zeros(1, 4), real=real).notes == ()


def test_weights_that_are_made_up_are_the_same_each_time_and_leave_the_generators():
    class Routed(nn.Module):
        def __init__(self):
            super().__init__()
            self.router, self.expert = nn.Linear(4, 64), nn.Linear(4, 4)

        def forward(self, x):
            for _ in range(int(self.router(x).argmax()) + 1):
                x = self.expert(x)
            return x

    with torch.device("meta"):
        model = Routed()
    before = read_states()
    (macs,) = {resflops.count(model, (1, 4)).macs for _ in range(5)}
    assert read_states() == before
    assert macs > 4 * 64


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_generators_of_cuda_devices_are_as_before():
    def forward():
        return torch.rand(2, device="cuda").tolist()

    torch.cuda.manual_seed_all(3)
    expected = forward()
    torch.cuda.manual_seed_all(3)
    with fix_generators() as drawn:
        first = forward()
    assert drawn == ["torch"]
    assert forward() == expected
    with fix_generators():
        assert forward() == first
