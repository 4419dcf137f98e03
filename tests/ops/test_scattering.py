"""What is added up where it is written: one cost however it is called."""

import pytest
import torch

PICKS = torch.tensor([0, 2, 2])
FUNCTIONS = {
    "scattered": lambda x: x[0].scatter_add(0, x[0].detach().long(), x[1]),
    "scattered by a fold": lambda x: x[0].scatter_reduce(0, x[0].detach().long(), x[1], "sum"),
    "index_add": lambda x: x.index_add(1, PICKS, x),
    "index_reduce": lambda x: x.index_reduce(1, PICKS, x, "amax"),
    "segment_reduce": lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([1, 1])),
    "histogram": lambda x: x.histc(4, 0, 1),
}
CASES = {name: (function, (2, 3, 4)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
