"""Inputs in the forms that users of other counters write: read where the model does not take them itself."""

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import InputError, ShapeError, TraceError, UsageError

IMAGE = (1, 3, 8, 8)
X = torch.zeros(IMAGE)


def convolution():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


MACS = 6 * 6 * 4 * 27


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 5)

    def forward(self, first, second=None):
        return self.layer(first) if second is None else self.layer(first) + self.layer(second)


class TakesTuple(nn.Module):
    """Takes one tuple of tensors, as many a model does."""

    def forward(self, both):
        first, second = both
        return first @ second


class OwnNames(nn.Module):
    """Has the names of other counters' keywords among its own."""

    def forward(self, inputs, input_size=None):
        assert isinstance(inputs, tuple)
        assert input_size == (4, 4)
        return inputs[0] @ inputs[1]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        pytest.param((IMAGE,), {}, id="ours"),
        pytest.param(((X,),), {}, id="fvcore and torch"),
        pytest.param(([X],), {}, id="a list"),
        pytest.param(({"input": X},), {}, id="a dict, as of a tokenizer"),
        pytest.param((([X.shape]),), {}, id="a list of a shape"),
        pytest.param((), {"input_size": IMAGE}, id="torchinfo input_size"),
        pytest.param((), {"input_size": list(IMAGE)}, id="torchinfo, a list"),
        pytest.param((), {"input_size": [IMAGE]}, id="torchinfo, several sizes"),
        pytest.param((), {"input_data": X}, id="torchinfo input_data"),
        pytest.param((), {"input_data": [X]}, id="torchinfo input_data, a list"),
        pytest.param((), {"input_data": {"input": X}}, id="torchinfo input_data, a dict"),
        pytest.param((), {"inputs": (X,)}, id="thop"),
        pytest.param((), {"inputs": X}, id="fvcore by keyword"),
        pytest.param((), {"args": (X,)}, id="torchprofile"),
        pytest.param((), {"args": X, "kwargs": None}, id="torchprofile with kwargs"),
        pytest.param((), {"args": [], "kwargs": {"input": X}}, id="calflops"),
        pytest.param((), {"input_shape": IMAGE}, id="DeepSpeed and calflops"),
        pytest.param((), {"example_inputs": (X,)}, id="torch.jit.trace"),
        pytest.param((), {"input_res": (3, 8, 8)}, id="ptflops, without a batch"),
    ],
)
def test_inputs_are_read_in_the_forms_of_other_counters(args, kwargs):
    cost = resflops.count(convolution(), *args, **kwargs)
    assert (cost.macs, cost.trace.inputs[0].shape) == (MACS, IMAGE)


@pytest.mark.parametrize("wrap", [torch.jit.script, torch.compile], ids=["scripted", "compiled"])
@pytest.mark.parametrize(("args", "kwargs"), [(((X,),), {}), ((), {"input_size": IMAGE})])
def test_so_they_are_for_a_model_whose_signature_is_hidden(wrap, args, kwargs):
    assert resflops.count(wrap(convolution()), *args, **kwargs).macs == MACS


def test_a_crosscheck_runs_on_what_was_meant():
    for args, kwargs in [(((X,),), {}), ((), {"input_size": IMAGE})]:
        (row,) = resflops.crosscheck(convolution(), *args, peers=["FlopCounterMode"], **kwargs).rows
        assert (row.figure, row.unexplained) == (2 * MACS, 0)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((3, 8, 8), r"a shape includes the batch, as in \(1, 3, 8, 8\)$"),
        ((1, 8, 8, 3), r"channels come before the other sizes, as in \(1, 3, 8, 8\)$"),
        ((1, 5, 8, 8), r"but its input has 5$"),
    ],
)
def test_a_shape_that_is_nearly_right_is_answered_with_the_right_one(shape, says):
    with pytest.raises(ShapeError, match=says):
        resflops.count(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)), shape)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((1, 3, 8, 8), r"as in \(1, 3, 8, 8\), or as resflops\.shape\(1, 3, 8, 8\)$"),
        ((224,), r"as in \(1, 3, 224, 224\)$"),
        (("1x3x8x8",), r"as in \(1, 3, 224, 224\)$"),
    ],
)
def test_what_is_no_shape_is_told_how_one_is_given(given, says):
    with pytest.raises(InputError, match=says):
        resflops.count(convolution(), *given)


def test_a_tuple_of_two_inputs_is_taken_apart():
    two = (torch.zeros(2, 4), torch.zeros(3, 4))
    assert resflops.count(Pair(), two[:1]).macs == 2 * 20
    assert resflops.count(Pair(), (torch.zeros(2, 4), torch.zeros(2, 4))).macs == 2 * 40
    assert resflops.count(Pair(), [(2, 4), (2, 4)]).macs == 2 * 40


