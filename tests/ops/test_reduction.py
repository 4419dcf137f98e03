"""Reductions, running ones and lengths: one cost however they are called."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

FOLDS = ("sum", "mean", "nansum", "max", "min", "amax", "amin", "argmax", "argmin", "all", "any", "prod",
         "count_nonzero")  # fmt: skip
OVER_ALL = (*FOLDS, "var", "std", "aminmax")
OVER_SEVERAL = ("sum", "mean", "nansum", "amax", "amin", "var", "std", "var_mean", "std_mean", "logsumexp")
RUNNING = ("cumsum", "cumprod", "cummax", "cummin", "logsumexp")


def call(name, *arguments):
    return partial(lambda x, name, rest: getattr(torch, name)(x, *rest), name=name, rest=arguments)


CASES = {
    **{name: call(name) for name in OVER_ALL},
    **{f"{name} along one": call(name, 1) for name in (*FOLDS, *RUNNING)},
    **{f"{name} over several": call(name, (1, 2)) for name in OVER_SEVERAL},
    "sum, axis": lambda x: x.sum(axis=1, keepdim=True),
    "sum of whole numbers": lambda x: x.long().sum(),
    "variance, biased": lambda x: x.var(False),
    "variance, corrected": lambda x: torch.var(x, 1, correction=0),
    "larger of two": lambda x: torch.max(x, x[:1]),
    "smaller of two": lambda x: torch.min(x, x),
    "norm": lambda x: x.norm(),
    "norm of order 1": lambda x: x.norm(1),
    "norm of order 3": lambda x: x.norm(3),
    "Frobenius norm": lambda x: torch.norm(x, p="fro", dim=1),
    "vector norm": lambda x: torch.linalg.vector_norm(x, dim=1),
    "largest size": lambda x: torch.linalg.vector_norm(x, float("inf"), dim=1),
    "normalize": F.normalize,
    "cosine": lambda x: F.cosine_similarity(x, x.flip(0)),
    "scattered": lambda x: x[0].scatter_add(0, x[0].detach().long(), x[1]),
    "scattered by a fold": lambda x: x[0].scatter_reduce(0, x[0].detach().long(), x[1], "sum"),
    "histogram": lambda x: x.histc(4, 0, 1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, price_styles):
    prices = price_styles(CASES[name], torch.full((2, 3, 4), 0.5))
    assert prices == dict.fromkeys(prices, prices["eager"])


@pytest.mark.filterwarnings("ignore")
def test_a_mean_without_the_missing_is_taken_apart_outside_of_eager_mode(price_styles):
    # Torch runs it as nansum(x) / sum(~isnan(x)).
    prices = price_styles(torch.nanmean, torch.ones(2, 3, 4))
    eager = prices.pop("eager")
    assert [each["macs"] for each in prices.values()] == [eager["macs"]] * len(prices)
    apart = 24 + 24 + 23 + 23 + 1
    assert {each["flops"][0] - eager["flops"][0] for each in prices.values()} == {apart - 24}
