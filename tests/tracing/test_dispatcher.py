"""Both levels tell the same: described functions against the aten ops that torch runs."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.ops import OPS
from resflops.records import add_works
from resflops.tracing.dispatcher import DispatchRecorder
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder


def work(model, *inputs, described):
    recorder = Recorder(Modules(model), described=described)
    with torch.no_grad(), recorder:
        model(*inputs)
    unknown = {op.op for op in recorder.ops if op.op not in OPS or not OPS[op.op].counted}
    assert unknown == set()
    return add_works(OPS[op.op].work(op) for op in recorder.ops if OPS[op.op].work), recorder


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


MODULES = [
    (nn.Conv1d(4, 6, 3, stride=2, padding=1), (2, 4, 9)),
    (nn.Conv2d(4, 6, (3, 2), groups=2, dilation=2, bias=False), (2, 4, 9, 9)),
    (nn.Conv2d(4, 6, 3, padding="same"), (2, 4, 9, 9)),
    (nn.Conv3d(4, 6, 2, padding=1), (2, 4, 5, 6, 7)),
    (nn.ConvTranspose1d(4, 6, 3, stride=2), (2, 4, 9)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (2, 4, 9, 9)),
    (nn.ConvTranspose3d(4, 6, 2, dilation=2, bias=False), (2, 4, 5, 6, 7)),
    (nn.Linear(8, 3), (5, 8)),
    (nn.Linear(8, 3, bias=False), (5, 8)),
    (nn.BatchNorm2d(4).eval(), (2, 4, 5, 5)),
    (nn.BatchNorm2d(4, affine=False), (2, 4, 5, 5)),
    (nn.BatchNorm1d(4).train(), (2, 4, 5)),
    (nn.LayerNorm((5, 5)), (2, 4, 5, 5)),
    (nn.GroupNorm(2, 4), (2, 4, 5, 5)),
    (nn.MaxPool2d(3, 2, 1), (2, 4, 9, 9)),
    (nn.MaxPool2d(2, ceil_mode=True), (2, 4, 9, 9)),
    (nn.AvgPool2d(3, 2, 1), (2, 4, 9, 9)),
    (nn.AvgPool1d(2), (2, 4, 9)),
    (nn.AvgPool2d(20, ceil_mode=True), (2, 4, 9, 9)),
    (nn.MaxPool2d((20, 3), (20, 4), ceil_mode=True), (2, 4, 9, 9)),
    (nn.AdaptiveAvgPool2d((3, 2)), (2, 4, 7, 7)),
    (nn.ReLU(), (2, 4)),
    (nn.ReLU(inplace=True), (2, 4)),
    (nn.LeakyReLU(), (2, 4)),
    (nn.ELU(), (2, 4)),
    (nn.Hardtanh(), (2, 4)),
    (nn.Hardswish(), (2, 4)),
    (nn.Hardsigmoid(), (2, 4)),
    (nn.SiLU(), (2, 4)),
    (nn.GELU(), (2, 4)),
    (nn.GELU("tanh"), (2, 4)),
    (nn.Sigmoid(), (2, 4)),
    (nn.Tanh(), (2, 4)),
    (nn.Softplus(), (2, 4)),
    (nn.PReLU(4), (2, 4)),
    (nn.GLU(), (2, 4)),
    (nn.Softmax(-1), (2, 4)),
    (nn.LogSoftmax(1), (2, 4, 3)),
    (nn.Dropout(0.5).eval(), (2, 4)),
    (nn.Embedding(10, 4), None),
]


@pytest.mark.parametrize(("model", "shape"), MODULES, ids=[str(model) for model, _ in MODULES])
def test_modules_do_the_same_work_on_both_levels(model, shape):
    image = torch.empty(shape, device="meta") if shape else torch.zeros(3, 5, dtype=torch.long)
    fast, recorder = work(model, image, described=True)
    assert recorder.fallbacks == []
    slow, _ = work(model, image, described=False)
    assert fast == slow


FUNCTIONS = {
    "add": (lambda x, y: x + y, (4, 1), (3,)),
    "in-place add": (lambda x, y: x.add_(y), (4, 3), (3,)),
    "subtract from a number": (lambda x: 1 - x, (4, 3)),
    "divide": (lambda x: x / 2, (4, 3)),
    "square": (lambda x: x**2, (4, 3)),
    "power": (lambda x: x**2.5, (4, 3)),
    "base two": (lambda x: 2**x, (4, 3)),
    "compare": (lambda x, y: x > y, (4, 3), (4, 3)),
    "clamp": (lambda x: x.clamp(min=0), (4, 3)),
    "clamp both": (lambda x: torch.clamp(x, 0, 1), (4, 3)),
    "matrix times matrix": (lambda x, y: x @ y, (4, 3), (3, 5)),
    "batched": (lambda x, y: torch.bmm(x, y), (2, 4, 3), (2, 3, 5)),
    "broadcast batches": (lambda x, y: x @ y, (2, 1, 4, 3), (6, 3, 5)),
    "matrix times vector": (lambda x, y: x @ y, (4, 3), (3,)),
    "dot": (lambda x, y: x @ y, (3,), (3,)),
    "addmm": (lambda b, x, y: torch.addmm(b, x, y), (5,), (4, 3), (3, 5)),
    "mean": (lambda x: x.mean((1, 2)), (2, 3, 4)),
    "mean of all": (lambda x: x.mean(), (2, 3, 4)),
    "sum": (lambda x: x.sum(-1, keepdim=True), (2, 3, 4)),
    "softmax": (lambda x: x.softmax(-1), (2, 3)),
    "exponential": (lambda x: x.exp(), (2, 3)),
    "cat": (lambda x, y: torch.cat([x, y], 1), (2, 3), (2, 4)),
    "stack": (lambda x, y: torch.stack([x, y], -1), (2, 3), (2, 3)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1)), (2, 3, 4, 4)),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), (2, 3, 4, 4)),
    "views": (lambda x: x.permute(1, 0, 2).reshape(3, 8).t()[1:, ::2].flatten(), (2, 3, 4)),
    "split": (lambda x: x.chunk(2, 1)[0] + x.split(2, 1)[1], (2, 4)),
    "relu": (lambda x: torch.relu(x).relu_(), (2, 4)),
    "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v), (1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "attention"])
def test_functions_do_the_same_work_on_both_levels(name):
    function, *shapes = FUNCTIONS[name]
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    fast, recorder = work(Call(function), *inputs, described=True)
    assert recorder.fallbacks == []
    slow, _ = work(Call(function), *inputs, described=False)
    assert fast == slow


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_the_shapes_and_types_that_a_real_run_gives(name):
    function, *shapes = FUNCTIONS[name]
    inputs = [torch.ones(shape) for shape in shapes]
    model = Call(function)
    assert resflops.trace(model, *inputs).ops == resflops.trace(model, *inputs, real=True).ops


def test_attention_counts_the_same_macs_when_torch_takes_it_apart():
    function, *shapes = FUNCTIONS["attention"]
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    fast, _ = work(Call(function), *inputs, described=True)
    slow, _ = work(Call(function), *inputs, described=False)
    assert fast.macs == slow.macs == 2 * 5 * 7 * (4 + 3)


def test_a_function_that_no_table_knows_is_recorded_by_its_aten_ops():
    model = Call(lambda x: F.cosine_similarity(x, x))
    trace = resflops.trace(model, (4, 3))
    assert {"mul", "sum"} <= {op.op for op in trace.ops}


def test_the_users_weights_are_never_touched_by_a_fallback():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 3))

        def forward(self, x):
            return torch.linalg.matrix_exp(self.weight) @ x

    model = Odd()
    resflops.trace(model, (3, 2))
    assert model.weight.device.type == "cpu"
    assert torch.equal(model.weight, torch.ones(3, 3))


def test_no_op_goes_through_the_compiler_of_torch():
    assert not hasattr(DispatchRecorder.__torch_dispatch__, "__wrapped__")
