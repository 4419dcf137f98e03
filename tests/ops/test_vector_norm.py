"""Lengths of vectors, and what divides by them: one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F

FUNCTIONS = {
    "norm": lambda x: x.norm(),
    "norm of order 1": lambda x: x.norm(1),
    "norm of order 3": lambda x: x.norm(3),
    "Frobenius norm": lambda x: torch.norm(x, p="fro", dim=1),
    "vector norm": lambda x: torch.linalg.vector_norm(x, dim=1),
    "largest size": lambda x: torch.linalg.vector_norm(x, float("inf"), dim=1),
    "normalize": F.normalize,
    "cosine": lambda x: F.cosine_similarity(x, x.flip(0)),
}
CASES = {name: (function, (2, 3, 4)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
