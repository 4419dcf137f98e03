"""The backward pass of whole models: where a gradient is needed, and what all of them cost."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import resflops
from resflops.cost import price
from resflops.cost.backward import prices_gradients
from resflops.cost.convention import CONVENTIONS, MACS, Convention
from resflops.errors import UsageError
from resflops.ops import OPS, gradient_rule, rule
from resflops.records import PARAMETER, Work


def count_training(model, *inputs, convention="macs", **keywords):
    return resflops.count(model, *inputs, convention=convention, backward=True, **keywords)


def backward(model, *inputs, convention="macs", **keywords):
    return count_training(model, *inputs, convention=convention, **keywords).backward


def rows(found):
    return [(row.name, row.op, row.input_macs, row.weight_macs) for row in found.layers if row.macs]


def test_a_backward_pass_is_there_only_if_asked_for():
    assert resflops.count(nn.Linear(4, 4), (1, 4)).backward is None


def test_the_forward_figures_stay_the_forward_passes():
    model = resflops.load("resnet18")
    alone, both = resflops.count(model, (1, 3, 64, 64)), count_training(model, (1, 3, 64, 64))
    assert (both.macs, both.total, both.layers, both.works) == (
        alone.macs,
        alone.total,
        alone.layers,
        alone.works,
    )


def test_gradients_for_input_and_weight_stand_apart():
    model = nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU(), nn.Linear(16, 4, bias=False))
    found = backward(model, (3, 8))
    assert rows(found) == [("0", "linear", 0, 3 * 8 * 16), ("2", "linear", 3 * 16 * 4, 3 * 16 * 4)]
    assert (found.input_macs, found.weight_macs, found.macs) == (192, 384 + 192, 768)


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        pytest.param((), (64 + 64, 3 * 64), id="nothing"),
        pytest.param((0,), (64, 2 * 64), id="the first: none goes back to it"),
        pytest.param((1,), (64 + 64, 2 * 64), id="the middle: gradients pass it"),
        pytest.param((2,), (64 + 64, 2 * 64), id="the last"),
        pytest.param((0, 1), (0, 64), id="all but the head"),
        pytest.param((0, 1, 2), (0, 0), id="everything"),
    ],
)
def test_frozen_layers_take_no_gradient_and_the_first_of_them_ends_the_way(frozen, expected):
    model = nn.Sequential(*(nn.Linear(8, 8, bias=False) for _ in range(3)))
    for place in frozen:
        model[place].requires_grad_(False)
    found = backward(model, (1, 8))
    assert (found.input_macs, found.weight_macs) == expected


def test_a_frozen_weight_with_a_trainable_bias_takes_the_biases_gradient_alone():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1))
    for conv in model:
        conv.weight.requires_grad_(False)
    found = backward(model, (1, 3, 4, 4), convention="flops")
    assert (found.input_macs, found.weight_macs) == (16 * 64, 0)
    assert found.weight_work == Work(arithmetic=2 * 128)


@pytest.mark.parametrize("groups", [1, 4, 64])
def test_a_grouped_convolution_is_twice_its_forward_pass(groups):
    model = nn.Sequential(nn.Conv2d(64, 64, 1), nn.Conv2d(64, 64, 3, padding=1, groups=groups))
    cost = count_training(model, (1, 64, 8, 8))
    depthwise = {row.name: row for row in cost.backward.layers}["1"]
    forward = {row.name: row for row in cost.layers}["1"]
    assert (depthwise.input_macs, depthwise.weight_macs) == (forward.macs, forward.macs)


def test_torchs_own_counter_is_wrong_on_grouped_convolutions():
    """It takes the weight's gradient for a convolution of all channels with all: 64 times too much here."""
    model = nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False)
    cost = count_training(model, (1, 64, 8, 8))
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 64, 8, 8)).sum().backward()
    assert cost.backward.macs == cost.macs
    assert counter.get_total_flops() == 2 * (cost.macs + 64 * cost.macs)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 5))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 16)
        self.inner = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)

    def forward(self, x):
        return self.inner(self.first(x))


