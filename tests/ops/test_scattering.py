"""What is added up where it is written: one cost however it is called."""

import pytest
import torch

from resflops.ops import OPS
from resflops.records import Work

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


@pytest.mark.parametrize(("op", "each"), [("histc", 3), ("bincount", 1)])
def test_a_histogram_finds_the_bin_of_every_element_and_counts_it(op, each, record):
    assert OPS[op].work(record(op, [(2, 5)], (4,))) == Work(arithmetic=10 * each)
