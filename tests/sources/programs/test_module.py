"""An exported program costs what the model costs that it was exported from: op by op, layer by layer."""

import copy

import pytest
import torch
from msgspec.structs import replace
from torch import nn
from torch.export import Dim
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

import resflops
from resflops.sources.programs import make_module
from tests.sources.programs.exporting import OF_2_6, export, save_and_load

CONVENTIONS = ("macs", "formula", "flops")


class Residual(nn.Module):
    """A block with a path around it, and an activation that it calls twice."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.norm(self.conv(x)))
        out += x
        return self.relu(out)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential(Residual(8), Residual(8))
        self.dropout = nn.Dropout(0.1)
        self.last = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.blocks(self.pool(self.stem(x)))
        return self.fc(self.dropout(torch.flatten(self.last(x), 1)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, 4, 4)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(16), Attention(), nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 16))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Language(nn.Module):
    """Tied weights, a block that is called twice, a constant, a buffer that is not saved, and a dict of inputs."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16, padding_idx=0)
        self.register_buffer("positions", torch.zeros(6, 16), persistent=False)
        self.scale = torch.ones(16)
        self.block, self.norm = Block(), nn.RMSNorm(16)
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, batch):
        x = self.embedding(batch["ids"]) + self.positions * self.scale
        x = self.block(self.block(x)) * batch["mask"][..., None]
        return {"logits": self.head(self.norm(x)), "mean": x.mean()}


class Various(nn.Module):
    """Functions that torch writes in other ways into a program."""

    def __init__(self):
        super().__init__()
        self.turned = nn.ConvTranspose2d(4, 4, 2, 2)
        self.norms = nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True))
        self.activations = nn.Sequential(
            nn.SiLU(),
            nn.Hardswish(),
            nn.LeakyReLU(0.1, inplace=True),
            nn.PReLU(),
            nn.Softplus(),
            nn.Hardtanh(),
        )
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear")
        self.drop = nn.Dropout2d(0.2)

    def forward(self, x):
        x = self.activations(self.norms(self.turned(x)))
        x = self.drop(self.upsample(x))
        most = F.adaptive_max_pool2d(x, 3) + F.adaptive_avg_pool2d(F.pad(x, (1, 1)), 3)
        patches = F.fold(F.unfold(most, 2), (3, 3), 2)
        return torch.einsum("bchw,bdhw->bcd", patches, most).softmax(-1).cumsum(1), x.argmax(1), most.flip(1)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True)
        self.cell = nn.GRUCell(12, 5)

    def forward(self, x):
        return self.cell(self.lstm(x)[0][:, -1])


