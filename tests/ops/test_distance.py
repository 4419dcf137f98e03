"""Distances: their order, and one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F

from resflops.errors import MissingAttributeError
from resflops.ops import OPS

CASES = {
    "distances": (torch.cdist, (5, 8), (4, 8)),
    "distances by product": (torch.cdist, (40, 8), (30, 8)),
    "distances by another norm": (lambda x, w: torch.cdist(x, w, p=3.0), (5, 8), (4, 8)),
    "distances inside": (F.pdist, (5, 8)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize(
    ("op", "shapes", "output"),
    [("_cdist_forward", [(3, 2), (4, 2)], (3, 4)), ("_pdist_forward", [(3, 2)], (3,))],
)
def test_without_its_order_it_has_no_cost(op, shapes, output, record):
    given = record(op, shapes, output)
    with pytest.raises(MissingAttributeError, match=f"{op}.*there.*`p`"):
        OPS[op].work(given)
    if OPS[op].gradient and OPS[op].gradient.work:
        with pytest.raises(MissingAttributeError, match="`p`"):
            OPS[op].gradient.work(given, (0,))
