"""What is written into tensors that a model makes: one cost however they are made."""

import pytest
import torch

SHAPE = (2, 4, 6, 6)


def copied(x):
    return torch.zeros(SHAPE).copy_(x[:, :1])


def overwritten(x):
    y = x + x
    return y.zero_() + x


CASES = {
    "copy": (copied, SHAPE),
    "zero": (overwritten, SHAPE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
