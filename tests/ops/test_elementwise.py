"""Functions of each element of one tensor cost the same however they are called."""

import pytest
import torch
from torch import nn

import resflops

SHAPE = (2, 4, 6, 6)
NAMES = (
    "neg", "abs", "square", "reciprocal", "floor", "ceil", "round", "trunc", "sign", "sgn", "frac", "deg2rad",
    "rad2deg", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan",
    "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "logit",
    "nan_to_num", "isnan", "isinf", "isfinite", "signbit", "isposinf", "isneginf",
    "sinc", "angle", "lgamma", "digamma", "i0",
)  # fmt: skip
SPECIAL = ("ndtri", "erfcx", "log_ndtr", "i0e", "i1", "i1e")
CASES = {
    **{name: (getattr(torch, name), SHAPE) for name in NAMES},
    **{name: (getattr(torch.special, name), SHAPE) for name in SPECIAL},
    "polygamma": (lambda x: torch.polygamma(1, x), SHAPE),
    "mvlgamma": (lambda x: torch.mvlgamma(x + 1, 2), SHAPE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    # Torch makes isfinite of an absolute value, two comparisons and their product.
    apart = name == "isfinite" and style not in ("real", "scripted")
    assert compare_style(style, *CASES[name]) == ({"flops"} if apart else set())


def test_what_is_finite_is_counted_by_its_parts_where_torch_takes_it_apart(trace_style):
    scale, *ops = [op.op for op in trace_style("make_fx", torch.isfinite, SHAPE).ops]
    assert scale == "mul"
    assert sorted(ops) == ["abs", "eq", "mul", "ne"]


@pytest.mark.parametrize(
    "function",
    [
        torch.logical_not,
        torch.bitwise_not,
        lambda x: x / x,
        lambda x: x + 1.5,
        lambda x: 2**x,
        lambda x: x**0.5,
        lambda x: 7 - x,
        torch.exp,
    ],
)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32, torch.float64, torch.complex64])
def test_results_have_the_type_that_torch_gives_them(function, dtype):
    x = torch.ones(2, 3).to(dtype)
    try:
        want = function(x).dtype
    except (RuntimeError, NotImplementedError):
        pytest.skip("torch has no such function of this type")

    class Applied(nn.Module):
        def forward(self, x):
            y = function(x)
            assert y.dtype == want
            return y

    resflops.trace(Applied(), x)
