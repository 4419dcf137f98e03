"""The memory of a pass on shapes is that of a real one, to the byte, and leaves the model as it is."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import resflops
from resflops.errors import TraceError, UsageError
from resflops.peak_memory.options import read_options
from resflops.peak_memory.records import BEFORE
from resflops.tracing.inputs import list_readings
from resflops.tracing.memory import measure_memory


def measure(model, *inputs, real=False, criterion=None, named=None, **options):
    reading = list_readings(model, inputs, named or {})[0]
    return measure_memory(model, reading, read_options(**options), loss=criterion, real=real)


class Residual(nn.Module):
    """Views, a write in place, a branch that Python's variables keep, and a buffer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 10)

    def forward(self, x):
        kept = self.conv(x)
        out = F.relu(self.norm(kept), inplace=True)
        left, right = out.chunk(2, dim=1)
        joined = torch.cat([left + 1, right], 1) + kept
        return self.last(joined.mean((2, 3)))


class Checkpointing(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32)) for _ in range(3)
        )

    def forward(self, x):
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if self.training else layer(x)
        return x


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True, dropout=0.1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.attention(x, x, x, need_weights=False)[0])


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(16, 24, num_layers=2, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


MODELS = {
    "residual": (Residual, (4, 3, 16, 16)),
    "checkpointing": (Checkpointing, (8, 4, 32)),
    "attention": (Attending, (2, 24, 32)),
}
WAYS = {
    "inference": {},
    "training": {"training": True},
    "sum": {"training": True, "loss": "sum"},
    "adamw": {"training": True, "optimizer": "adamw"},
    "momentum": {"training": True, "optimizer": "sgd-momentum"},
    # Of the kernels of attention that a GPU has, the CPU can run this one.
    "foreach": {"training": True, "optimizer": "adam", "device": "cuda", "attention": "math"},
    "bfloat16": {"training": True, "dtype": "bf16"},
    "autocast": {"training": True, "dtype": "bf16", "autocast": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_a_pass_on_shapes_takes_and_releases_what_a_real_one_does(name, way):
    make, shape = MODELS[name]
    on_shapes, real = (measure(make(), shape, real=real, **WAYS[way]) for real in (False, True))
    assert (on_shapes.method, real.method) == ("shapes", "real")
    assert on_shapes.steps == real.steps
    assert on_shapes.blocks == real.blocks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_workspace_that_only_a_kernel_knows_is_named(dtype):
    """oneDNN keeps one for the gradient of an LSTM in float32; nothing else differs."""
    on_shapes, real = (
        measure(Recurrent(), (2, 6, 16), real=real, training=True, dtype=dtype) for real in (False, True)
    )
    named = [note for note in on_shapes.notes if "workspace" in note]
    assert bool(named) is (dtype == "float32")
    hidden = sum(block.size for block in real.blocks if block.name == "mkldnn_rnn_layer") - sum(
        block.size for block in on_shapes.blocks if block.name == "mkldnn_rnn_layer"
    )
    assert (hidden > 0) is (dtype == "float32")
    assert (on_shapes.blocks == real.blocks) is (dtype == "float64")


def test_the_parts_of_a_linear_layer_in_training():
    memory = measure(nn.Linear(8, 5), (3, 8), training=True, optimizer="sgd-momentum", loss="sum")
    held = {(block.kind, block.name, block.born): block.size for block in memory.blocks}
    assert held["parameters", "weight", BEFORE] == 8 * 5 * 4
    assert held["optimizer", "weight: momentum_buffer", BEFORE] == 8 * 5 * 4
    assert held["input", "input", BEFORE] == 3 * 8 * 4
    gradients = [block.size for block in memory.blocks if block.kind == "gradients"]
    assert sorted(gradients) == [5 * 4, 8 * 5 * 4]
    assert {block.layer for block in memory.blocks if block.kind == "gradients"} == {""}


def test_gradients_belong_to_the_layer_of_their_parameters():
    memory = measure(Residual(), (2, 3, 16, 16), training=True)
    gradients = {(block.layer, block.size) for block in memory.blocks if block.kind == "gradients"}
    assert ("conv", 8 * 3 * 3 * 3 * 4) in gradients
    assert ("last", 8 * 10 * 4) in gradients
    assert ("norm", 8 * 4) in gradients


def test_checkpointing_keeps_less_and_runs_again():
    model = nn.Sequential(
        *[nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)) for _ in range(4)]
    )
    plain = measure(model, (32, 64), training=True)
    chosen = measure(model, (32, 64), training=True, checkpointing=["?"])
    assert chosen.checkpointing == ("0", "1", "2", "3")
    kept = [
        memory.split(next(n for n, step in enumerate(memory.steps) if step.phase == "backward"))[
            "activations"
        ]
        for memory in (plain, chosen)
    ]
    # Of each block but the first, whose input is the model's, its input; beside it log-probabilities, the loss
    # and the sum of its weights.
    assert kept[1] == 3 * 32 * 64 * 4 + 32 * 64 * 4 + 8
    assert kept[0] == kept[1] + 4 * 2 * 32 * 256 * 4
    assert chosen.peak < plain.peak
    assert sum(step.phase == "backward" and step.op == "gelu" for step in chosen.steps) == 4


class AttendingBlocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Attends() for _ in range(3))
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        for block in self.blocks:
            x = x + self.drop(block(x).transpose(1, 2).flatten(2))
        return x