MODELS = {
    "resnet18": lambda: (resflops.load("resnet18", device="cpu"), (1, 3, 64, 64)),
    "vgg11": lambda: (resflops.load("vgg11,num_classes=10", device="cpu"), (1, 3, 224, 224)),
    "mlp": lambda: (mlp(), (2, 3, 4, 4)),
    "transformer": lambda: (Attention(), (2, 6, 16)),
    "batches of rows": lambda: (
        nn.Sequential(nn.Linear(8, 8), nn.Unflatten(1, (2, 4)), nn.Linear(4, 3)),
        (5, 8),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_macs_of_both_passes_are_those_that_torch_runs(name):
    model, shape = MODELS[name]()
    cost = count_training(model, shape)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(shape)).sum().backward()
    assert counter.get_total_flops() == 2 * (cost.macs + cost.backward.macs)
    assert cost.backward.complete


def test_the_first_layers_input_is_all_that_a_resnet_saves():
    cost = count_training(resflops.load("resnet34"), (1, 3, 224, 224))
    assert cost.backward.weight_macs == cost.macs
    assert cost.backward.input_macs == cost.macs - 118_013_952


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5), batch=st.integers(1, 3), data=st.data(),
)  # fmt: skip
def test_both_passes_are_three_times_the_forward_one_less_what_is_not_needed(widths, batch, data):
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    trained = [data.draw(st.booleans()) for _ in layers]
    for layer, train in zip(layers, trained, strict=True):
        layer.requires_grad_(train)
    cost = count_training(nn.Sequential(*layers), (batch, widths[0]))
    macs = [batch * a * b for a, b in pairwise(widths)]
    no_weight = sum(count for count, train in zip(macs, trained, strict=True) if not train)
    no_input = sum(count for place, count in enumerate(macs) if not any(trained[:place]))
    assert cost.macs + cost.backward.macs == 3 * cost.macs - no_weight - no_input


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x):
        return self.inner(self.inner(x))


def test_a_reused_layer_adds_the_gradients_of_its_uses():
    found = backward(Shared(), (1, 8), convention="flops")
    assert found.macs == 3 * 64
    # Two biases' sums, and one addition for each element of weight and bias.
    assert found.weight_work.arithmetic == 2 * 8 + 64 + 8


def test_tied_parameters_add_the_gradients_of_their_uses():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 8)
            self.head = nn.Linear(8, 50, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.embed(tokens))

    found = backward(Tied(), torch.zeros(1, 3, dtype=torch.long))
    assert found.work == Work(macs=2 * 3 * 50 * 8, arithmetic=3 * 8 + 400)
    assert (found.input_macs, found.weight_macs) == (1200, 1200)


def test_where_paths_join_gradients_are_added():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

        def forward(self, x):
            y = self.first(x)
            return y + self.inner(y)

    assert backward(Residual(), (3, 4)).input_work == Work(macs=48, arithmetic=12)


def test_the_pieces_of_a_split_are_tensors_of_their_own():
    class Halves(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 8, bias=False)

        def forward(self, x):
            left, right = self.inner(x).chunk(2, -1)
            return left.tanh() + right.tanh()

    assert backward(Halves(), (3, 4)).input_work == Work(arithmetic=2 * 3 * 12)


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda x: x.detach(), id="detach"),
        pytest.param(lambda x: x.data, id="data"),
        pytest.param(lambda x: x.argmax(-1, keepdim=True).float().expand(-1, 4), id="argmax"),
        pytest.param(lambda x: (x > 0).float(), id="comparison"),
        pytest.param(lambda x: x.long().float(), id="whole numbers"),
        pytest.param(lambda x: x.topk(4)[1].float(), id="indices"),
    ],
)
def test_no_gradient_passes(cut):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return self.last(cut(self.first(x)))

    assert rows(backward(Cut(), (1, 4))) == [("last", "linear", 0, 16)]


