"""What a GPU's kernels save and make where they differ from the CPU's, as an H200 has shown."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import resflops

ROWS, WIDTH = 8, 64


class Apply(nn.Module):
    """A linear layer, whose result autocast makes of lower precision, and a function of it."""

    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(WIDTH, WIDTH), function

    def forward(self, x):
        return self.function(self.linear(x))


def list_taken(model, shape, **options):
    """List what the pass takes: op and bytes."""
    memory = resflops.memory(model, shape, **options)
    return [(memory.steps[block.born].op, block.size) for block in memory.blocks if block.born >= 0]


HALF, FULL = 2 * ROWS * WIDTH, 4 * ROWS * WIDTH
NORM = nn.LayerNorm(WIDTH)
FUNCTIONS = {
    "layer_norm": (NORM, [("to_copy", FULL), ("native_layer_norm", FULL)]),
    "softmax": (lambda x: x.softmax(-1), [("to_copy", FULL), ("softmax", FULL)]),
    "log_softmax": (lambda x: F.log_softmax(x, dim=-1), [("to_copy", FULL), ("log_softmax", FULL)]),
    "exp": (torch.exp, [("to_copy", FULL), ("exp", FULL)]),
    "sum": (lambda x: x.sum(0), [("sum", 4 * WIDTH)]),
    "relu": (F.relu, [("relu", HALF)]),
    "cat": (lambda x: torch.cat([x, x]), [("cat", 2 * HALF)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_autocast_computes_in_float32_what_cuda_computes_in_float32(name):
    function, taken = FUNCTIONS[name]
    model = Apply(function).eval()
    found = list_taken(model, (ROWS, WIDTH), device="cuda", dtype="bf16", autocast=True)
    after = found[[op for op, _ in found].index("addmm") + 1 :]
    assert [each for each in after if each[1] > 4 * ROWS or len(taken) == 1] == taken


def test_a_type_that_is_asked_for_is_kept():
    model = Apply(lambda x: x.softmax(-1, dtype=torch.bfloat16)).eval()
    found = list_taken(model, (ROWS, WIDTH), device="cuda", dtype="bf16", autocast=True)
    assert found[-1] == ("softmax", HALF)


@pytest.mark.parametrize(("device", "size"), [("cpu", 2), ("cuda", 4)])
@pytest.mark.parametrize("norm", [nn.LayerNorm(WIDTH), nn.BatchNorm1d(WIDTH)], ids=["layer", "batch"])
def test_statistics_of_a_norm_are_float32_on_a_gpu(norm, device, size):
    count = ROWS if isinstance(norm, nn.LayerNorm) else WIDTH
    found = list_taken(
        nn.Sequential(norm), (ROWS, WIDTH), device=device, dtype="bf16", training=True, loss="sum"
    )
    statistics = [taken for op, taken in found if op in ("native_layer_norm", "native_batch_norm")][1:]
    assert statistics == [size * count] * 2


@pytest.mark.parametrize("autocast", [False, True])
def test_a_bias_is_added_in_place_where_the_input_is_not_contiguous(autocast):
    class Transposed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(WIDTH, WIDTH)

        def forward(self, x):
            return self.linear(x.transpose(0, 1))

    options = {"dtype": "bf16", "autocast": True} if autocast else {}
    found = list_taken(Transposed(), (2, ROWS, WIDTH), device="cuda", training=True, loss="sum", **options)
    ops = [op for op, _ in found]
    assert "add" not in ops[: ops.index("sum")]
    assert {"mm", "bmm"} & set(ops[: ops.index("sum")])


def test_a_sum_that_a_model_writes_takes_memory():
    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.ones(WIDTH, WIDTH)), nn.Parameter(torch.ones(WIDTH))

        def forward(self, x):
            return x @ self.weight + self.bias

    found = list_taken(Written(), (ROWS, WIDTH), device="cuda", training=True, loss="sum")
    assert ("add", FULL) in found