@pytest.mark.parametrize("dtype", ["float32", "bf16"])
def test_checkpointed_parts_run_the_same_kernels_again(dtype):
    memory = measure(
        AttendingBlocks(), (2, 48, 64), training=True, checkpointing=True, device="cuda", dtype=dtype
    )
    forward = {
        step.op for step in memory.steps if step.phase == "forward" and step.layer.startswith("blocks")
    }
    again = {step.op for step in memory.steps if step.phase == "backward"}
    assert memory.checkpointing == ("blocks.0", "blocks.1", "blocks.2")
    assert forward <= again
    assert any("attention" in op for op in forward)


def test_dropout_on_a_gpu_keeps_a_byte_an_element():
    model = nn.Sequential(nn.Linear(8, 100), nn.Dropout(0.5), nn.Linear(100, 3))
    sizes = {}
    for device in ("cpu", "cuda"):
        memory = measure(model, (10, 8), training=True, device=device)
        masks = [b.size for b in memory.blocks if b.kind == "activations" and "dropout" in b.name]
        sizes[device] = memory.peak
        if device == "cuda":
            assert sorted(masks) == [1000, 4000]
    assert sizes["cuda"] < sizes["cpu"]


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(64, 192)

    def forward(self, x):
        query, key, value = self.project(x).view(*x.shape[:2], 3, 4, 16).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(query, key, value)


@pytest.mark.parametrize(
    ("options", "op"),
    [
        ({"device": "cuda"}, "scaled_dot_product_efficient_attention"),
        ({"device": "cuda", "dtype": "bf16"}, "scaled_dot_product_flash_attention"),
        ({"device": "cuda", "dtype": "bf16", "autocast": True}, "scaled_dot_product_flash_attention"),
        ({"device": "cuda", "dtype": "fp16", "attention": "cudnn"}, "scaled_dot_product_cudnn_attention"),
        ({"device": "cuda", "attention": "math"}, "safe_softmax"),
        ({"device": "cpu"}, "scaled_dot_product_flash_attention_for_cpu"),
        ({"device": "cpu", "attention": "math"}, "safe_softmax"),
    ],
)
def test_attention_runs_the_kernel_that_was_asked_for_or_that_the_device_takes(options, op):
    memory = measure(Attends(), (2, 48, 64), training=True, loss="sum", **options)
    forward = {step.op for step in memory.steps if step.phase == "forward"}
    assert op in forward, forward


def test_scores_are_kept_without_a_fused_kernel():
    fused, steps = (
        measure(Attends(), (2, 512, 64), training=True, loss="sum", attention=kernel).peak
        for kernel in ("flash", "math")
    )
    assert steps - fused > 2 * 4 * 512 * 512 * 4


def test_a_kernel_that_the_cpu_lacks_is_one_message():
    with pytest.raises(
        UsageError, match="efficient attention is a kernel of CUDA; the CPU has math and flash"
    ):
        measure(Attends(), (2, 48, 64), attention="efficient")


def test_the_model_is_as_before_also_after_a_failure():
    model = Residual().eval()
    before = copy.deepcopy(model.state_dict())
    seed = torch.get_rng_state()
    measure(model, (4, 3, 16, 16), training=True, optimizer="adamw")
    measure(model, (4, 3, 16, 16), training=True, real=True)
    with pytest.raises(TraceError, match="Residual"):
        measure(model, (4, 5, 16, 16), training=True)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), seed)
    assert not any(vars(module).get("forward") for module in model.modules())


