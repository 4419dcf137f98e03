"""Complex numbers: every operation is counted by the real ones that it is made of."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.cost import price
from resflops.cost.convention import find_convention
from resflops.ops import OPS
from resflops.records import Work


class Call(nn.Module):
    def __init__(self, function, *weights):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(weights)

    def forward(self, *inputs):
        return self.function(*inputs, *self.weights)


def work(function, *inputs):
    cost = resflops.count(Call(function), *inputs)
    assert cost.uncounted == ()
    return cost.work


CASES = {
    "polar": (lambda x: torch.view_as_real(torch.polar(x, x)), (2, 3)),
    "product": (lambda x: torch.view_as_real(x.to(torch.complex64) @ x.mT.to(torch.complex64)), (2, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


Z = torch.ones(2, 3, dtype=torch.complex64)
R = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("function", "inputs", "expected"),
    [
        # Two rows by two columns of 3: 12 complex multiply-accumulates.
        pytest.param(lambda z: z @ z.mT, [Z], Work(macs=48), id="product"),
        pytest.param(lambda z: torch.einsum("ab,cb->ac", z, z), [Z], Work(macs=48), id="einsum"),
        pytest.param(lambda z: F.linear(z, z, z[:, 0]), [Z], Work(macs=48, bias_adds=8), id="linear"),
        pytest.param(lambda z, w: F.conv1d(z, w), [torch.ones(1, 3, 5, dtype=torch.complex64),
                     torch.ones(4, 3, 2, dtype=torch.complex64)], Work(macs=4 * 16 * 6), id="convolution"),
        pytest.param(lambda z: z + z, [Z], Work(arithmetic=12), id="sum of two"),
        pytest.param(lambda z: z - 1, [Z], Work(arithmetic=12), id="less a number"),
        pytest.param(lambda z: z * z, [Z], Work(arithmetic=36), id="product of elements"),
        pytest.param(lambda z, r: z * r, [Z, R], Work(arithmetic=36), id="real by complex"),
        pytest.param(lambda r, z: r * z, [R, Z], Work(arithmetic=36), id="complex by real"),
        pytest.param(lambda z: z / z, [Z], Work(arithmetic=66), id="quotient"),
        pytest.param(lambda z: -z, [Z], Work(arithmetic=12), id="negative"),
        pytest.param(lambda z: z.abs(), [Z], Work(arithmetic=18, transcendental=6), id="magnitude"),
        pytest.param(torch.exp, [Z], Work(arithmetic=12, transcendental=18), id="exponential"),
        pytest.param(torch.conj_physical, [Z], Work(arithmetic=6), id="conjugate"),
        pytest.param(torch.sum, [Z], Work(arithmetic=10), id="sum"),
        pytest.param(torch.mean, [Z], Work(arithmetic=12), id="mean"),
        pytest.param(torch.prod, [Z], Work(arithmetic=30), id="product of all"),
        pytest.param(torch.var, [Z], Work(arithmetic=48), id="variance"),
        pytest.param(torch.linalg.vector_norm, [Z], Work(arithmetic=23, transcendental=1), id="norm"),
        pytest.param(lambda z: z == z.clone(), [Z], Work(comparisons=12), id="equality"),
        pytest.param(lambda z: z**3, [Z], Work(arithmetic=72), id="third power"),
        pytest.param(lambda r: torch.polar(r, r), [R], Work(arithmetic=12, transcendental=12), id="polar"),
        pytest.param(lambda z: (torch.view_as_real(z), z.conj(), z.real)[2], [Z], Work(), id="views"),
        pytest.param(lambda r: torch.view_as_complex(r.view(3, 2)), [R], Work(), id="as complex"),
    ],
)  # fmt: skip
def test_an_operation_counts_its_real_ones(function, inputs, expected):
    assert work(function, *inputs) == expected


@pytest.mark.parametrize(
    ("function", "arithmetic", "comparisons", "transcendental"),
    [
        # Doubled 2, a sum, two quotients; a sine, a cosine and their hyperbolic twins.
        pytest.param(torch.tan, 2 + 1 + 2, 0, 4, id="tangent"),
        # iz 1, squared 6, from one 2, root 7 and 3, sum 2, logarithm 4 and 2, times -i 1.
        pytest.param(torch.asin, 1 + 6 + 2 + 7 + 2 + 4 + 1, 1, 5, id="arc sine"),
        pytest.param(torch.acos, 23 + 2, 1, 5, id="arc cosine"),
        # iz 1, two sums 4, two logarithms 8 and 4, a difference 2, times i/2 2.
        pytest.param(torch.atan, 1 + 4 + 8 + 2 + 2, 0, 4, id="arc tangent"),
        # Squared 6, plus one 2, root 7 and 3, sum 2, logarithm 4 and 2.
        pytest.param(torch.asinh, 6 + 2 + 7 + 2 + 4, 1, 5, id="area sine"),
        # Two sums 4, two roots 14 and 6, a product 6, a sum 2, a logarithm 4 and 2.
        pytest.param(torch.acosh, 4 + 14 + 6 + 2 + 4, 2, 8, id="area cosine"),
        pytest.param(torch.atanh, 4 + 8 + 2 + 2, 0, 4, id="area tangent"),
        # Times the logarithm of 2, which is real, 2; an exponential 2 and 3.
        pytest.param(torch.exp2, 2 + 2, 0, 3, id="power of two"),
    ],
)
def test_an_angle_counts_the_logarithms_and_roots_that_it_is_made_of(
    function, arithmetic, comparisons, transcendental
):
    each = Work(arithmetic=arithmetic, comparisons=comparisons, transcendental=transcendental)
    assert work(function, Z) == each.times(6)


@pytest.mark.parametrize(
    ("function", "each"),
    [
        # A number over a tensor: y' negated 2, times the quotient 6, over the divisor 11.
        pytest.param(lambda z: 2 / z, Work(arithmetic=19), id="number over"),
        pytest.param(lambda z: z / 2, Work(arithmetic=11), id="over a number"),
        pytest.param(torch.tan, Work(arithmetic=6 + 2 + 6), id="tangent"),
        # Squared 6, from one 2, root 7 with a comparison and 3 transcendental, quotient 11.
        pytest.param(torch.asin, Work(arithmetic=26, comparisons=1, transcendental=3), id="arc sine"),
        pytest.param(torch.acos, Work(arithmetic=28, comparisons=1, transcendental=3), id="arc cosine"),
        pytest.param(torch.atan, Work(arithmetic=6 + 2 + 11), id="arc tangent"),
        # A cosine is 3 and 4, a product 6; of the cosine's gradient a negation 2 as well.
        pytest.param(torch.sin, Work(arithmetic=3 + 6, transcendental=4), id="sine"),
        pytest.param(torch.cos, Work(arithmetic=2 + 6 + 2, transcendental=4), id="cosine"),
        pytest.param(torch.sqrt, Work(arithmetic=2 + 11), id="root"),
        pytest.param(torch.reciprocal, Work(arithmetic=6 + 6 + 2), id="reciprocal"),
        pytest.param(torch.tanh, Work(arithmetic=6 + 2 + 6), id="hyperbolic tangent"),
        pytest.param(torch.log1p, Work(arithmetic=2 + 11), id="logarithm of one more"),
    ],
)
def test_its_gradient_is_that_of_real_numbers_with_complex_operations(function, each):
    model = Call(function, nn.Parameter(torch.ones(2, 3, dtype=torch.complex64)))
    cost = resflops.count(model, backward=True)
    assert cost.backward.complete
    assert cost.backward.work == each.times(6)


@pytest.mark.parametrize("size", [4, 8])
def test_a_transform_counts_as_it_did(size):
    z = torch.ones(size, dtype=torch.complex64)
    assert work(torch.fft.fft, z) == Work(arithmetic=5 * size * (size.bit_length() - 1))


def test_what_has_no_rule_for_complex_numbers_is_uncounted():
    cost = resflops.count(Call(lambda z: torch.logcumsumexp(z, 0)), Z)
    assert [op.op for op in cost.uncounted] == ["logcumsumexp"]


def test_other_counters_take_complex_numbers_for_real_ones():
    cost = resflops.count(Call(lambda z: z @ z.mT), Z)
    assert cost.under("FlopCounterMode").total == 2 * 12


def test_the_formula_column_shows_the_four_products():
    (row,) = (row for row in resflops.count(Call(lambda z: z @ z.mT), Z).layers if row.macs)
    assert row.formula == "2·2·(4·3) = 48"


def test_gradients_count_in_the_same_way():
    weight = nn.Parameter(torch.ones(3, 4, dtype=torch.complex64))
    cost = resflops.count(Call(lambda z, w: (z @ w).abs(), weight), Z, convention="flops", backward=True)
    assert cost.backward.complete
    # 24 complex multiply-accumulates for the weight, and 4 operations for each of 8 magnitudes.
    assert cost.backward.work == Work(macs=96, arithmetic=32)


def test_a_stored_trace_counts_complex_numbers_too(tmp_path):
    trace = resflops.trace(Call(lambda z: (z @ z.mT).abs().sum()), Z)
    trace.save(tmp_path / "trace.json")
    loaded = resflops.Trace.load(tmp_path / "trace.json")
    flops = find_convention("flops")
    assert price(loaded, flops).total == price(trace, flops).total == 96 + 4 * 4 + 3


def test_free_ops_need_no_rule_for_complex_numbers():
    assert all(known.work is None for known in OPS.values() if known.free)
