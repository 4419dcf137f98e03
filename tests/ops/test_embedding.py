"""Lookups: their attributes, and one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import Work

INDICES = torch.tensor([[1, 2, 3], [4, 5, 6]])
CASES = {
    "embedding": (nn.Embedding(10, 4), INDICES),
    "embedding bag, sum": (nn.EmbeddingBag(10, 4, mode="sum"), INDICES),
    "embedding bag, mean": (nn.EmbeddingBag(10, 4, mode="mean"), INDICES),
    "embedding bag, max": (nn.EmbeddingBag(10, 4, mode="max"), INDICES),
    "one-hot": (lambda x, w: F.one_hot(x, 10).float() @ w, INDICES, (10, 4)),
}
# Torch compares the indices with all classes where it has only shapes.
DIFFERS = {(style, "one-hot"): {"flops"} for style in ("make_fx", "fallback")}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


def test_a_bag_without_its_mode_has_no_cost(record):
    given = record("embedding_bag", [(6,), (10, 4)], (2, 4))
    with pytest.raises(MissingAttributeError, match=r"embedding_bag.*there.*`mode`"):
        OPS["embedding_bag"].work(given)
    with pytest.raises(MissingAttributeError, match="`mode`"):
        OPS["embedding_bag"].gradient.work(given, (0,))


def test_bags_of_one_row_or_none_have_nothing_to_fold(record):
    for indices in ((4, 1), (2,)):
        given = record("embedding_bag", [indices, (10, 3)], (4, 3), mode="sum", weighted=False)
        assert OPS["embedding_bag"].work(given) == Work()


@pytest.mark.parametrize(
    ("mode", "weighted", "arithmetic"),
    [("sum", False, 6 * 4), ("sum", True, 2 * 6 * 4), ("mean", False, 6 * 4 + 2 * 4), ("max", False, 2 * 4)],
)
def test_a_table_gets_the_gradient_of_every_row_that_was_folded(mode, weighted, arithmetic, record):
    given = record("embedding_bag", [(2, 3), (10, 4)], (2, 4), mode=mode, weighted=weighted)
    assert OPS["embedding_bag"].gradient.work(given, (1,)) == (Work(arithmetic=arithmetic),)
