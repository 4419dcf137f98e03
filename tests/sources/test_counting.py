"""Counting by a spec: each count takes the same path, and a module that a factory gives stays as it is."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from resflops.cost.convention import MACS
from resflops.crosschecking import Failure, run_in_process
from resflops.errors import TraceError
from resflops.sources import FoundModel, find
from resflops.sources.counting import count_model
from resflops.sources.live_traces import FIXED_SEED

FACTORIES = """
import random

import numpy as np
import torch
from torch import nn

DEPTH = random.randint(1, 200)


class Routed(nn.Module):
    def __init__(self):
        super().__init__()
        self.router, self.expert = nn.Linear(4, 256), nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(int(self.router(x).argmax()) + 1):
            x = self.expert(x)
        return x


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.ones(1))
        self.small, self.large = nn.Linear(4, 4), nn.Linear(4, 400)

    def forward(self, x):
        return self.small(x) if self.gate.item() > 0.5 else self.large(x)


class Skipping(nn.Module):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(200))

    def forward(self, x):
        for layer in self.layers:
            if self.draw() < 0.5:
                x = layer(x)
        return x


def stack(depth):
    return nn.Sequential(*(nn.Linear(1, 1) for _ in range(depth))), (1, 1)


def routed(): return Routed(), (1, 4)
def gated(): return Gated(), (1, 4)
def skips_by_python(): return Skipping(random.random), (1, 4)
def skips_by_numpy(): return Skipping(np.random.rand), (1, 4)
def skips_by_torch(): return Skipping(lambda: torch.rand(()).item()), (1, 4)
def depth_by_python(): return stack(random.randint(1, 200))
def depth_by_numpy(): return stack(np.random.randint(1, 200))
def depth_by_torch(): return stack(int(torch.randint(1, 200, (1,))))
def depth_at_import(): return stack(DEPTH)
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "factories.py").write_text(FACTORIES)


def count(name, **options):
    return count_model(find(f"factories.py:{name}"), input_shape=None, convention=MACS, **options)


def count_in_a_process(name):
    """Count in a process whose generators start as those of a new process: from seeds of the system."""

    def run():
        random.seed()
        np.random.seed()
        torch.seed()
        return count(name).macs

    macs = run_in_process(run, seconds=60)
    assert not isinstance(macs, Failure), macs
    return macs


@pytest.mark.parametrize(
    "name",
    [
        "routed",
        *(f"skips_by_{whose}" for whose in ("python", "numpy", "torch")),
        *(f"depth_by_{whose}" for whose in ("python", "numpy", "torch")),
        "depth_at_import",
    ],
)
def test_ten_processes_count_the_same(factories, name):
    count(name)  # so that torch's lazy parts are loaded once and not in every process
    assert len({count_in_a_process(name) for _ in range(10)}) == 1


def test_what_a_path_depends_on_is_said(factories):
    assert [note.partition(",")[0] for note in count("routed").trace.notes] == [
        "run for real on the CPU",
        "it was run on input 0: given without values",
        FIXED_SEED.partition(",")[0],
    ]
    assert count("skips_by_python").trace.notes == (
        "it draws random numbers from Python, on which its path may depend",
        FIXED_SEED,
    )
    assert count("depth_by_numpy").trace.notes == (
        "its constructor draws random numbers from numpy; they have a fixed seed",
    )


def test_a_path_goes_by_the_values_that_the_factory_sets(factories):
    assert count("gated").macs == 4 * 4


def test_a_count_leaves_the_generators_as_they_were(factories):
    torch.manual_seed(1)
    random.seed(2)
    np.random.seed(3)
    expected = torch.rand(1), random.random(), np.random.rand()
    torch.manual_seed(1)
    random.seed(2)
    np.random.seed(3)
    for name in ("routed", "skips_by_torch", "depth_by_torch", "depth_by_python", "depth_at_import"):
        count(name)
        count(name, nonzero=True)
    assert (torch.rand(1), random.random(), np.random.rand()) == expected


@pytest.mark.parametrize("raises", [False, True])
def test_a_shared_module_keeps_its_type(raises):
    own = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    own[1].same = own[0].weight
    own[0](torch.ones(2, 4)).sum().backward()
    before = {name: (id(tensor), tensor.clone()) for name, tensor in own.state_dict(keep_vars=True).items()}
    gradient = own[0].weight.grad
    found = FoundModel(spec="test", make=lambda: own)
    if raises:
        with pytest.raises(TraceError):
            count_model(found, input_shape=(2, 5), convention=MACS, dtype="float16")
    else:
        cost = count_model(found, input_shape=(2, 4), convention=MACS, dtype="float16")
        assert cost.trace.ops[0].dtype == "float16"
    after = own.state_dict(keep_vars=True)
    assert {name: id(tensor) for name, tensor in after.items()} == {
        name: identity for name, (identity, _) in before.items()
    }
    assert all(torch.equal(after[name], tensor) for name, (_, tensor) in before.items())
    assert own[0].weight.grad is gradient
    assert gradient.dtype is torch.float32
