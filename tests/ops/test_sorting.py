"""Sorting: what its cost depends on, and one cost however it is called."""

import pytest
import torch

from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.ops._rows import count_rows
from resflops.records import OpRecord, Work

FUNCTIONS = {
    "sort": lambda x: x.sort(),
    "sort along the first": lambda x: x.sort(0),
    "stable": lambda x: x.sort(stable=True, dim=1),
    # With a product: a model whose output is the places alone is taken, at the level of aten ops, for one
    # that gives the sorted values, and its backward pass is counted.
    "argsort": lambda x: x * x.argsort(1),
    "msort": lambda x: torch.msort(x),
    "topk": lambda x: x.topk(2),
    "topk along the second": lambda x: x.topk(3, 1),
    "kthvalue": lambda x: x.kthvalue(2, 1),
    "mode": lambda x: x.mode(1),
    "median": lambda x: x.median(),
    "median of rows": lambda x: x.median(1),
    "nanmedian of rows": lambda x: x.nanmedian(0),
    "bucketize": lambda x: torch.bucketize(x, x[0, 0]),
    "searchsorted": lambda x: torch.searchsorted(x, x),
}
CASES = {name: (function, torch.arange(24.0).reshape(2, 3, 4)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize("name", ["sort", "median", "nanmedian", "kthvalue", "mode", "topk"])
def test_without_its_dimension_it_has_no_cost(name):
    record = OpRecord(op=name, layer="", input_shapes=((2, 3),), output_shapes=((2, 3),), attributes={"k": 1})
    with pytest.raises(MissingAttributeError, match="dim"):
        OPS[name].work(record)


def test_topk_has_no_cost_without_its_k():
    record = OpRecord(
        op="topk", layer="", input_shapes=((2, 3),), output_shapes=((2, 1),), attributes={"dim": 1}
    )
    with pytest.raises(MissingAttributeError, match="k"):
        OPS["topk"].work(record)


def test_the_middle_of_all_elements_is_found_by_sorting_all():
    record = OpRecord(
        op="median", layer="", input_shapes=((2, 4),), output_shapes=((),), attributes={"dim": None}
    )
    assert OPS["median"].work(record) == Work(comparisons=8 * 3)


@pytest.mark.parametrize(("elements", "comparisons"), [(0, 0), (1, 0), (2, 1), (5, 4)])
def test_repeated_neighbours_take_one_comparison_a_pair(elements, comparisons, record):
    work = OPS["unique_consecutive"].work(record("unique_consecutive", [(elements,)], ()))
    assert work == Work(comparisons=comparisons)


@pytest.mark.parametrize(("shape", "dim", "counted"), [((3, 5), 0, (5, 3)), ((3, 5), -1, (3, 5)),
                                                       ((3, 0), 1, (0, 0)), ((), 0, (1, 1))])  # fmt: skip
def test_rows_along_a_dimension(shape, dim, counted, record):
    assert count_rows(record("sort", [shape], shape), dim) == counted
