"""The user's model and process are after a trace as they were before it."""

import random
import subprocess
import sys
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import TraceError


class Moody(nn.Module):
    """Does everything that a forward pass should not, and raises at the end if asked to."""

    def __init__(self, *, raises):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.raises = raises
        self.cache = None
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x):
        self.cache = x
        self.extra = x.shape
        self.steps += 1
        self.register_buffer("late", torch.ones(1))
        noise = torch.rand(3) + random.random()
        y = self.drop(F.relu(self.norm(self.conv(x)), inplace=True)) + noise.mean()
        if self.raises:
            raise RuntimeError("midway")
        return y


def snapshot(model):
    return {
        "values": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "identities": {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()},
        "attributes": {name: sorted(module.__dict__) for name, module in model.named_modules()},
        "cache": getattr(model, "cache", None),
        "training": {name: module.training for name, module in model.named_modules()},
        "gradients": {name: p.grad is None and p.requires_grad for name, p in model.named_parameters()},
        "hooks": {
            name: (len(module._forward_hooks), len(module._forward_pre_hooks))
            for name, module in model.named_modules()
        },
        "devices": {name: tensor.device for name, tensor in model.state_dict().items()},
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "grad": torch.is_grad_enabled(),
        "functional": {name: id(value) for name, value in vars(F).items()},
        "backends": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.get_num_threads()),
        "hooks for all": (
            len(nn.modules.module._global_forward_hooks),
            len(nn.modules.module._global_forward_pre_hooks),
        ),
    }  # fmt: skip


def assert_same(before, after):
    for aspect, value in before.items():
        if aspect == "values":
            assert value.keys() == after[aspect].keys()
            assert all(torch.equal(tensor, after[aspect][name]) for name, tensor in value.items())
        elif aspect == "torch":
            assert torch.equal(value, after[aspect])
        else:
            assert value == after[aspect], aspect


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize("raises", [False, True], ids=["ends", "raises"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
def test_model_and_process_are_as_before(training, raises, real):
    model, image = Moody(raises=raises).train(training), torch.randn(2, 3, 8, 8)
    before = snapshot(model)
    if raises:
        with pytest.raises(TraceError, match="midway"):
            resflops.trace(model, image, real=real)
    else:
        resflops.trace(model, image, real=real)
    assert_same(before, snapshot(model))


@pytest.mark.parametrize("spec", ["resnet18", "vgg11_bn", "keras_resnet50_v2"])
def test_built_in_networks_are_as_before_in_training_mode(spec):
    model = resflops.load(spec, device="cpu").train()
    before = snapshot(model)
    resflops.count(model, (2, 3, 64, 64))
    assert_same(before, snapshot(model))


def test_a_forward_pass_that_exits_does_not_end_the_process():
    class Exits(nn.Module):
        def forward(self, x):
            raise SystemExit(3)

    with pytest.raises(TraceError, match="Exits on input 1×2 raised SystemExit: 3"):
        resflops.trace(Exits(), (1, 2))


def test_the_callers_input_is_not_changed():
    image = torch.full((1, 4), -1.0)
    resflops.trace(nn.ReLU(inplace=True), image)
    assert torch.equal(image, torch.full((1, 4), -1.0))


def test_users_hooks_run_and_stay():
    seen = []
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_forward_hook(lambda module, args, out: seen.append(tuple(out.shape)))
    resflops.trace(model, (3, 2))
    assert seen == [(3, 2)]
    assert len(model[0]._forward_hooks) == 1


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_a_count_is_the_same_in_every_grad_mode(context):
    model = resflops.load("resnet18", device="cpu")
    with context():
        cost = resflops.count(model, torch.zeros(1, 3, 224, 224))
        assert torch.is_grad_enabled() == (context is torch.enable_grad)
    assert cost.macs == 1_814_073_344


def test_counting_inside_torchs_own_counter_disturbs_neither():
    from torch.utils.flop_counter import FlopCounterMode

    model = nn.Linear(8, 8)
    with FlopCounterMode(display=False) as counter:
        cost = resflops.count(model, (4, 8))
        model(torch.zeros(4, 8))
    assert cost.macs == 4 * 8 * 8
    assert counter.get_total_flops() == 2 * 4 * 8 * 8


def test_threads_that_run_and_count_at_once_do_not_see_each_other():
    shared = resflops.load("resnet20", device="cpu")
    other = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
    expected = other(torch.ones(2, 16))
    stop, wrong, totals = threading.Event(), [], []

    def run():
        while not stop.is_set():
            if not torch.equal(other(torch.ones(2, 16)), expected):
                wrong.append("an output changed")

    def count():
        totals.extend(resflops.count(shared, (1, 3, 32, 32)).macs for _ in range(20))

    runner, counters = threading.Thread(target=run), [threading.Thread(target=count) for _ in range(3)]
    runner.start()
    for thread in counters:
        thread.start()
    for thread in counters:
        thread.join()
    stop.set()
    runner.join()
    assert wrong == []
    assert totals == [40_551_040] * 60


def test_counting_a_large_model_allocates_no_weights():
    # In a process of its own, whose peak memory nothing else has raised before.
    script = """
import resource, torch, resflops, resflops.api
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cost = resflops.count(resflops.load("vgg19"), (64, 3, 224, 224))
print(cost.params, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    params, grown_kib = map(int, done.stdout.split())
    assert params == 143_667_240
    assert grown_kib < 100 * 1024 < params * 4 / 1024


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
def test_numpys_generator_is_as_before(real):
    import numpy as np

    class Drawing(nn.Module):
        def forward(self, x):
            return x * float(np.random.rand())

    np.random.seed(7)
    expected = np.random.rand()
    np.random.seed(7)
    resflops.trace(Drawing(), (2, 3), real=real)
    assert np.random.rand() == expected
