"""Layers that look like others: what is recorded of them without a forward is what a forward would give."""

import contextlib
import copy
import sys
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import resflops
from resflops.ops import CLASSES, OPS
from resflops.tracing import modules, stock_layers

IMAGE, TOKENS, SIGNAL, VOLUME = (2, 6, 10, 10), (2, 5, 6), (2, 6, 12), (1, 6, 4, 6, 6)

LAYERS = {
    "Conv1d": ((6, 4, 3), SIGNAL),
    "Conv2d": ((6, 4, 3), IMAGE),
    "Conv3d": ((6, 4, 3), VOLUME),
    "ConvTranspose1d": ((6, 4, 3), SIGNAL),
    "ConvTranspose2d": ((6, 4, 3), IMAGE),
    "ConvTranspose3d": ((6, 4, 3), VOLUME),
    "Linear": ((6, 3), TOKENS),
    "BatchNorm1d": ((6,), SIGNAL),
    "BatchNorm2d": ((6,), IMAGE),
    "BatchNorm3d": ((6,), VOLUME),
    "GroupNorm": ((2, 6), IMAGE),
    "LayerNorm": ((6,), TOKENS),
    "RMSNorm": ((6,), TOKENS),
    "ReLU": ((), IMAGE),
    "ReLU6": ((), IMAGE),
    "LeakyReLU": ((), IMAGE),
    "ELU": ((), IMAGE),
    "SELU": ((), IMAGE),
    "CELU": ((), IMAGE),
    "GELU": ((), TOKENS),
    "SiLU": ((), IMAGE),
    "Mish": ((), IMAGE),
    "Softplus": ((), IMAGE),
    "Hardtanh": ((), IMAGE),
    "Hardswish": ((), IMAGE),
    "Hardsigmoid": ((), IMAGE),
    "Sigmoid": ((), IMAGE),
    "Tanh": ((), IMAGE),
    "LogSigmoid": ((), IMAGE),
    "Softsign": ((), IMAGE),
    "Softmax": ((1,), IMAGE),
    "LogSoftmax": ((1,), IMAGE),
    "MaxPool1d": ((2,), SIGNAL),
    "MaxPool2d": ((2,), IMAGE),
    "MaxPool3d": ((2,), VOLUME),
    "AvgPool1d": ((2,), SIGNAL),
    "AvgPool2d": ((2,), IMAGE),
    "AvgPool3d": ((2,), VOLUME),
    "AdaptiveAvgPool1d": ((2,), SIGNAL),
    "AdaptiveAvgPool2d": ((2,), IMAGE),
    "AdaptiveAvgPool3d": ((2,), VOLUME),
    "AdaptiveMaxPool1d": ((2,), SIGNAL),
    "AdaptiveMaxPool2d": ((2,), IMAGE),
    "AdaptiveMaxPool3d": ((2,), VOLUME),
    "Dropout": ((), IMAGE),
    "Dropout1d": ((), SIGNAL),
    "Dropout2d": ((), IMAGE),
    "Dropout3d": ((), VOLUME),
}
"""Arguments of each class, and the shape of an input."""


class Applied(nn.Module):
    """A model that applies a function to itself and its input, after an op that makes the input its own."""

    def __init__(self, forward=None, **layers):
        super().__init__()
        self.applied = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        x = x + 1
        return self.applied(self, x) if self.applied else self.layer(x)


@pytest.fixture(autouse=True)
def nothing_known():
    for known in stock_layers._CLASSES.values():
        known.calls.clear()
        known.met.clear()


def make(name):
    arguments, shape = LAYERS[name]
    return Applied(layer=getattr(nn, name)(*arguments)).eval(), shape


def list_forwards(model, shape):
    """List the functions named forward that run in a trace."""
    ran = []

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_name == "forward":
            ran.append(type(frame.f_locals.get("self")).__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        resflops.trace(model, shape)
    finally:
        sys.setprofile(before)
    return ran


def test_every_stock_class_has_a_case():
    assert sorted(LAYERS) == sorted(stock_layers._STOCK)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_is_known_is_recorded_as_its_forward_was(name):
    model, shape = make(name)
    first = resflops.trace(model, shape)
    assert [resflops.trace(model, shape) for _ in range(3)] == [first] * 3
    other, _ = make(name)
    assert resflops.trace(other, shape) == first


@pytest.mark.parametrize("name", LAYERS)
def test_the_forward_of_a_known_layer_does_not_run(name):
    model, shape = make(name)
    for _ in range(3):
        resflops.trace(model, shape)
    assert list_forwards(model, shape) == ["Applied"]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [False, True])
