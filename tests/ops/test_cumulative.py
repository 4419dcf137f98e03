"""Running sums, products and limits: one cost however they are called."""

import pytest
import torch

CASES = {
    "cumsum": (lambda x: torch.cumsum(x, 1), (2, 3, 4)),
    "cumprod": (lambda x: torch.cumprod(x, 1), (2, 3, 4)),
    "cummax": (lambda x: torch.cummax(x, 1), (2, 3, 4)),
    "cummin": (lambda x: torch.cummin(x, 1), (2, 3, 4)),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x, 1), (2, 3, 4)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
