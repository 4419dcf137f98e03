"""The memory of a pass from its trace, beside that of the live model."""

import pytest

import resflops
from resflops.peak_memory.from_traces import estimate_memory
from resflops.peak_memory.options import read_options

torchvision = pytest.importorskip("torchvision")

NETWORKS = ["resnet18", "vgg11", "densenet121", "vit_b_16", "swin_t", "convnext_tiny", "mobilenet_v3_large"]
CLOSE = 0.01


def _estimate(model, shape, **options):
    trace = resflops.trace(model, shape, lifetimes=True)
    return estimate_memory(trace, read_options(**options))


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_a_training_step_from_the_trace_needs_to_the_byte_what_the_live_model_needs(name):
    model = getattr(torchvision.models, name)().train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True)
    stored = _estimate(model, (2, 3, 224, 224), training=True)
    assert stored.peak == live.peak
    assert stored.weights == live.weights
    assert stored.method == "trace"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_from_the_trace_is_close_to_that_of_the_live_model(name):
    model = getattr(torchvision.models, name)().train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True)
    stored = _estimate(model, (2, 3, 224, 224), training=True)
    assert stored.above_weights == pytest.approx(live.above_weights, rel=CLOSE)


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_from_a_trace_with_lifetimes_needs_what_the_live_model_needs(name):
    model = getattr(torchvision.models, name)().eval()
    live = resflops.memory(model, (2, 3, 224, 224))
    assert _estimate(model, (2, 3, 224, 224)).peak == live.peak


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "swin_t", "mobilenet_v3_large"])
def test_checkpointing_from_the_trace_is_close_to_that_of_the_live_model(name):
    model = getattr(torchvision.models, name)().train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True, checkpointing=True)
    stored = _estimate(model, (2, 3, 224, 224), training=True, checkpointing=True)
    assert stored.above_weights == pytest.approx(live.above_weights, rel=CLOSE)
    assert stored.checkpointing == live.checkpointing
