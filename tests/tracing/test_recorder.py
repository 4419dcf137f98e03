"""What a trace holds, and how the calling layer is told."""

import ctypes

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops import tracing
from resflops.errors import InputError, ShapeError, TraceError, UsageError
from resflops.records import MODEL_INPUT, PARAMETER


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.conv(x))
        y += x
        return F.relu(y)


def list_ops(model, *inputs, **keywords):
    return [(op.op, op.layer) for op in resflops.trace(model, *inputs, **keywords).ops]


def test_ops_come_in_order_with_the_layer_they_ran_in():
    model = nn.Sequential(Residual(), nn.Flatten(), nn.Linear(4 * 5 * 5, 2))
    assert list_ops(model, (1, 4, 5, 5)) == [
        ("conv2d", "0.conv"),
        ("relu", "0.relu"),
        ("add", "0"),
        ("relu", "0"),
        ("flatten", "1"),
        ("linear", "2"),
    ]


def test_a_module_called_by_its_forward_is_still_the_layer():
    class Direct(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)

        def forward(self, x):
            return self.conv.forward(x)

    assert list_ops(Direct(), (1, 3, 4, 4)) == [("conv2d", "conv")]


def test_a_reused_module_is_recorded_at_every_call():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(8, 8)

        def forward(self, x):
            return self.inner(self.inner(x))

    cost = resflops.count(Twice(), (1, 8))
    assert cost.macs == 2 * 8 * 8
    assert cost.params == 8 * 8 + 8
    assert [(row.name, row.calls) for row in cost.layers] == [("inner", 2)]


def test_producers_tell_where_each_input_came_from():
    trace = resflops.trace(Residual(), (1, 4, 5, 5))
    conv, relu, add, last = trace.ops
    assert conv.producers == (MODEL_INPUT, PARAMETER)
    assert relu.producers == (0,)
    assert add.producers == (1, MODEL_INPUT)
    assert last.producers == (2,)


def test_attributes_say_how_a_convolution_was_called():
    model = nn.Conv2d(8, 16, (3, 5), stride=2, padding=(1, 2), dilation=1, groups=4)
    (conv,) = resflops.trace(model, (2, 8, 10, 10)).ops
    assert conv.input_shapes == ((2, 8, 10, 10), (16, 2, 3, 5))
    assert conv.output_shape == (2, 16, 5, 5)
    assert conv.attributes == {
        "kernel": (3, 5),
        "stride": (2, 2),
        "padding": (1, 2),
        "dilation": (1, 1),
        "groups": 4,
        "bias": True,
    }


def test_tied_parameters_count_once_and_say_what_they_are_tied_to():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 8)
            self.head = nn.Linear(8, 50, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.embed(tokens))

    trace = resflops.trace(Tied(), torch.zeros(1, 3, dtype=torch.long))
    assert trace.params == 50 * 8
    assert trace.module_at["head"].parameters[0].tied_to == "embed.weight"


def test_frozen_parameters_and_buffers_are_reported_apart():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    model[0].weight.requires_grad_(False)
    cost = resflops.count(model, (1, 3, 2, 2))
    assert (cost.frozen, cost.trainable, cost.params, cost.buffers) == (12, 12, 24, 9)


def test_modules_know_their_class_and_nearest_torch_base():
    class Fancy(nn.Conv2d):
        pass

    trace = resflops.trace(nn.Sequential(Fancy(3, 4, 1)), (1, 3, 2, 2))
    module = trace.module_at["0"]
    assert (module.cls, module.base, module.leaf) == ("Fancy", "Conv2d", True)
    assert trace.modules[0].path == ""
    assert not trace.modules[0].leaf


def test_inputs_may_be_nested_and_given_by_keyword():
    class Nested(nn.Module):
        def forward(self, batch, *, scale=None):
            return batch["image"] * batch["masks"][0] + scale

    image, mask = torch.zeros(2, 3), torch.zeros(2, 3)
    trace = resflops.trace(Nested(), {"image": image, "masks": [mask]}, scale=torch.ones(3))
    assert [(record.name, record.shape) for record in trace.inputs] == [
        ("0.image", (2, 3)),
        ("0.masks.0", (2, 3)),
        ("scale", (3,)),
    ]
    assert [op.op for op in trace.ops] == ["mul", "add"]