def test_each_mode_keeps_its_own_ops(name, training):
    model, shape = make(name)
    for mode in (training, not training, training):
        fresh, _ = make(name)
        for _ in range(2):
            ops = resflops.trace(model.train(mode), shape).ops
        stock_layers._CLASSES[getattr(nn, name)].calls.clear()
        assert ops == resflops.trace(fresh.train(mode), shape).ops


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_other_attributes_are_others(name):
    """Each number among a layer's attributes is changed; then it is what a new layer with it is."""
    _, shape = make(name)
    changes = {"stride": (2, 2), "eps": 0.5, "p": 0.25, "negative_slope": 0.5, "momentum": None, "groups": 2}
    for attribute, value in changes.items():
        trials = []
        for forget in (False, True):
            model, _ = make(name)
            if attribute not in vars(model.layer):
                continue
            resflops.trace(model, shape)
            if forget:
                stock_layers._CLASSES[type(model.layer)].calls.clear()
            setattr(model.layer, attribute, value)
            with contextlib.suppress(resflops.ResflopsError):
                trials.append(resflops.trace(model, shape))
        assert len({str(trial) for trial in trials}) <= 1


def double_stride(model, x):
    before = model.layer(x)
    model.layer.stride = (2, 2)
    return before, model.layer(x)


def replace_weight(model, x):
    before = model.layer(x)
    model.layer.weight = nn.Parameter(torch.empty(8, 6, 1, 1, device=model.layer.weight.device))
    model.layer.bias = None
    return before, model.layer(x)


def replace_data(model, x):
    before = model.layer(x)
    model.layer.weight.data = torch.empty(8, 6, 1, 1, device=model.layer.weight.device)
    model.layer.bias = None
    return before, model.layer(x)


def swap_weight(model, x):
    before = model.layer(x)
    other = nn.Parameter(torch.empty(8, 6, 1, 1, device=model.layer.weight.device))
    torch.utils.swap_tensors(model.layer.weight, other)
    model.layer.bias = None
    return before, model.layer(x)


def call_with_other_weights(model, x):
    weights = {"weight": torch.empty(8, 6, 1, 1, device=x.device), "bias": torch.empty(8, device=x.device)}
    return model.layer(x), torch.func.functional_call(model.layer, weights, (x,))


def hook_output(model, x):
    before = model.layer(x)
    handle = model.layer.register_forward_hook(lambda layer, args, output: output[:, :, ::2, ::2])
    after = model.layer(x)
    handle.remove()
    return before, after


def hook_input(model, x):
    before = model.layer(x)
    handle = model.layer.register_forward_pre_hook(lambda layer, args: (args[0][:, :, ::2, ::2],))
    after = model.layer(x)
    handle.remove()
    return before, after


def hook_all(model, x):
    before = model.layer(x)
    handle = nn.modules.module.register_module_forward_hook(
        lambda layer, args, output: output[:, :, ::2, ::2]
    )
    after = model.layer(x)
    handle.remove()
    return before, after


def replace_forward(model, x):
    before = model.layer(x)
    model.layer.forward = lambda x: x[:, :, ::2, ::2]
    return before, model.layer(x)


def replace_class(model, x):
    before = model.layer(x)
    model.layer.__class__ = Halved
    return before, model.layer(x)


class Halved(nn.Conv2d):
    def forward(self, x):
        return super().forward(x)[:, :, ::2, ::2]


def copy_layer(model, x):
    other = copy.deepcopy(model.layer)
    other.stride = (2, 2)
    return model.layer(x), other(x), copy.copy(other)(x)


def call_by_keyword(model, x):
    return model.layer(x), model.layer(input=x)


def reshape_input(model, x):
    before = model.layer(x)
    x.resize_(2, 6, 5, 20)
    return before, model.layer(x)


