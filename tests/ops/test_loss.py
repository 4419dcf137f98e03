"""Losses: one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F

ELEMENTWISE = ("mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "soft_margin_loss")
SHAPES = {"rows": (2, 4), "images": (2, 4, 3, 4)}


def call(name, reduction):
    return lambda x, y: getattr(F, name)(x, y, reduction=reduction)


CASES = {
    **{
        f"{name}, {reduction}": (call(name, reduction), (2, 4), torch.full((2, 4), 0.5))
        for name in ELEMENTWISE
        for reduction in ("mean", "none")
    },
    **{
        f"cross entropy of {kind}": (F.cross_entropy, shape, torch.zeros(2, *shape[2:], dtype=torch.long))
        for kind, shape in SHAPES.items()
    },
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
