"""What holds for the memory of every trace, whatever the network."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import resflops
from resflops.peak_memory.from_traces import count_layer_bytes, estimate_memory
from resflops.peak_memory.options import OPTIMIZERS, read_options

NAMES = ["resnet20", "resnet34", "resnet50", "vgg19"]
TRACES = {name: resflops.trace(name, lifetimes=True) for name in NAMES}

traces = st.sampled_from(sorted(TRACES)).map(TRACES.__getitem__)
batches = st.integers(min_value=1, max_value=64)


@settings(max_examples=20, deadline=None)
@given(traces, batches, batches, st.booleans())
def test_the_peak_grows_with_the_batch(trace, one, other, training):
    options = read_options(training=training)
    small, large = (estimate_memory(trace, options, batch) for batch in sorted((one, other)))
    assert small.peak <= large.peak
    assert small.weights == large.weights


@settings(max_examples=20, deadline=None)
@given(traces, batches)
def test_training_needs_no_less_than_inference(trace, batch):
    inference = estimate_memory(trace, read_options(), batch)
    assert estimate_memory(trace, read_options(training=True), batch).peak >= inference.peak


@settings(max_examples=20, deadline=None)
@given(traces, batches)
def test_checkpointing_never_raises_what_the_backward_pass_finds(trace, batch):
    def find_kept(**options):
        memory = estimate_memory(trace, read_options(training=True, **options), batch)
        begins = next(number for number, step in enumerate(memory.steps) if step.phase == "backward")
        return memory.split(begins)["activations"]

    assert find_kept(checkpointing=["*.*"]) <= find_kept()


@settings(max_examples=20, deadline=None)
@given(traces, st.sampled_from(sorted(OPTIMIZERS)))
def test_an_optimizer_adds_its_state_to_the_step(trace, optimizer):
    without = estimate_memory(trace, read_options(training=True))
    with_state = estimate_memory(trace, read_options(training=True, optimizer=optimizer))
    assert with_state.peak >= without.peak + with_state.split()["optimizer"]


@pytest.mark.parametrize("name", sorted(TRACES))
def test_no_layer_keeps_more_than_it_writes(name):
    rows = count_layer_bytes(TRACES[name])
    assert rows
    assert all(0 <= row.kept <= row.written for row in rows)


def test_a_convolution_writes_its_output_and_a_batch_norm_keeps_its_statistics():
    rows = {row.layer: row for row in count_layer_bytes(TRACES["resnet34"])}
    assert rows["conv1"].written == rows["conv1"].kept == 64 * 112 * 112 * 4
    assert rows["bn1"].kept - 2 * 64 * 4 in (0, 64 * 112 * 112 * 4)
