"""The memory of a pass from its trace, beside that of the live model."""

from functools import cache

import pytest
import torch
from torch import nn

import resflops
from resflops.peak_memory.from_traces import estimate_memory
from resflops.peak_memory.options import read_options

torchvision = pytest.importorskip("torchvision")

NETWORKS = ["resnet18", "vgg11", "densenet121", "vit_b_16", "swin_t", "convnext_tiny", "mobilenet_v3_large"]
CLOSE = 0.01


@cache
def _build(name):
    """Build a network of torchvision once: no count changes it."""
    return getattr(torchvision.models, name)()


def _estimate(model, shape, **options):
    trace = resflops.trace(model, shape, lifetimes=True)
    return estimate_memory(trace, read_options(**options))


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_a_training_step_from_the_trace_needs_to_the_byte_what_the_live_model_needs(name):
    model = _build(name).train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True)
    stored = _estimate(model, (2, 3, 224, 224), training=True)
    assert stored.peak == live.peak
    assert stored.weights == live.weights
    assert stored.method == "trace"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_from_the_trace_is_close_to_that_of_the_live_model(name):
    model = _build(name).train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True)
    stored = _estimate(model, (2, 3, 224, 224), training=True)
    assert stored.above_weights == pytest.approx(live.above_weights, rel=CLOSE)


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_from_a_trace_with_lifetimes_needs_what_the_live_model_needs(name):
    model = _build(name).eval()
    live = resflops.memory(model, (2, 3, 224, 224))
    assert _estimate(model, (2, 3, 224, 224)).peak == live.peak


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "swin_t", "mobilenet_v3_large"])
def test_checkpointing_from_the_trace_is_close_to_that_of_the_live_model(name):
    model = _build(name).train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True, checkpointing=True)
    stored = _estimate(model, (2, 3, 224, 224), training=True, checkpointing=True)
    assert stored.above_weights == pytest.approx(live.above_weights, rel=CLOSE)
    assert stored.checkpointing == live.checkpointing


class _Cache:
    """What a layer puts its keys into, so that they outlive its call."""

    def __init__(self):
        self.keys = []


class _Caching(nn.Module):
    """A block that fills a cache among its arguments, as those of language models do."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x, cache):
        cache.keys.append(self.first(x))
        return x + self.second(torch.relu(cache.keys[-1]))


class _Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(_Caching() for _ in range(3))

    def forward(self, x):
        cache = _Cache()
        for block in self.blocks:
            x = block(x, cache)
        return {"logits": x, "keys": cache.keys}


def test_what_a_checkpointed_layer_puts_into_its_arguments_is_kept_with_them():
    model = _Language().train()
    live = resflops.memory(model, (32, 16), training=True, checkpointing=True, loss="sum")
    stored = _estimate(model, (32, 16), training=True, checkpointing=True, loss="sum")
    kept = []
    for memory in (live, stored):
        begins = next(place for place, step in enumerate(memory.steps) if step.phase == "backward")
        kept.append([block.size for block in memory.alive(begins) if block.kind == "activations"])
    # The keys of three blocks, and the input of the two whose input is not the model's.
    assert sorted(kept[0])[-5:] == sorted(kept[1])[-5:] == [32 * 16 * 4] * 2 + [32 * 64 * 4] * 3
