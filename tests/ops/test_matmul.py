"""Matrix products: their attributes, and one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import MissingAttributeError, TraceError
from resflops.ops import OPS
from resflops.records import Work

CASES = {
    "linear": (nn.Linear(8, 3), (5, 8)),
    "linear on a sequence": (nn.Linear(8, 3), (2, 5, 8)),
    "linear without bias": (nn.Linear(8, 3, bias=False), (5, 8)),
    "matrices": (lambda x, w: x @ w, (5, 8), (8, 3)),
    "mm": (torch.mm, (5, 8), (8, 3)),
    "batched": (torch.bmm, (2, 5, 8), (2, 8, 3)),
    "broadcast batches": (torch.matmul, (2, 1, 5, 8), (6, 8, 3)),
    "folded": (torch.matmul, (2, 5, 8), (8, 3)),
    "matrix by vector": (torch.mv, (5, 8), (8,)),
    "dot": (torch.dot, (8,), (8,)),
    "vdot": (torch.vdot, (8,), (8,)),
    "inner": (torch.inner, (5, 8), (3, 8)),
    "addmm": (lambda x, b, w: torch.addmm(b, x, w), (5, 8), (3,), (8, 3)),
    "addmv": (lambda x, b, w: torch.addmv(b, x, w), (5, 8), (5,), (8,)),
    "baddbmm": (lambda x, b, w: torch.baddbmm(b, x, w), (2, 5, 8), (2, 5, 3), (2, 8, 3)),
    "addbmm": (lambda x, b, w: torch.addbmm(b, x, w), (2, 5, 8), (5, 3), (2, 8, 3)),
    "addr": (lambda x, b, w: torch.addr(b, x, w), (5,), (5, 3), (3,)),
    "bilinear": (F.bilinear, (5, 8), (5, 7), (6, 8, 7)),
    "bilinear with bias": (F.bilinear, (5, 8), (5, 7), (6, 8, 7), (6,)),
}
BELOW = ("make_fx", "fallback")
DIFFERS = {
    # It is a plain product there, which formula adds no 1 to.
    **{(style, "linear without bias"): {"formula"} for style in BELOW},
    # The bias is an addition, which has fewer gradients to add than elements.
    **{(style, "bilinear with bias"): {"flops backward"} for style in BELOW},
}
"""Where torch takes a function apart so that other work is left than it does as one."""


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


@pytest.mark.parametrize(
    ("op", "shapes", "output"),
    [
        ("linear", [(2, 8), (3, 8)], (2, 3)),
        ("linear_relu", [(2, 8), (3, 8)], (2, 3)),
        ("bilinear", [(2, 4), (2, 5), (6, 4, 5)], (2, 6)),
    ],
)
def test_without_word_of_a_bias_it_has_no_cost(op, shapes, output, record):
    given = record(op, shapes, output)
    with pytest.raises(MissingAttributeError, match=f"{op}.*there.*`bias`"):
        OPS[op].work(given)
    if OPS[op].gradient and OPS[op].gradient.work:
        with pytest.raises(MissingAttributeError, match="`bias`"):
            OPS[op].gradient.work(given, (0,))


BILINEAR = [(5, 8), (5, 7), (6, 8, 7)], (5, 6)


@pytest.mark.parametrize(
    ("operand", "work"),
    [
        (0, Work(macs=30 * (56 + 8))),
        (1, Work(macs=30 * (56 + 7))),
        (2, Work(macs=30 * 56, arithmetic=30 * 8)),
        (3, Work(arithmetic=30)),
    ],
)
def test_every_operand_of_a_bilinear_form_has_a_gradient_of_its_own(operand, work, record):
    given = record("bilinear", *BILINEAR, bias=True)
    assert OPS["bilinear"].gradient.work(given, (operand,)) == (work,)
    assert OPS["bilinear"].work(given) == Work(macs=30 * (8 + 1) * 7, bias_adds=30)
    assert OPS["bilinear"].factors(given) == ((5, 6), (9, 7))
    assert OPS["bilinear"].weightless_macs(given) == 5 * 6 * 7


def test_a_bilinear_form_refuses_inputs_of_other_rows(trace_style):
    with pytest.raises(TraceError, match="differ in more than their last dimension"):
        trace_style("eager", F.bilinear, (3, 5, 8), (3, 4, 7), (6, 8, 7))


@pytest.mark.parametrize(
    ("left", "right", "macs", "others"),
    [
        pytest.param((2, 3), (4, 3), 24, 0, id="rows by rows"),
        pytest.param((3,), (3,), 3, 0, id="vectors"),
        pytest.param((), (), 0, 1, id="scalars"),
        pytest.param((2, 3), (), 0, 6, id="by a scalar"),
        pytest.param((), (3,), 0, 3, id="a scalar by a vector"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "each_mac", "each_product"), [(torch.float32, 2, 1), (torch.complex64, 8, 6)]
)
def test_an_inner_product_that_inference_mode_leaves_whole_costs_what_it_does(
    left, right, macs, others, kind, each_mac, each_product
):
    model = nn.Module()

    @torch.inference_mode()
    def forward(*operands):
        return torch.inner(*operands)

    model.forward = forward
    operands = torch.ones(left, dtype=kind), torch.ones(right, dtype=kind)
    cost = resflops.count(model, *operands, convention="flops", backward=True)
    assert [op.op for op in cost.trace.ops] == ["inner"]
    assert cost.total == macs * each_mac + others * each_product
