"""What a recorder tells its observers, and that observers do not meet each other."""

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import resflops
from resflops.records import MODEL_INPUT
from resflops.tracing.modules import Modules
from resflops.tracing.observers import Observer
from resflops.tracing.recorder import Recorder


class Function(nn.Module):
    """A module whose forward is a function."""

    def __init__(self, does):
        super().__init__()
        self.does = does

    def forward(self, *inputs):
        return self.does(*inputs)


class Diary(Observer):
    """Writes down all that it is told."""

    def __init__(self):
        self.told, self.doubles = [], []

    def on_record(self, index, record, inputs, outputs):
        self.told.append((index, record, tuple(inputs), tuple(outputs)))

    def on_double(self, tensor, double):
        self.doubles.append((tensor, double))


def watch(forward, *observers, real=False, described=True):
    x = torch.ones(2, 6, device="cpu" if real else "meta")
    recorder = Recorder(Modules(nn.Identity()), real=real, described=described, observers=observers)
    recorder.take_inputs([x])
    with torch.no_grad(), recorder:
        out = forward(x)
    return recorder, x, out


@pytest.mark.parametrize("described", [True, False], ids=["described", "dispatched"])
@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
def test_an_observer_is_told_of_every_op_with_its_tensors(real, described):
    diary = Diary()
    recorder, x, out = watch(
        lambda x: torch.relu(x).chunk(2, 1)[1] * 2, diary, real=real, described=described
    )
    assert [(index, record) for index, record, _, _ in diary.told] == list(enumerate(recorder.ops))
    for _, record, inputs, outputs in diary.told:
        assert tuple(tuple(each.shape) for each in inputs) == record.input_shapes
        assert tuple(tuple(each.shape) for each in outputs) == record.output_shapes
    (_, first, inputs, _), *_ = diary.told
    assert (first.producers, inputs[0] is x) == ((MODEL_INPUT,), True)
    assert diary.told[-1][3][0] is out or not described


def test_an_op_in_place_gives_its_first_input():
    diary = Diary()
    watch(lambda x: x.add_(1), diary)
    ((_, _, inputs, outputs),) = diary.told
    assert outputs[0] is inputs[0]


def test_an_observer_is_told_of_a_double_once():
    diary, held = Diary(), torch.ones(2, 6)
    watch(lambda x: torch.i0(held) + torch.special.i1(held) + x, diary)
    ((original, double),) = diary.doubles
    assert (original is held, double.is_meta, double.shape) == (True, True, held.shape)


def test_a_mode_among_the_observers_lies_over_the_recorder():
    class Answering(TorchFunctionMode, Observer):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return "answered" if func is torch.Tensor.item else func(*args, **(kwargs or {}))

    def asking(x):
        return torch.relu(x).sum().item()

    recorder, _, out = watch(asking, Answering(), Diary())
    assert (out, [op.op for op in recorder.ops]) == ("answered", ["relu", "sum"])
    assert not torch.overrides._get_current_function_mode_stack()


def test_observers_leave_as_they_came_when_the_model_raises():
    class Mode(TorchFunctionMode, Observer):
        pass

    with pytest.raises(ZeroDivisionError):
        watch(lambda x: 1 / 0, Mode(), Diary())
    assert not torch.overrides._get_current_function_mode_stack()


class Masked(nn.Module):
    """Looks into its tokens, and has half of its weight made zero on the way."""

    def __init__(self, *, looks):
        super().__init__()
        self.embedding, self.weight = nn.Embedding(9, 4), nn.Parameter(torch.rand(5, 4) + 1)
        self.register_buffer("mask", torch.arange(20).reshape(5, 4) % 2 == 0)
        self.looks = looks

    def forward(self, tokens):
        if self.looks and tokens.sum().item() > 1000:
            return tokens
        with torch.no_grad():
            positions = torch.cos(self.embedding(tokens))
        return nn.functional.linear(self.embedding(tokens) * positions, self.weight * self.mask)


TOKENS = torch.tensor([[1, 2, 3]])


def test_values_of_inputs_and_zeros_of_weights_are_learnt_in_one_pass():
    cost = resflops.count(Masked(looks=True), TOKENS, nonzero=True)
    assert (cost.trace.execution, cost.macs, cost.nonzero_macs) == ("meta", 60, 30)


def test_a_model_that_looks_into_its_tokens_keeps_its_history():
    """Where it switches autograd off and on again is told by the frame that does it."""
    looking, other = (resflops.trace(Masked(looks=looks), TOKENS) for looks in (True, False))
    assert looking.execution == "meta"
    history = [(op.op, op.records_gradient) for op in looking.ops if op.op != "sum"]
    assert history == [(op.op, op.records_gradient) for op in other.ops]
    assert [op for op, kept in history if not kept] == ["embedding", "cos"]


def test_flex_attention_runs_on_shapes_beside_values():
    flex = pytest.importorskip("torch.nn.attention.flex_attention")
    if not hasattr(flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"):
        pytest.skip("this torch always compiles flex_attention")

    def attending(x, tokens):
        if tokens.sum().item() > 1000:
            return x
        return flex.flex_attention(x, x, x)

    trace = resflops.trace(Function(attending), torch.ones(1, 2, 16, 16), TOKENS)
    assert trace.execution == "meta"
    assert trace.ops[-1].op.endswith("attention")