class Teacher(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.teacher, self.student = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.context = context

    def forward(self, x):
        with self.context():
            target = self.teacher(x)
        return self.student(x) * target


@pytest.mark.parametrize(
    ("context", "taught"),
    [
        pytest.param(torch.no_grad, False, id="no_grad"),
        pytest.param(torch.enable_grad, True, id="enable_grad"),
        pytest.param(lambda: torch.set_grad_enabled(False), False, id="set to off"),
        pytest.param(lambda: torch.set_grad_enabled(True), True, id="set to on"),
    ],
)
@pytest.mark.parametrize("real", [False, True])
def test_what_the_model_runs_without_autograd_has_no_gradient(context, taught, real):
    trace = resflops.trace(Teacher(context), torch.zeros(1, 4), real=real)
    found = resflops.count(trace, backward=True).backward
    assert rows(found) == [("teacher", "linear", 0, 16)] * taught + [("student", "linear", 0, 16)]


def test_what_is_written_without_autograd_leaves_the_history_as_it_was():
    class Normalised(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 4))

        @torch.no_grad()
        def normalise(self):
            with torch.enable_grad(), torch.no_grad():
                self.weight.mul_(0.5)

        def forward(self, x):
            self.normalise()
            return x @ self.weight

    assert rows(backward(Normalised(), (1, 4))) == [("", "matmul", 0, 16)]


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_checkpointing_changes_no_count(reentrant):
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return checkpoint(self.last, self.first(x), use_reentrant=reentrant)

    assert rows(backward(Checkpointed(), (1, 4))) == [("first", "linear", 0, 16), ("last", "linear", 16, 16)]


def test_what_is_handed_back_has_a_gradient_also_where_the_model_goes_on_without_it():
    class Features(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

        def forward(self, x):
            features = self.first(x)
            return {"features": features, "scores": self.last(features.detach())}

    assert rows(backward(Features(), (1, 4))) == [("first", "linear", 0, 16), ("last", "linear", 0, 16)]


def test_buffers_and_constants_need_none():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("scale", torch.ones(4))

        def forward(self, x):
            return x * self.scale + torch.ones(4)

    found = backward(Scaled(), (2, 4))
    assert (found.layers, found.work) == ((), Work())


def test_functions_of_raw_parameters_and_views_of_them():
    class Raw(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.zeros(6, 4)), nn.Parameter(torch.zeros(12))

        def forward(self, x):
            return F.linear(x @ self.weight.mT, self.weight.mT, self.bias.view(3, 4)[0])

    found = backward(Raw(), (2, 4), convention="flops")
    assert (found.input_macs, found.weight_macs) == (48, 2 * 48)
    # The bias over two rows, and the second use of the weight.
    assert found.weight_work.arithmetic == 8 + 24


@pytest.mark.parametrize("mode", ["meta", "cpu", "real"])
def test_parameters_are_known_wherever_they_lie(mode):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    if mode == "meta":
        model = model.to("meta")
    trace = resflops.trace(model.eval(), (2, 3, 2, 2), real=mode == "real")
    conv = trace.ops[0]
    assert (conv.producers, conv.affine_producers) == ((-1, PARAMETER), (PARAMETER - 1,))
    found = resflops.count(trace, backward=True).backward
    assert (found.input_macs, found.weight_macs) == (64, 96 + 64)


def test_functions_that_take_the_fallback_know_their_parameters_too():
    class Mapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3)

        def forward(self, x):
            return torch.vmap(self.inner)(x)

    assert backward(Mapped(), (2, 5, 4)).weight_macs == 2 * 5 * 4 * 3


def test_parametrised_weights_get_their_gradient():
    model = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3, bias=False))
    found = backward(model, (2, 4))
    assert (found.input_macs, found.weight_macs) == (0, 24)
    assert found.complete


def test_a_recurrent_network_is_twice_its_forward_pass_but_for_its_input():
    cost = count_training(nn.LSTM(3, 4, num_layers=2), (5, 2, 3))
    # Through the first layer's input matrix, 16x3, no gradient goes back.
    assert cost.backward.macs == 2 * cost.macs - 10 * 48