def test_what_a_model_takes_itself_is_never_read_as_another_form():
    two = (torch.zeros(4, 4), torch.zeros(4, 4))
    assert resflops.count(TakesTuple(), two).macs == 64
    assert resflops.count(OwnNames(), two, input_size=(4, 4)).macs == 64
    assert resflops.count(OwnNames(), inputs=two, input_size=(4, 4)).macs == 64


def test_a_shape_is_a_shape_although_it_is_a_tuple():
    assert resflops.count(nn.Linear(4, 5), (7, 4)).macs == 7 * 20


@pytest.mark.parametrize(
    ("model", "says"),
    [
        pytest.param(convolution(), r"give a shape, as in \(1, 3, 224, 224\), or", id="image"),
        pytest.param(nn.Conv1d(2, 4, 3), r"as in \(1, 2, 16000\)", id="signal"),
        pytest.param(nn.Conv3d(3, 4, 3), r"as in \(1, 3, 16, 112, 112\)", id="video"),
        pytest.param(nn.LazyConv2d(4, 3), r"as in \(1, 3, 224, 224\)", id="lazy"),
        pytest.param(nn.Linear(7, 5), r"as in \(1, 7\)", id="features"),
        pytest.param(nn.LSTM(6, 5), r"as in \(100, 1, 6\)", id="sequence"),
        pytest.param(nn.LSTM(6, 5, batch_first=True), r"as in \(1, 100, 6\)", id="batch first"),
        pytest.param(
            nn.Sequential(nn.Embedding(9, 4)), r"resflops\.shape\(1, 128, dtype='int64'\)", id="tokens"
        ),
        pytest.param(nn.ReLU(), r"ReLU takes input, and was given no input", id="no weights"),
        pytest.param(torch.compile(convolution()), r"as in \(1, 3, 224, 224\)", id="compiled"),
    ],
)
def test_without_an_input_a_shape_near_to_the_model_is_asked_for(model, says):
    with pytest.raises(InputError, match=says):
        resflops.count(model)


def test_a_model_that_needs_no_input_is_given_none():
    class Nothing(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 3))

        def forward(self, x=None):
            return self.weight @ self.weight

    assert resflops.count(Nothing()).macs == 27


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        (
            {"conventon": "macs"},
            "unexpected keyword argument 'conventon'; closest: convention; Sequential takes input",
        ),
        ({"verbose": False}, "nothing is printed while counting; print"),
        ({"depth": 2}, r"cost\.summary\(depth="),
        ({"col_names": ("output_size",)}, r"cost\.summary\(depth=…, columns="),
        ({"custom_ops": {}}, r"@resflops\.rule"),
        ({"device": "cpu"}, "on whatever device it is"),
        ({"batch_size": 8}, r"with its batch, as in \(8, 3, 224, 224\)"),
        ({"as_strings": True}, "nothing is printed while counting"),
        ({"include_backPropagation": True}, "backward=True"),
    ],
)
def test_another_counters_option_is_answered_with_what_does_it_here(kwargs, says):
    with pytest.raises(UsageError, match=says):
        resflops.count(convolution(), IMAGE, **kwargs)


def test_inputs_that_are_given_twice_are_refused():
    with pytest.raises(UsageError, match="more than once: by place and inputs"):
        resflops.count(convolution(), IMAGE, inputs=(X,))
    with pytest.raises(UsageError, match="more than once: input_size and input_data"):
        resflops.count(convolution(), input_size=IMAGE, input_data=X)


def test_too_many_inputs_in_another_form_are_told_what_the_model_takes():
    with pytest.raises(UsageError, match="inputs: Sequential takes input; give its inputs as"):
        resflops.count(convolution(), inputs=(X, X))


def test_a_wrong_shape_in_a_tuple_is_told_as_a_wrong_shape():
    with pytest.raises(ShapeError, match="conv2d"):
        resflops.count(convolution(), (torch.zeros(1, 5, 8, 8),))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (nn.ReLU, r"got <class .*; make one of the class, as in ReLU\(\)"),
        (nn.Linear(2, 2).state_dict(), "build the model, and load the weights into it"),
        (type("Wrapper", (), {"model": nn.ReLU()})(), "its attribute model is one"),
        (7, "got 7; give the module that is to be counted"),
        (["resnet20"], r"got \['resnet20'\]; give one model; resflops\.table compares several"),
    ],
)
def test_what_is_no_model_is_told_what_to_give(model, says):
    with pytest.raises(
        TraceError, match=f"(?s)must be a torch.nn.Module, {says}" if says.startswith("got") else says
    ):
        resflops.count(model, IMAGE)
