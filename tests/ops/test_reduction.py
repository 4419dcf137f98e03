"""Reductions: one cost however they are called."""

from functools import partial

import pytest
import torch

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
    # Outside of eager mode torch runs a mean without the missing as nansum(x) / sum(~isnan(x)).
    apart = name == "nanmean" and style != "real"
    assert compare_style(style, *CASES[name]) == ({"flops"} if apart else set())


@pytest.mark.parametrize("style", ["scripted", "exported", "make_fx", "fallback"])
def test_a_mean_without_the_missing_is_counted_by_its_parts(style, price_style):
    eager, other = (price_style(each, torch.nanmean, (2, 3, 4))["flops"] for each in ("eager", style))
    apart = 24 + 24 + 23 + 23 + 1
    assert other - eager == apart - 24