def test_an_op_without_a_gradient_rule_is_listed_and_never_zero():
    @torch.library.custom_op("resflops_tests::halve", mutates_args=())
    def halve(x: torch.Tensor) -> torch.Tensor:
        return x / 2

    @halve.register_fake
    def _(x):
        return torch.empty_like(x)

    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return halve(self.inner(halve(x)))

    @rule("resflops_tests.halve")
    def halving(record) -> Work:
        """One division per element."""
        return Work(arithmetic=8)

    try:
        cost = count_training(Halved(), (2, 4), convention="flops")
        assert (cost.complete, cost.backward.complete) == (True, False)
        # Only the second call needs a gradient.
        assert [(op.op, op.calls, op.elements) for op in cost.backward.uncounted] == [
            ("resflops_tests.halve", 1, 8)
        ]
        assert [row.counted for row in cost.backward.layers] == [True, False]

        @gradient_rule("resflops_tests.halve")
        def halving_gradient(record, operand) -> Work:
            """One division per element."""
            return Work(arithmetic=8)

        found = backward(Halved(), (2, 4), convention="flops")
        assert (found.complete, found.total) == (True, 2 * 32 + 8)
    finally:
        del OPS["resflops_tests.halve"]


@pytest.mark.parametrize("convention", ["macs", "flops"])
@pytest.mark.parametrize("spec", ["resnet18", "vgg11_lrn", "preact_resnet164"])
def test_rows_and_ops_add_up_to_the_pass(spec, convention):
    shape = (1, 3, 32, 32) if spec == "preact_resnet164" else (1, 3, 224, 224)
    found = backward(resflops.load(spec), shape, convention=convention)
    for name in ("input_macs", "weight_macs", "macs", "input_total", "weight_total", "total"):
        assert sum(getattr(row, name) for row in found.layers) == getattr(found, name)
    assert sum(found.by_op.values()) == found.total
    assert found.convention == convention


def test_a_convention_prices_both_passes_alike():
    cost = count_training(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), (2, 4))
    assert cost.backward.total == cost.backward.macs == 3 * 32
    # A comparison per element of the ReLU, two biases over two rows of 4.
    assert cost.under("flops").backward.total == 2 * 96 + 8 + 2 * 8
    assert cost.under("flops").under("macs") == cost


def test_formula_says_nothing_of_a_backward_pass():
    with pytest.raises(
        UsageError, match="'formula' does not define the cost of a backward pass; these do: macs, flops"
    ):
        count_training(nn.Linear(4, 4), (1, 4), convention="formula")
    cost = count_training(nn.Linear(4, 4), (1, 4))
    with pytest.raises(UsageError, match="'formula'"):
        _ = cost.under("formula").backward
    assert cost.under("formula").under("macs").backward.macs == 16


def test_a_convention_defines_a_backward_pass_if_it_prices_kinds_of_work_alone():
    assert prices_gradients(
        Convention(name="mine", counts="", source="", prices={"macs": 2, "comparisons": 1})
    )
    assert not prices_gradients(Convention(name="mine", counts="", source="", prices={"output_elements": 1}))
    assert [name for name in ("macs", "flops", "formula") if prices_gradients(CONVENTIONS[name])] == [
        "macs",
        "flops",
    ]


def test_a_cost_comes_back_from_json_with_its_backward_pass(tmp_path):
    cost = count_training(resflops.load("resnet18"), (1, 3, 32, 32), convention="flops")
    cost.save(tmp_path / "cost.json")
    back = resflops.Cost.load(tmp_path / "cost.json")
    assert back == cost
    assert (back.backward.layers, back.backward.total) == (cost.backward.layers, cost.backward.total)


def test_a_trace_that_does_not_tell_parameters_is_refused():
    trace = resflops.trace(nn.Linear(4, 4), (1, 4))
    older = replace(trace, tells_parameters=False)
    assert price(older, MACS).macs == 16
    with pytest.raises(UsageError, match="trace the model again"):
        price(older, MACS, backward=True)