def lay_out_otherwise(model, x):
    return (
        model.layer(x),
        model.layer(x.transpose(2, 3)),
        model.layer(x.to(memory_format=torch.channels_last)),
    )


def map_over_batch(model, x):
    return model.layer(x), torch.vmap(model.layer)(x.unsqueeze(1))


CHANGES = [
    double_stride, replace_weight, replace_data, swap_weight, call_with_other_weights, hook_output, hook_input,
    hook_all, replace_forward, replace_class, copy_layer, call_by_keyword, reshape_input, lay_out_otherwise,
    map_over_batch,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_a_forward_changes_counts(change):
    def list_ops(**options):
        model = Applied(change, layer=nn.Conv2d(6, 4, 3)).eval()
        before = [*vars(model.layer)]
        ops = resflops.trace(model, IMAGE, **options).ops
        assert [*vars(model.layer)] == before
        # Where a copy is hidden in a reshape, a real run may have another name for it.
        shown = [op for op in ops if op.op in {"conv2d", "getitem"} and len(op.output_shapes[0]) == 4]
        return [(op.op, op.layer, op.input_shapes, op.output_shapes, op.attributes) for op in shown]

    # A real run takes no call for known.
    real = list_ops(real=True)
    assert sum(op == "conv2d" for op, *_ in real) >= 1
    assert [list_ops() for _ in range(3)] == [real] * 3


@pytest.mark.parametrize(
    ("owner", "name", "layer"),
    [
        pytest.param(functional, "relu", nn.ReLU(), id="a function that is called"),
        pytest.param(torch, "sigmoid", nn.Sigmoid(), id="a function of torch's"),
        pytest.param(nn.ReLU, "forward", nn.ReLU(), id="a forward"),
        pytest.param(nn.Conv2d, "_conv_forward", nn.Conv2d(6, 6, 1), id="a method that a forward calls"),
        pytest.param(nn.Module, "_call_impl", nn.ReLU(), id="the way that all modules are called"),
    ],
)
@pytest.mark.parametrize("when", ["before", "under way"])
def test_what_is_replaced_is_called(owner, name, layer, when):
    own = getattr(owner, name)
    called = []

    def replacement(*args, **kwargs):
        called.append(name)
        return own(*args, **kwargs)

    def replace(model, x):
        x = model.layer(x)
        setattr(owner, name, replacement)
        try:
            return model.layer(x)
        finally:
            setattr(owner, name, own)

    for _ in range(3):
        resflops.trace(Applied(layer=layer), IMAGE)
    if when == "before":
        setattr(owner, name, replacement)
        try:
            resflops.trace(Applied(layer=layer), IMAGE)
        finally:
            setattr(owner, name, own)
    else:
        resflops.trace(Applied(replace, layer=layer), IMAGE)
    assert called
    called.clear()
    assert list_forwards(Applied(layer=layer), IMAGE) == ["Applied"]


class Noting(TorchFunctionMode):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(func)
        return func(*args, **(kwargs or {}))


class Passing(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def test_a_mode_of_the_models_own_sees_the_calls_of_its_layers():
    seen = []

    def apply(model, x):
        with Noting(seen):
            return model.layer(x)

    model = Applied(apply, layer=nn.ReLU())
    for number in range(1, 4):
        resflops.trace(model, IMAGE)
        assert seen.count(functional.relu) == number


@pytest.mark.parametrize(
    "around", [lambda: torch.device("cpu"), Passing, torch.no_grad, torch.enable_grad, torch.inference_mode]
)
def test_a_trace_within_something_is_the_same_each_time(around):
    def apply(model, x):
        with around():
            return model.layer(x)

    model = Applied(apply, layer=nn.ReLU(inplace=True))
    with around():
        first = resflops.trace(model, IMAGE)
        assert [resflops.trace(model, IMAGE) for _ in range(3)] == [first] * 3


def test_layers_that_a_thread_of_the_forward_calls_are_recorded():
    def apply(model, x):
        results = []
        thread = threading.Thread(target=lambda: results.append(model.layer(x)))
        thread.start()
        thread.join()
        return model.layer(results[0])

    model = Applied(apply, layer=nn.Conv2d(6, 6, 1))
    assert [len(resflops.trace(model, IMAGE).ops) for _ in range(4)] == [3] * 4


def test_a_trace_within_a_trace_records_its_own_layers():
    inside = []

    def apply(model, x):
        x = model.layer(x)
        inside.append(resflops.trace(Applied(layer=model.layer), IMAGE))
        return model.layer(x)

    model = Applied(apply, layer=nn.Conv2d(6, 6, 1))
    first = resflops.trace(model, IMAGE)
    assert [resflops.trace(model, IMAGE) for _ in range(3)] == [first] * 3
    assert inside == [inside[0]] * 4
    assert "_compiled_call_impl" not in vars(model.layer)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_layers_are_as_they_were_after_an_exception(error):
    seen = []

    def fail(model, x):
        seen.append("_compiled_call_impl" in vars(model.layer))
        raise error

    model = Applied(fail, layer=nn.ReLU())
    resflops.trace(Applied(layer=model.layer), IMAGE)
    before = dict(vars(model.layer))
    with pytest.raises((resflops.ResflopsError, KeyboardInterrupt)):
        resflops.trace(model, IMAGE)
    assert seen[0]
    assert [*vars(model.layer).items()] == [*before.items()]


def test_a_layer_that_its_owner_has_compiled_stays_so():
    layer, called = nn.ReLU(), []
    layer._compiled_call_impl = lambda x: called.append(x) or layer._call_impl(x)
    model = Applied(layer=layer)
    for number in range(1, 4):
        resflops.trace(model, IMAGE)
        assert len(called) == number
    assert "_compiled_call_impl" in vars(layer)


def test_numbers_that_are_equal_but_of_other_types_stay_apart():
    model = Applied(
        lambda model, x: model.two(model.one(x)), one=nn.LayerNorm(6, 1), two=nn.LayerNorm(6, 1.0)
    )
    for _ in range(3):
        ops = resflops.trace(model, TOKENS).ops
        assert [type(each) for op in ops for name, each in op.attributes.items() if name == "eps"] in (
            [],
            [int, float],
        )


@pytest.mark.parametrize("added", [7, lambda x: x, {}], ids=["plain", "function", "container"])
def test_one_layer_with_more_attributes_does_not_keep_others_from_being_known(added):
    modules._CLASSES.pop(id(nn.Hardtanh), None)
    stock_layers._CLASSES.pop(nn.Hardtanh, None)
    unusual = nn.Hardtanh()
    unusual.added = added
    resflops.trace(Applied(layer=unusual), IMAGE)
    for _ in range(3):
        resflops.trace(Applied(layer=nn.Hardtanh()), IMAGE)
    assert list_forwards(Applied(layer=nn.Hardtanh()), IMAGE) == ["Applied"]


def test_weights_are_found_by_their_names_and_not_by_their_order():
    def make_linear(*, turned):
        layer = nn.Linear(6, 6, bias=False)
        if turned:
            weight = layer.weight
            del layer.weight, layer.bias
            layer.register_parameter("bias", None)
            layer.register_parameter("weight", weight)
        return Applied(layer=layer)

    for turned in (False, False, True, True):
        assert resflops.trace(make_linear(turned=turned), TOKENS).ops[-1].input_shapes == (TOKENS, (6, 6))


def test_a_frozen_weight_has_no_gradient():
    def count(model):
        return resflops.count(model, TOKENS, backward=True).backward.weight_work.macs

    layer = nn.Linear(6, 6)
    for _ in range(3):
        assert count(Applied(layer=layer)) == 10 * 6 * 6
    layer.requires_grad_(False)
    assert count(Applied(layer=layer)) == 0


def test_a_rule_for_a_class_is_kept_to():
    def list_ops():
        return [op.op for op in resflops.trace(Applied(layer=nn.Mish()), IMAGE).ops]

    try:
        for _ in range(3):
            assert list_ops() == ["add", "mish"]
        resflops.rule(nn.Mish)(lambda inputs, outputs, attributes: resflops.Work(macs=7))
        for _ in range(3):
            assert list_ops() == ["add", CLASSES[nn.Mish]]
    finally:
        OPS.pop(CLASSES.pop(nn.Mish, ""), None)
    assert list_ops() == ["add", "mish"]
