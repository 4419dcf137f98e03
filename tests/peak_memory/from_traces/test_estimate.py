"""The memory of a pass from its trace, beside that of the live model."""

import pytest

import resflops
from resflops.peak_memory.from_traces import estimate_memory
from resflops.peak_memory.options import read_options

torchvision = pytest.importorskip("torchvision")


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "swin_t"])
def test_a_training_step_from_the_trace_needs_what_the_live_model_needs(name):
    model = getattr(torchvision.models, name)().train()
    live = resflops.memory(model, (2, 3, 224, 224), training=True)
    stored = estimate_memory(resflops.trace(model, (2, 3, 224, 224)), read_options(training=True))
    assert stored.peak == live.peak
    assert stored.weights == live.weights
    assert stored.method == "trace"
