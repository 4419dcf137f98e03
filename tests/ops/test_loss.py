"""Losses: one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F

ELEMENTWISE = ("mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "soft_margin_loss")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_an_elementwise_loss_costs_the_same_in_every_style(name, reduction, price_styles):
    half = torch.full((2, 4), 0.5)
    prices = price_styles(lambda x, y: getattr(F, name)(x, y, reduction=reduction), half, half)
    assert prices == dict.fromkeys(prices, prices["eager"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3, 4)], ids=["rows", "images"])
def test_a_cross_entropy_costs_the_same_in_every_style(shape, price_styles):
    target = torch.zeros(shape[0], *shape[2:], dtype=torch.long)
    prices = price_styles(F.cross_entropy, torch.ones(shape), target)
    assert prices == dict.fromkeys(prices, prices["eager"])
