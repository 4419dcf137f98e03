"""Which calls a counter that patches functions sees, told from the way that each call takes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import Failure, run_in_process
from resflops.crosschecking.patches import find_sights, list_patches
from resflops.crosschecking.reconciliation import reconcile

PATCHED = [
    "nn.functional.gelu",
    "nn.functional.softmax",
    "nn.functional.linear",
    "nn.functional.adaptive_avg_pool2d",
    "torch.matmul",
    "Tensor.matmul",
    "torch.mul",
    "Tensor.mul",
]

HELD = F.gelu


class Model(nn.Module):
    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def see(function, shape=(2, 4, 4), **layers):
    """Which ops go through patched functions, in a process of their own."""
    model = Model(function, **layers).eval()
    traced = resflops.trace(model, shape)
    sights = run_in_process(
        lambda: find_sights(model, (torch.zeros(shape),), {}, patched=PATCHED, expected=traced),
        seconds=60,
        kind=dict[int, bool],
    )
    assert not isinstance(sights, Failure), sights
    return [(traced.ops[place].op, seen) for place, seen in sights.items()]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda m, x: F.gelu(x), [("gelu", True)]),
        (lambda m, x: HELD(x), [("gelu", False)]),
        (lambda m, x: nn.functional.softmax(x, dim=-1), [("softmax", True)]),
        (lambda m, x: x.softmax(dim=-1), [("softmax", False)]),
        (lambda m, x: torch.softmax(x, dim=-1), [("softmax", False)]),
        (lambda m, x: torch.matmul(x, x), [("matmul", True)]),
        (lambda m, x: x.matmul(x), [("matmul", True)]),
        (lambda m, x: x @ x, [("matmul", False)]),
        (lambda m, x: x.bmm(x), [("matmul", False)]),
        (lambda m, x: torch.mul(x, x), [("mul", True)]),
        (lambda m, x: x.mul(2), [("mul", True)]),
        (lambda m, x: x * x, [("mul", False)]),
        (lambda m, x: x.mul_(2), [("mul", False)]),
        (lambda m, x: F.gelu(x @ x) * x.matmul(x), [("matmul", False), ("gelu", True), ("matmul", True), ("mul", False)]),
    ],
)  # fmt: skip
def test_a_call_is_seen_that_goes_through_a_patched_function(function, expected):
    assert see(function) == expected


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.GELU(), (2, 4, 4), [("gelu", True)]),
        (nn.Linear(4, 4), (2, 4, 4), [("linear", True)]),
        (nn.AdaptiveAvgPool2d(1), (1, 2, 4, 4), [("adaptive_avg_pool2d", True)]),
    ],
    ids=["GELU", "Linear", "AdaptiveAvgPool2d"],
)
def test_a_layer_calls_what_is_patched(layer, shape, expected):
    assert see(lambda m, x: m.layer(x), shape, layer=layer) == expected


def test_what_a_function_in_python_calls_inside_is_not_told():
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    sights = see(lambda m, x: m.layer(x, x, x, need_weights=False)[0], layer=attention)
    assert {op for op, _ in sights}.isdisjoint({"linear", "scaled_dot_product_attention"})


def test_a_model_that_keeps_what_it_has_looked_up_is_the_same_but_for_free_ops():
    kept = {}

    def attend(model, x):
        if str(x.device) not in kept:
            kept[str(x.device)] = model.fc.weight[:, [0, 1]]
        return (x @ kept[str(x.device)]).softmax(dim=-1)

    model = Model(attend, fc=nn.Linear(4, 4)).eval()
    resflops.trace(model, (2, 4, 4))
    traced = resflops.trace(model, (2, 4, 4))
    kept.clear()
    sights = run_in_process(
        lambda: find_sights(model, (torch.zeros(2, 4, 4),), {}, patched=PATCHED, expected=traced),
        seconds=60,
        kind=dict[int, bool],
    )
    assert {traced.ops[place].op: seen for place, seen in sights.items()} == {
        "matmul": False,
        "softmax": False,
    }


def test_what_is_patched_while_a_model_runs_is_listed():
    original = F.relu
    model = nn.ReLU()
    with list_patches(model) as patched:
        assert patched == []
        try:
            F.relu = lambda x, inplace=False: original(x)
            torch.Tensor.matmul = lambda a, b: a
            model(torch.zeros(1))
        finally:
            F.relu = original
            del torch.Tensor.matmul
    assert patched == ["nn.functional.relu", "Tensor.matmul"]
    assert not model._forward_pre_hooks


@pytest.mark.parametrize(
    ("peer", "sights", "cause", "amount"),
    [
        ("calflops", {}, None, None),
        ("calflops", {0: False}, "matrix products not seen", -128),
        ("ptflops", {0: True, 1: False}, None, None),
        ("ptflops", {1: True}, "arithmetic on single elements", 32),
        ("DeepSpeed", {0: False}, "matrix products not seen", -128),
    ],
)
def test_a_call_that_is_missed_is_a_cause_and_one_that_is_seen_after_all_too(peer, sights, cause, amount):
    """A product of 2·4·4·4 multiply-accumulates, and one of 2·4·4 elements."""
    traced = resflops.trace(Model(lambda m, x: (x @ x) * 2), (2, 4, 4))
    assert [op.op for op in traced.ops] == ["matmul", "mul"]
    peer = PEERS[peer]
    figure = 128 + (amount or 0)
    row = reconcile(traced, peer, peer.convention, version="", figure=figure, peer_params=None, sights=sights)
    assert [(each.name, each.amount) for each in row.causes] == ([(cause, amount)] if cause else [])
    assert row.unexplained == 0
    assert row.sights == sights


def attend(model, x):
    scores = (x @ x.transpose(-2, -1)).softmax(dim=-1)
    return HELD(model.fc(scores @ x)).mul(model.scale)


@pytest.mark.parametrize("name", ["calflops", "DeepSpeed", "ptflops"])
def test_operators_methods_and_functions_held_by_the_model_are_explained(name):
    if find_installed_version(PEERS[name]) is None:
        pytest.skip(f"{name} is not installed")
    model = Model(attend, fc=nn.Linear(4, 4))
    model.scale = nn.Parameter(torch.ones(4))
    for row in resflops.crosscheck(model, (1, 6, 4), peers=[name]).rows:
        assert (row.failure, row.unexplained) == ("", 0), row.convention
        assert row.sights


def test_a_bias_that_addmm_adds_counts_once_for_peers_that_patch_it():
    """10 rows of 4 features to 6: the bias has 6 elements, and 60 are added."""
    model = Model(lambda m, x: torch.addmm(m.fc.bias, x, m.fc.weight.t()), fc=nn.Linear(4, 6))
    trace = resflops.trace(model, (10, 4))
    assert resflops.count(trace, convention="ptflops").total == 10 * 4 * 6 + 6
    assert resflops.count(trace, convention="DeepSpeed-flops").total == 2 * 10 * 4 * 6 + 6
