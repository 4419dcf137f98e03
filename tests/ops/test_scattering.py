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
CASES["accumulated"] = (
    lambda x, y: x.index_put((torch.tensor([0, 1, 0]),), y, accumulate=True), (2, 3, 4), (3, 3, 4)
)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize(("op", "each"), [("histc", 3), ("bincount", 1)])
def test_a_histogram_finds_the_bin_of_every_element_and_counts_it(op, each, record):
    assert OPS[op].work(record(op, [(2, 5)], (4,))) == Work(arithmetic=10 * each)


@pytest.mark.parametrize(
    ("function", "additions"),
    [
        # Three slices of 12 elements, of which one source may be broadcast to all.
        pytest.param(
            lambda x: x.index_put((torch.tensor([0, 1, 0]),), x[:1], accumulate=True), 36, id="slices"
        ),
        pytest.param(lambda x: x.put(torch.tensor([5, 5]), x[0, 0, :2], accumulate=True), 2, id="places"),
        pytest.param(
            lambda x: x.scatter(0, torch.zeros(1, 3, 4, dtype=torch.long), x, reduce="add"), 24, id="scatter"
        ),
        pytest.param(lambda x: x.put(torch.tensor([5, 5]), x[0, 0, :2]), 0, id="overwritten"),
    ],
)
def test_a_write_that_accumulates_adds(function, additions, price_style):
    # The case multiplies its 24 elements by a parameter first.
    assert price_style("eager", function, (2, 3, 4))["flops"] == 24 + additions
