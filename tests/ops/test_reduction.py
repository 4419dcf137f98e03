"""Reductions: one cost however they are called."""

from functools import partial

import pytest
import torch

import resflops
from resflops.errors import TraceError

FOLDS = ("sum", "mean", "nansum", "max", "min", "amax", "amin", "argmax", "argmin", "all", "any", "prod",
         "count_nonzero")  # fmt: skip
OVER_ALL = (*FOLDS, "var", "std", "aminmax")
OVER_SEVERAL = ("sum", "mean", "nansum", "amax", "amin", "var", "std", "var_mean", "std_mean", "logsumexp")


def call(name, *arguments):
    return partial(lambda x, name, rest: getattr(torch, name)(x, *rest), name=name, rest=arguments)


FUNCTIONS = {
    **{name: call(name) for name in OVER_ALL},
    **{f"{name} along one": call(name, 1) for name in (*FOLDS, "logsumexp")},
    **{f"{name} over several": call(name, (1, 2)) for name in OVER_SEVERAL},
    "sum, axis": lambda x: x.sum(axis=1, keepdim=True),
    "sum of whole numbers": lambda x: x.long().sum(),
    "variance, biased": lambda x: x.var(False),
    "variance, corrected": lambda x: torch.var(x, 1, correction=0),
    "larger of two": lambda x: torch.max(x, x[:1]),
    "smaller of two": lambda x: torch.min(x, x),
    "nanmean": torch.nanmean,
}
CASES = {name: (function, (2, 3, 4)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    # Where no function is described torch runs a mean without the missing as nansum(x) / sum(~isnan(x)).
    apart = name == "nanmean" and style not in ("real", "scripted")
    assert compare_style(style, *CASES[name]) == ({"flops"} if apart else set())


@pytest.mark.parametrize("style", ["exported", "make_fx", "fallback"])
def test_a_mean_without_the_missing_is_counted_by_its_parts(style, price_style):
    eager, other = (price_style(each, torch.nanmean, (2, 3, 4))["flops"] for each in ("eager", style))
    apart = 24 + 24 + 23 + 23 + 1
    assert other - eager == apart - 24


SCALAR_FOLDS = ("sum", "mean", "nansum", "amax", "amin", "argmax", "argmin", "all", "any", "prod", "logsumexp",
                "max", "min", "median", "count_nonzero", "cumsum", "softmax", "sort", "argsort", "norm")  # fmt: skip


@pytest.mark.parametrize("name", SCALAR_FOLDS)
@pytest.mark.parametrize("dim", [0, -1])
def test_the_dimension_of_a_scalar_is_one_of_a_single_element(name, dim, agree_on_outputs):
    given = {"p": 2, "dim": dim} if name == "norm" else {"dim": dim}
    assert agree_on_outputs(lambda x: getattr(torch, name)(x, **given), torch.tensor(3.0))


def test_a_score_squeezed_to_a_scalar_costs_its_layer(trace_style):
    trace = trace_style("eager", lambda x: torch.nn.functional.linear(x, x).squeeze().argmax(-1), (1, 16))
    assert [op.op for op in trace.ops][-2:] == ["squeeze", "argmax"]


@pytest.mark.parametrize("dim", [2, -3, (0, 0)])
def test_a_dimension_that_is_not_there_is_refused_in_the_words_of_torch(dim):
    model = torch.nn.Module()
    model.forward = lambda x: x.sum(dim)
    with pytest.raises(TraceError, match=r"sum on 2×3: (Dimension out of range|.*dims?\b)"):
        resflops.trace(model, (2, 3))


@pytest.mark.parametrize("name", ["abs", "norm", "var", "std", "var_mean", "std_mean"])
def test_magnitudes_and_spreads_of_complex_numbers_are_real(name, agree_on_outputs):
    assert agree_on_outputs(getattr(torch, name), torch.ones(2, 3, dtype=torch.complex128))


@pytest.mark.parametrize("name", ["all", "any"])
def test_truth_of_bytes_is_left_in_bytes(name, agree_on_outputs):
    assert agree_on_outputs(getattr(torch, name), torch.ones(2, 3, dtype=torch.uint8))


def test_the_logarithm_of_a_sum_of_integers_is_of_the_default_type(agree_on_outputs):
    assert agree_on_outputs(lambda x: x.logsumexp(0), torch.ones(2, 3, dtype=torch.int64))