def test_an_op_without_a_rule_is_listed_and_never_zero():
    class Spectrum(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvals(x.relu())

    cost = resflops.count(Spectrum(), (8, 4, 4), convention="flops")
    assert not cost.complete
    assert [(uncounted.calls, uncounted.elements) for uncounted in cost.uncounted] == [(1, 8 * 4 + 8 * 16)]
    assert "eig" in cost.uncounted[0].op
    assert cost.total == 128


def test_what_leaves_torch_is_run_for_real_and_uncounted():
    class Leaving(nn.Module):
        def __init__(self, out):
            super().__init__()
            self.out = out

        def forward(self, x):
            y = x + 1
            self.out(y)
            return y

    ways = {
        "numpy": lambda y: y.numpy() ** 2,
        "__array__": lambda y: np.asarray(y),
        "data_ptr": lambda y: ctypes.memset(y.data_ptr(), 0, 24),
    }
    for name, out in ways.items():
        cost = resflops.count(Leaving(out), (2, 3))
        assert [(each.op, each.elements) for each in cost.uncounted] == [(name, 6)]
        assert f"{name} on 2×3" in cost.trace.notes[0]


def test_uncounted_ops_are_ranked_by_the_data_they_touch():
    class Several(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvals(x), torch.linalg.svdvals(x), torch.linalg.qr(x)

    assert [op.elements for op in resflops.count(Several(), (4, 4)).uncounted] == sorted(
        (op.elements for op in resflops.count(Several(), (4, 4)).uncounted), reverse=True
    )


def test_models_that_ask_for_devices_and_make_tensors_stay_on_meta():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.zeros(16, 4))

        def forward(self, x):
            steps = torch.arange(x.shape[1], device=self.table.device)
            mask = torch.zeros(x.shape[1], x.shape[1])
            mask[0] = 1
            return (x + self.table[steps]).to(self.table.device).float() @ x.mT + mask

    cost = resflops.count(Positions(), (2, 16, 4))
    assert cost.complete
    assert cost.macs == 2 * 16 * 16 * 4


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        pytest.param(nn.Sequential(nn.Conv2d(3, 8, 3)), (1, 1, 9, 9), "0: conv2d: takes 3 input channels", id="channels"),
        pytest.param(nn.Sequential(nn.Conv2d(3, 8, 5)), (1, 3, 4, 9), "kernel of size 5 does not fit its input of 4", id="kernel"),
        pytest.param(nn.Sequential(nn.MaxPool2d(4)), (1, 3, 2, 2), "0: max_pool2d: its window of 4 does not fit", id="pool"),
        pytest.param(nn.Sequential(nn.Linear(8, 2)), (1, 7), "0: linear: takes 8 input features", id="features"),
        pytest.param(nn.Sequential(nn.BatchNorm2d(8)), (1, 7, 2, 2), "0: batch_norm: takes 8 channels", id="norm"),
        pytest.param(nn.Sequential(nn.LayerNorm(8)), (1, 7), "0: layer_norm: normalises over 8", id="layer-norm"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_name_the_layer_and_its_input(model, shape, message):
    with pytest.raises(ShapeError, match=message) as caught:
        resflops.trace(model, shape)
    assert "×".join(map(str, shape)) in str(caught.value)


def test_what_a_forward_raises_is_reported_with_its_input():
    class Picky(nn.Module):
        def forward(self, x):
            raise ValueError("only on Sundays")

    with pytest.raises(TraceError, match=r"Picky on input 1×2 raised ValueError: only on Sundays"):
        resflops.trace(Picky(), (1, 2))


def test_torchs_own_complaints_name_the_layer():
    class Views(nn.Module):
        def forward(self, x):
            return x.view(7)

    with pytest.raises(TraceError, match=r"the model's own forward: view on 2×3: shape '\[7\]' is invalid"):
        resflops.trace(Views(), (2, 3))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, -8, 8)])
def test_sizes_below_one_are_refused(shape):
    with pytest.raises(InputError, match="every size must be at least 1"):
        resflops.trace(nn.Conv2d(3, 4, 1), shape)


def test_sizes_beyond_what_torch_addresses_are_refused():
    with pytest.raises(InputError, match="larger than torch can address"):
        resflops.trace(nn.Conv2d(3, 4, 1), (1, 3, 10**12, 10**12))
    with pytest.raises(ShapeError, match=r"conv2d would make a tensor of .* more than torch can address"):
        resflops.trace(nn.Conv2d(3, 4000, 1), (1, 3, 10**8, 10**9))


def test_large_sizes_are_counted_exactly():
    side = 10**7
    assert resflops.count(nn.Conv2d(3, 64, 1), (1, 3, side, side)).macs == 3 * 64 * side * side


def test_a_trace_cannot_be_given_inputs_again():
    trace = resflops.trace(nn.Linear(2, 2), (1, 2))
    with pytest.raises(UsageError):
        resflops.count(trace, (1, 2))


def test_only_modules_can_be_traced():
    with pytest.raises(TraceError, match=r"must be a torch\.nn\.Module, got .resnet34.;"):
        tracing.trace("resnet34", (1, 3, 224, 224))


def test_a_model_without_weights_cannot_run_for_real():
    with pytest.raises(TraceError, match="on the meta device"):
        resflops.trace(resflops.load("resnet18"), (1, 3, 32, 32), real=True)


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
def test_a_model_may_catch_what_torch_raises_of_shapes_and_go_another_way(real):
    class Trying(nn.Module):
        def __init__(self):
            super().__init__()
            self.narrow, self.wide, self.fitting = nn.Linear(3, 5), nn.Linear(6, 4), nn.Linear(4, 2)

        def forward(self, x):
            try:
                return self.narrow(self.wide(x))
            except RuntimeError:
                return self.fitting(self.wide(x))

    trace = resflops.trace(Trying(), torch.ones(2, 6), real=real)
    # The first layer ran before the failure, too.
    assert [op.layer for op in trace.ops] == ["wide", "wide", "fitting"]
    assert resflops.count(trace).macs == 2 * (2 * 6 * 4) + 2 * 4 * 2
