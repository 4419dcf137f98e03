"""``resflops.curve`` takes specs, modules, and what makes modules."""

import pytest
import torch
from torch import nn

import resflops


class Net(nn.Module):
    def __init__(self, width=4, scale=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, int(width * scale), 3, padding=1)

    def forward(self, x):
        return self.conv(x)


class Pair(nn.Module):
    """Takes two sequences of one length, and a mask of another kind."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 4)

    def forward(self, tokens, values):
        return self.embed(tokens) @ values.transpose(1, 2)


def test_a_module_stays_as_it_is():
    net = Net().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    curve = resflops.curve(net, (1, 3, 8, 8), over="side", values=range(4, 9))
    assert str(curve.law) == "108·side²"
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert curve.model == "Net"


def test_inputs_that_share_the_length_and_the_batch_vary_together():
    inputs = (resflops.shape(2, 5, dtype="int64"), (2, 5, 4))
    assert str(resflops.curve(Pair(), *inputs, over="seq", values=range(1, 6)).law) == "8·seq²"
    assert str(resflops.curve(Pair(), *inputs, over="batch", values=range(1, 6)).law) == "100·batch"


def test_a_class_is_made_for_each_value():
    curve = resflops.curve(Net, (1, 3, 4, 4), over="width", values=range(1, 6), convention="formula")
    assert str(curve.law) == "448·width"
    assert str(curve.find_law("params")) == "28·width"
    assert curve.convention.name == "formula"


def test_a_value_with_decimals_is_exact():
    curve = resflops.curve(Net, (1, 3, 4, 4), over="scale", values=[0.25, 0.5, 0.75, 1.0, 1.25])
    assert str(curve.law) == "1,728·scale"
    assert curve.to_pandas()["macs"].tolist() == [432, 864, 1296, 1728, 2160]


def test_a_loaded_model_goes_by_its_spec():
    curve = resflops.curve(resflops.load("resnet20"), (1, 3, 32, 32), over="batch", values=(1, 2, 3))
    assert repr(curve) == "Curve(resnet20 over batch, 3 points counted: 40,551,040·batch)"


@pytest.mark.parametrize("over", ["side", "batch"])
def test_a_spec_takes_the_shape_in_which_the_variable_is_put(over):
    curve = resflops.curve("resnet20", (2, 3, 16, 16), over=over, values=(4, 8, 16, 32))
    shape = curve.points[0].input_shapes[0]
    assert shape == ((2, 3, 4, 4) if over == "side" else (4, 3, 16, 16))


@pytest.mark.parametrize(
    ("model", "inputs", "options", "message"),
    [
        (Net(), ((1, 3, 8, 8),), {"over": "width", "values": [1]}, "a module has no option 'width'"),
        (Net(), (), {"over": "side", "values": [1]}, "to vary the side, give the shapes of the inputs"),
        (Net(), (torch.zeros(1, 3, 8, 8),), {"over": "side", "values": [1]}, "give the shapes of the inputs"),
        (
            Net(),
            ((3, 8, 8),),
            {"over": "side", "values": [1]},
            r"\(3, 8, 8\) has no side; give its shape with the batch",
        ),
        (
            Net,
            ((1, 3, 8, 8),),
            {"over": "depth", "values": [1, 2]},
            "none of 2 values of depth could be counted",
        ),
        (
            "resnet20",
            ((1,), (2,)),
            {"over": "side", "values": [1]},
            "takes the shape of its main input at most",
        ),
        ("resnet20", (), {"over": "side", "values": []}, "side is given no values"),
        ("resnet20", (), {"over": "side", "values": ["a"]}, "values must be numbers"),
        ("resnet20", (), {"over": "side", "values": [8], "convention": "mac"}, "closest: macs"),
        (
            "resnet20",
            (),
            {"over": "side", "values": [8], "convention": "thop", "backward": True},
            "backward pass",
        ),
    ],
)
def test_what_cannot_be_done_is_said(model, inputs, options, message):
    with pytest.raises(resflops.ResflopsError, match=message):
        resflops.curve(model, *inputs, **options)


def test_a_curve_shows_itself():
    curve = resflops.curve("resnet20", over="side", values=range(20, 30))
    assert "⌈side/4⌉" in str(curve.summary())
    assert "<table>" in curve._repr_html_()
    assert curve.plot(dark=True).axes