class KeepsNothing(nn.Module):
    """Variables that are bound again release what they held, also while a part of the model runs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x):
        x = self.first(x)
        x = x * 2
        return self.second(x)


def test_a_variable_that_is_bound_again_holds_its_tensor_no_longer():
    memory = measure(KeepsNothing(), (4, 16))
    first, doubled, second = (block for block in memory.blocks if block.kind == "temporary")
    assert (first.born, first.died) == (0, 2)
    assert (doubled.born, doubled.died) == (1, 3)
    assert (second.born, second.died) == (2, 3)


def test_frozen_parameters_have_no_gradient_and_no_state():
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 4))
    model[0].requires_grad_(False)
    memory = measure(model, (2, 16), training=True, optimizer="adamw")
    kinds = {(block.kind, block.layer) for block in memory.blocks}
    assert ("optimizer", "1") in kinds
    assert not {("optimizer", "0"), ("gradients", "0")} & kinds


def test_a_model_in_training_mode_keeps_the_modes_of_its_parts():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    model[1].eval()
    memory = measure(model, (2, 4), training=True, loss="sum")
    assert not any("bernoulli" in step.op or step.layer == "1" for step in memory.steps)


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        out = self.layer(x)
        return out * 2 if out.sum() > 0 else out


def test_a_model_whose_path_depends_on_values_runs_for_real_and_says_so():
    memory = measure(Deciding(), (2, 4), training=True)
    assert memory.method == "real"
    assert "run for real on the CPU" in memory.notes[0]


class Selecting(nn.Module):
    """The size of a result depends on values, for which a fake tensor raises an error of its own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        out = self.layer(x)
        return out[out.new_ones(len(out), dtype=torch.bool)]


class ToNumpy(nn.Module):
    """A fake tensor refuses what a real one takes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(torch.from_numpy(x.detach().numpy() * 2))


@pytest.mark.parametrize("make", [Selecting, ToNumpy])
def test_what_fake_tensors_refuse_runs_for_real(make, capfd):
    memory = measure(make(), (2, 4))
    assert memory.method == "real"
    assert "run for real on the CPU" in memory.notes[0]
    assert capfd.readouterr().err == ""


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 8)

    def forward(self, tokens, mask):
        out = self.table(tokens)
        return out if mask.all() else out * mask[..., None]


@pytest.mark.parametrize("hides", [False, True])
def test_what_follows_from_whole_numbered_inputs_has_values(hides):
    tokens, mask = torch.zeros(2, 6, dtype=torch.long), torch.ones(2, 6, dtype=torch.long)
    if hides:
        mask[0, 0] = 0
    on_shapes, real = (measure(Masked(), tokens, mask, real=real) for real in (False, True))
    assert on_shapes.method == "shapes"
    assert on_shapes.blocks == real.blocks
    assert any(step.op == "mul" for step in on_shapes.steps) is hides


def test_a_loss_of_the_users_own():
    plain = measure(nn.Linear(8, 5), (3, 8), training=True)
    own = measure(nn.Linear(8, 5), (3, 8), training=True, criterion=lambda out: out.square().mean())
    assert any(step.op == "pow" for step in own.steps)
    assert not any(step.op == "pow" for step in plain.steps)


def test_targets_are_an_input():
    memory = measure(nn.Linear(8, 5), (3, 8), training=True)
    assert {block.name: block.size for block in memory.blocks if block.kind == "input"} == {
        "input": 3 * 8 * 4,
        "targets": 3 * 8,
    }


def test_targets_are_there_to_the_end_as_in_a_loop_over_batches():
    memory = measure(nn.Linear(8, 5), (3, 8), training=True)
    assert [block.died for block in memory.blocks if block.kind == "input"] == [None, None]


def test_no_weight_is_allocated_for_a_large_model_on_meta():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(100_000, 100_000), nn.Linear(100_000, 10))
    memory = resflops.memory(model, (1, 100_000), training=True, optimizer="adamw")
    weights = (100_000 * 100_001 + 100_001 * 10) * 4
    assert memory.split()["parameters"] == weights
    assert memory.split()["optimizer"] == 2 * weights + 4 * 4


@pytest.mark.parametrize(
    "optimizer",
    ["adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "radam", "rmsprop", "rprop", "sgd"],
)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_optimizer_takes_its_real_step(optimizer, device):
    memory = measure(nn.Linear(8, 5), (3, 8), training=True, optimizer=optimizer, device=device)
    tensors = {"adadelta": 2, "adagrad": 1, "rmsprop": 1, "sgd": 0}.get(optimizer, 2)
    state = sum(block.size for block in memory.blocks if block.kind == "optimizer" and block.size > 4)
    assert state == tensors * 45 * 4


def test_tied_weights_count_once():
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    model[1].weight = model[0].weight
    assert measure(model, (1, 8)).split()["parameters"] == 8 * 8 * 4
