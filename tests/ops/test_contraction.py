"""Contractions by letters and by dimensions cost the same however they are called."""

import pytest
import torch

CASES = {
    "einsum": (lambda x, w: torch.einsum("bik,bkj->bij", x, w), (2, 5, 8), (2, 8, 3)),
    "tensordot": (lambda x, w: torch.tensordot(x, w, 2), (2, 5, 8), (5, 8, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