class Frozen(nn.Module):
    """A layer without a gradient, one in another type, and parameters in a list."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(8)), nn.Parameter(torch.ones(8), False)])

    def forward(self, x):
        with torch.no_grad():
            x = self.first(x).relu()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = self.second(x)
        return x.float() * self.scales[0] + self.scales[1]


class Choosing(nn.Module):
    def __init__(self):
        super().__init__()
        self.large, self.small = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return torch.cond(x.shape[0] > 5, self.use_large, self.use_small, (x,))

    def use_large(self, x):
        return self.large(x)

    def use_small(self, x):
        return self.small(x).relu()


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x):
        self.calls.add_(x.sum(0))
        return x + self.calls


IMAGE = torch.randn(2, 3, 32, 32)
IDS = {"ids": torch.ones(2, 6, dtype=torch.int64), "mask": torch.ones(2, 6)}


def compare(model, program, *inputs):
    """Require that a program is recorded as its model is, and costs the same."""
    own, its = resflops.trace(model, *inputs), resflops.trace(program, *inputs)
    assert its.ops == own.ops
    for layer, recorded in zip(own.modules, its.modules, strict=True):
        # The class of a layer that no op ran in is not in the program.
        unknown = recorded.cls == "Module"
        assert recorded == (replace(layer, cls="Module", base="") if unknown else layer)
    for convention in CONVENTIONS:
        backward = convention != "formula"
        expected = resflops.count(own, convention=convention, backward=backward)
        cost = resflops.count(its, convention=convention, backward=backward)
        assert (cost.total, cost.params, cost.layers) == (expected.total, expected.params, expected.layers)
        assert describe_backward(cost) == describe_backward(expected)


def describe_backward(cost):
    counted = cost.backward
    return counted and (counted.input_macs, counted.weight_macs, counted.total, counted.uncounted)


CASES = [
    pytest.param(Convolutional, (IMAGE,), id="residual network"),
    pytest.param(Language, (IDS,), id="transformer with tied weights"),
    pytest.param(Various, (torch.randn(2, 4, 8, 8),), id="various functions"),
    pytest.param(
        Recurrent,
        (torch.randn(2, 5, 8),),
        id="recurrent network",
        marks=pytest.mark.skipif(OF_2_6, reason="torch 2.6 exports no LSTM with values"),
    ),
    pytest.param(Frozen, (torch.randn(3, 8),), id="modes of torch"),
    pytest.param(Choosing, (torch.randn(3, 8),), id="control flow"),
]


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_a_program_is_recorded_as_its_model(build, inputs):
    model = build().eval()
    compare(model, export(model, inputs), *inputs)


# Of models in which some op tells the mode.
@pytest.mark.parametrize(("build", "inputs"), [CASES[0], CASES[2]])
def test_a_program_keeps_the_mode_that_it_was_exported_in(build, inputs):
    model = build().train()
    compare(model, export(model, inputs), *inputs)


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_a_program_in_a_file_is_recorded_as_its_model(build, inputs):
    model = build().eval()
    compare(model, save_and_load(export(model, inputs)), *inputs)


@pytest.mark.parametrize(("build", "inputs"), [CASES[0], CASES[1], CASES[5]])
def test_strict_mode_makes_no_difference(build, inputs):
    model = build().eval()
    compare(model, export(model, inputs, strict=True), *inputs)


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_the_module_of_a_program_computes_what_the_model_computes(build, inputs):
    model = build().eval()
    made = make_module(export(model, inputs))(*inputs)
    for its, own in zip(tree_leaves(made), tree_leaves(model(*inputs)), strict=True):
        assert torch.equal(its, own)


def test_the_branch_of_a_condition_follows_from_the_shapes_that_are_given():
    model = Choosing().eval()
    program = export(model, (torch.zeros(3, 8),), dynamic_shapes={"x": {0: Dim("batch", min=2, max=10)}})
    compare(model, program, (3, 8))
    compare(model, program, (7, 8))
    assert resflops.count(program, (7, 8)).layers[0].name == "large"


@pytest.mark.skipif(OF_2_6, reason="torch 2.6 exports no scan over a layer")
def test_the_body_of_a_scan_is_counted_for_each_step():
    from torch._higher_order_ops.scan import scan

    class Scanning(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(4, 4)

        def step(self, carry, x):
            return self.cell(carry + x), carry.sum()

        def forward(self, x):
            return scan(self.step, torch.zeros(2, 4), x)

    model, x = Scanning().eval(), torch.zeros(5, 2, 4)
    compare(model, export(model, (x,)), x)


def test_a_condition_that_depends_on_values_is_run_for_real():
    class Deciding(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return torch.cond(x.sum() > 0, self.layer, lambda x: x.clone(), (x,))

    model, x = Deciding().eval(), torch.ones(2, 8)
    compare(model, export(model, (x,)), x)
    assert resflops.trace(export(model, (x,)), x).execution == "real"


def test_a_size_that_depends_on_values_is_run_for_real():
    class Selecting(nn.Module):
        def forward(self, x):
            return x.nonzero().float() * 2

    model, x = Selecting().eval(), torch.ones(2, 3)
    compare(model, export(model, (x,)), x)


@pytest.mark.parametrize("decompose", [False, True])
def test_a_program_writes_into_its_buffers_as_the_model_does(decompose):
    program = export(Counting(), (torch.ones(2, 3),))
    module = make_module(program.run_decompositions() if decompose else program)
    assert module(torch.ones(2, 3)).tolist() == [[3.0] * 3] * 2
    assert module(torch.ones(2, 3)).tolist() == [[5.0] * 3] * 2
    assert module.calls.tolist() == [4.0] * 3


@pytest.mark.parametrize(("build", "inputs"), [CASES[0], CASES[1], CASES[4]])
def test_decompositions_leave_the_multiply_accumulates_as_they_are(build, inputs):
    model = build().eval()
    program = export(model, inputs).run_decompositions()
    expected, cost = resflops.count(model, *inputs), resflops.count(program, *inputs)
    assert (cost.macs, cost.params, cost.uncounted) == (expected.macs, expected.params, expected.uncounted)


class Regions(nn.Module):
    def forward(self, x):
        return x[0, 1:, ::2] * F.normalize(x[:, 1:, ::2]), F.softsign(x), F.local_response_norm(x, 2)


# What export takes apart. A layer of attention divides its projections, where F.multi_head_attention_forward is
# recorded as if it cut one in three; a subscript of several parts is several; a function in Python is its steps.
@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        pytest.param(nn.TransformerEncoderLayer(16, 4, 32), (torch.randn(2, 5, 16),), id="attention"),
        pytest.param(Regions(), (torch.randn(2, 4, 8, 8),), id="functions and subscripts"),
        pytest.param(nn.EmbeddingBag(10, 4), (torch.ones(2, 5, dtype=torch.int64),), id="bags"),
        pytest.param(
            nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1, inplace=True)),
            (torch.ones(2, 4),),
            id="no dropout",
        ),
    ],
)
def test_what_export_takes_apart_has_the_same_multiply_accumulates_in_the_same_layers(model, inputs):
    model.eval()
    program = export(model, inputs)
    own, cost = resflops.count(model, *inputs, backward=True), resflops.count(program, *inputs, backward=True)
    assert (cost.macs, cost.params, cost.uncounted) == (own.macs, own.params, ())
    assert (cost.backward.input_macs, cost.backward.weight_macs) == (
        own.backward.input_macs,
        own.backward.weight_macs,
    )
    assert {row.name: row.macs for row in cost.layers if row.macs} == {
        row.name: row.macs for row in own.layers if row.macs
    }


def test_a_count_leaves_the_program_as_it_was():
    program = export(Convolutional().train(), (IMAGE,))
    before = {name: tensor.clone() for name, tensor in program.state_dict.items()}
    code, random = program.graph_module.code, torch.get_rng_state()
    resflops.count(program, backward=True)
    assert program.graph_module.code == code
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(program.state_dict[name], tensor) for name, tensor in before.items())


def test_the_module_of_a_program_holds_its_tensors_and_no_copies():
    program = export(Language(), (IDS,))
    module = make_module(program)
    for name, parameter in module.named_parameters(remove_duplicate=False):
        assert parameter is program.state_dict[name]
    assert module.positions is program.constants["positions"]
    assert module.head.weight is module.embedding.weight
    # Of a file, too, which holds each by itself.
    loaded = make_module(save_and_load(program))
    assert loaded.head.weight is loaded.embedding.weight


def test_a_program_moves_with_its_constants():
    class Making(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.scale = nn.Linear(3, 3), torch.ones(3)

        def forward(self, x):
            return self.layer(x * self.scale) + torch.arange(3, device=x.device)

    module = make_module(export(Making(), (torch.ones(2, 3),)))
    assert module.to("meta")(torch.ones(2, 3, device="meta")).is_meta
    converted = make_module(export(Making(), (torch.ones(2, 3),))).to(torch.bfloat16)
    assert converted(torch.ones(2, 3, dtype=torch.bfloat16)).dtype is torch.bfloat16


def test_a_copy_runs_by_itself():
    module = make_module(export(Counting(), (torch.ones(2, 3),)))
    copied = copy.deepcopy(module)
    copied(torch.ones(2, 3))
    assert copied.calls.tolist() == [2.0] * 3
    assert module.calls.tolist() == [0.0] * 3


def test_an_op_of_the_users_is_recorded_as_in_the_model(custom_op):
    class Using(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            y = self.layer(x)
            torch.ops.resflops_test.accumulate(y, x)
            return y

    model, x = Using().eval(), torch.randn(2, 4)
    program = export(model, (x,))
    compare(model, program, x)
    functional = program.run_decompositions()
    assert torch.equal(make_module(functional)(x), model(x))
    assert [op.op for op in resflops.count(functional, x).uncounted] == ["resflops_test.accumulate"]


@pytest.fixture(scope="module")
def custom_op():
    @torch.library.custom_op("resflops_test::accumulate", mutates_args={"x"})
    def accumulate(x: torch.Tensor, y: torch.Tensor) -> None:
        x.add_(y)

    return accumulate
