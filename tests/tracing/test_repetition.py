"""What serves again: blank tensors between traces, and forms of calls between layers and models."""

import weakref

import pytest
import torch
import torchvision
from torch import nn

import resflops
from resflops.tracing import call_cache
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder


class Module(nn.Module):
    """A module whose forward is a function."""

    def __init__(self, forward):
        super().__init__()
        self.does = forward

    def forward(self, *inputs):
        return self.does(*inputs)


def trace_forward(forward, *inputs):
    return resflops.trace(Module(forward), *inputs)


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "swin_t", "vit_b_16", "googlenet", "mobilenet_v3_small"]
)
@pytest.mark.filterwarnings("ignore:The default weight initialization")
def test_a_second_trace_equals_the_first(name):
    model = torchvision.models.get_model(name).to("meta").eval()
    call_cache._SIGNATURES.clear()
    first = resflops.trace(model, (1, 3, 224, 224))
    assert resflops.trace(model, (1, 3, 224, 224)) == first


def test_a_described_model_makes_hardly_a_tensor_the_second_time(monkeypatch):
    model = resflops.load("resnet20")
    resflops.trace(model, (1, 3, 32, 32))
    made = []
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *args, **kwargs: made.append(args) or empty(*args, **kwargs))
    resflops.trace(model, (1, 3, 32, 32))
    assert len(made) <= 1, "the one that the model gives back is still held when the others are taken back"


def test_a_tensor_that_the_caller_keeps_is_lent_to_nobody_else():
    kept = []
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    model[0].register_forward_hook(lambda module, args, output: kept.append(output))
    resflops.trace(model, (2, 4))
    resflops.trace(model, (2, 4))
    assert kept[0] is not kept[1]
    assert kept[0].shape == (2, 5)


def test_a_tensor_with_an_attribute_is_not_lent_again():
    def mark(x):
        x = torch.relu(x)
        seen.append(hasattr(x, "mark"))
        x.mark = True
        return torch.relu(x)

    seen = []
    trace_forward(mark, (2, 3))
    trace_forward(mark, (2, 3))
    assert seen == [False, False]


def test_a_tensor_that_is_weakly_known_is_not_lent_again():
    def remember(x):
        x = torch.relu(x)
        if x not in known:
            known[x] = True
            x = torch.sigmoid(x)
        return torch.relu(x)

    known = weakref.WeakKeyDictionary()
    assert len(trace_forward(remember, (2, 3)).ops) == len(trace_forward(remember, (2, 3)).ops) == 3


def test_a_tensor_that_torch_has_reshaped_in_place_is_not_lent_again():
    def reshape(x):
        y = torch.relu(x)
        y.resize_(7)
        y.requires_grad_()
        z = torch.relu(x)
        return z + z

    trace_forward(reshape, (2, 3))
    trace = trace_forward(lambda x: torch.relu(x) + torch.relu(x), (2, 3))
    assert {shape for op in trace.ops for shape in op.output_shapes} == {(2, 3)}


def test_a_tensor_from_inference_mode_is_not_lent_outside_it():
    def use_inference_mode(x):
        with torch.inference_mode():
            torch.relu(x)
        seen.append(torch.relu(x).is_inference())
        return x

    seen = []
    trace_forward(use_inference_mode, (3, 9))
    trace_forward(use_inference_mode, (3, 9))
    assert seen == [False, False]


def test_a_trace_within_a_trace_has_tensors_of_its_own():
    inner = nn.Linear(4, 4)

    def trace_inside(x):
        y = torch.relu(x)
        inside.append(resflops.trace(inner, (2, 4)))
        return torch.relu(y) + y

    inside = []
    first, second = trace_forward(trace_inside, (2, 4)), trace_forward(trace_inside, (2, 4))
    assert first == second
    assert [op.producers for op in second.ops[-2:]] == [(0,), (len(second.ops) - 2, 0)]
    assert inside[0] == inside[1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(lambda x: x + 1, lambda x: x + 1.0, id="number"),
        pytest.param(lambda x: x * True, lambda x: x * 1, id="bool"),
        pytest.param(lambda x: x / 2, lambda x: x // 2, id="function"),
        pytest.param(lambda x: x.to(torch.float16), lambda x: x.to(torch.float64), id="type"),
        pytest.param(lambda x: x.sum(0, True), lambda x: x.sum(0, False), id="keyword"),
        pytest.param(lambda x: torch.pow(x, 2), lambda x: torch.pow(x, 3), id="exponent"),
        pytest.param(
            lambda x: nn.functional.relu(x, True), lambda x: nn.functional.relu(x, False), id="in place"
        ),
    ],
)
def test_calls_that_look_alike_keep_their_own_results(first, second):
    def run(forward):
        recorder = Recorder(Modules(nn.Identity()))
        x = torch.empty(2, 3, dtype=torch.int64, device="meta")
        with torch.no_grad(), recorder:
            out = forward(x)
        return out.dtype, tuple(out.shape), recorder.ops[-1].attributes, out is x

    call_cache._SIGNATURES.clear()
    expected = run(second)
    call_cache._SIGNATURES.clear()
    run(first)
    assert run(second) == expected


def test_what_becomes_of_whole_numbers_follows_the_default_type():
    x = torch.ones(3, dtype=torch.int64)
    assert trace_forward(torch.sigmoid, x).ops[0].dtype == "float32"
    torch.set_default_dtype(torch.float64)
    try:
        assert trace_forward(torch.sigmoid, x).ops[0].dtype == "float64"
        assert trace_forward(lambda x: x / 2, x).ops[0].dtype == "float64"
    finally:
        torch.set_default_dtype(torch.float32)


def test_one_tensor_taken_twice_is_not_taken_for_two():
    twice = trace_forward(lambda x: torch.relu(x) + torch.relu(x), (2, 3))
    once = trace_forward(lambda x: x + x, (2, 3))
    again = trace_forward(lambda x: torch.relu(x) + torch.relu(x), (2, 3))
    assert [op.producers for op in once.ops] == [(-1, -1)]
    assert twice == again
    assert twice.ops[-1].producers == (0, 1)
