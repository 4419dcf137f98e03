"""Attention: its attributes, and one cost however it is called."""

import pytest
import torch
import torch.nn.functional as F
from packaging.version import Version
from torch import nn

import resflops
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import Work


class Attention(nn.Module):
    """Attention to keys and values that are parameters."""

    def __init__(self, mask=None, *, keys=7, causal=False, grouped=False):
        super().__init__()
        self.key, self.value = (nn.Parameter(torch.rand(1, 2, keys, 8)) for _ in range(2))
        self.mask, self.causal, self.grouped = mask, causal, grouped

    def forward(self, x):
        return F.scaled_dot_product_attention(
            x, self.key, self.value, self.mask, is_causal=self.causal, enable_gqa=self.grouped
        )


class SelfAttention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True, **options)

    def forward(self, x):
        return self.inner(x, x, x)[0]


PLAIN = {
    "attention": (Attention(), (1, 2, 5, 8)),
    "attention, causal": (Attention(keys=5, causal=True), (1, 2, 5, 8)),
    "attention, masked": (Attention(torch.zeros(5, 7)), (1, 2, 5, 8)),
    "attention, grouped": (Attention(grouped=True), (1, 4, 5, 8)),
}
CASES = {**PLAIN, "multi-head attention": (SelfAttention(), (2, 5, 8))}
DIFFERS = {
    # Torch has no fused kernel for shapes and scales query and key.
    **{("fallback", name): {"flops", "flops backward"} for name in PLAIN},
    # Torch takes query, key and value out of one projection by three ops, whose gradients it adds up.
    ("exported", "multi-head attention"): {"flops backward"},
    **{(style, "multi-head attention"): {"formula", "flops backward"} for style in ("make_fx", "fallback")},
    # A script takes them out so, too, and leaves the mean out that nothing takes.
    ("scripted", "multi-head attention"): {"flops", "flops backward"},
}

FUSED = pytest.mark.skipif(
    Version(torch.__version__) < Version("2.9"), reason="this torch has no fused kernel for shared keys"
)


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_compiled_script_takes_the_same_products(name):
    model, shape = CASES[name]
    costs = [resflops.count(each, shape, backward=True) for each in (model, torch.jit.script(model))]
    assert all(cost.complete for cost in costs)
    assert len({(cost.macs, cost.backward.macs) for cost in costs}) == 1


@FUSED
def test_a_fused_kernel_is_told_of_shared_keys_by_its_shapes(trace_style):
    (eager, fused) = (
        next(op for op in trace_style(style, *CASES["attention, grouped"]).ops if op.op != "mul")
        for style in ("eager", "make_fx")
    )
    assert (fused.op, fused.attributes) == (eager.op, eager.attributes)
    assert eager.attributes == {
        "masked": False, "mask_dims": 0, "causal": False, "grouped": True, "dropout": False,
    }  # fmt: skip


def test_without_word_of_a_mask_it_has_no_cost(record):
    given = record("scaled_dot_product_attention", [(1, 2, 5, 4)] * 3, (1, 2, 5, 4))
    with pytest.raises(MissingAttributeError, match=r"scaled_dot_product_attention.*there.*`masked`"):
        OPS[given.op].work(given)
    with pytest.raises(MissingAttributeError, match="`masked`"):
        OPS[given.op].gradient.work(given, (0,))


def test_an_old_trace_of_attention_says_nothing_of_dropout(record):
    given = record("scaled_dot_product_attention", [(1, 2, 5, 4)] * 3, (1, 2, 5, 4),
                   masked=True, causal=False, grouped=False)  # fmt: skip
    assert OPS[given.op].work(given).macs == 2 * 5 * 5 * 8


def test_a_mask_adds_one_addition_a_score(record):
    shapes = [(1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)], (1, 2, 5, 3)
    plain, masked = (
        OPS["scaled_dot_product_attention"].work(
            record("scaled_dot_product_attention", *shapes, masked=each, causal=False, grouped=False)
        )
        for each in (False, True)
    )
    # The scale 1 a score; the softmax 2 a score and 6 additions a row.
    assert plain == Work(
        macs=70 * 7, arithmetic=3 * 70 + 10 * 6, comparisons=10 * 6, transcendental=70
    )  # fmt: skip
    assert (masked.arithmetic - plain.arithmetic, masked.macs) == (70, plain.macs)
