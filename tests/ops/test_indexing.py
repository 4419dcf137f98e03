"""Reading and writing by indices and masks: one cost however it is done."""

import numpy as np
import pytest
import torch
from torch import nn

import resflops
from resflops.ops import OPS
from resflops.records import Work

SHAPE = (2, 4, 6, 6)
PICKS = torch.tensor([0, 2, 2])


def written(index, value):
    """A tensor with a value written into it."""

    def write(x):
        out = torch.zeros(SHAPE)
        out[index] = value(x)
        return out

    return write


def masked(x):
    y = x + x
    return y.masked_fill_(x > 0, 0.0)


CASES = {
    "gather": (lambda x: x.gather(1, torch.zeros(2, 2, 6, 6, dtype=torch.long)), SHAPE),
    "index_select": (lambda x: x.index_select(1, PICKS), SHAPE),
    "take": (lambda x: x.take(PICKS), SHAPE),
    "masked_fill": (lambda x: x.masked_fill(x > 0, 0.0), SHAPE),
    "masked_fill_": (masked, SHAPE),
    "where": (lambda x: torch.where(x > 0, x[:, :1], x[:1]), SHAPE),
    "scatter": (lambda x: torch.zeros(SHAPE).scatter(1, torch.zeros(2, 2, 6, 6, dtype=torch.long), x), SHAPE),
    "setitem": (written((slice(None), slice(1, 3)), lambda x: x[:, 1:3]), SHAPE),
    "setitem, broadcast": (written((slice(None), slice(1, 3)), lambda x: x[:, 1:2]), SHAPE),
    "setitem by indices": (written((slice(None), PICKS), lambda x: x[:, 1:2]), SHAPE),
    "setitem by pairs": (written((PICKS[:2] // 2, PICKS[:2]), lambda x: x[0, 0]), SHAPE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


class Summed(nn.Module):
    """Writes the sum of a tensor that needs a gradient."""

    def __init__(self, index):
        super().__init__()
        self.write = written(index, lambda x: x.sum())
        self.weight = nn.Parameter(torch.ones(SHAPE))

    def forward(self, x):
        return self.write(x * self.weight)


@pytest.mark.parametrize(
    ("index", "elements"),
    [
        pytest.param((slice(None), 1), 2 * 36, id="number"),
        pytest.param((0, slice(1, 3)), 2 * 36, id="slice"),
        pytest.param((slice(None), PICKS), 2 * 3 * 36, id="indices"),
        pytest.param((PICKS // 2, PICKS), 3 * 36, id="pairs"),
        pytest.param((slice(None), [0, 2]), 2 * 2 * 36, id="list"),
        pytest.param((slice(None), np.array([0, 2])), 2 * 2 * 36, id="numpy"),
        pytest.param((slice(None), np.array([True, False, True, False])), 2 * 2 * 36, id="numpy mask"),
        pytest.param((slice(None), [True, False, True, False]), 2 * 2 * 36, id="list mask"),
        pytest.param((slice(None), torch.tensor([True, False, True, False])), 0, id="mask"),
    ],
)
def test_the_gradient_of_a_value_is_added_up_where_it_was_written(index, elements):
    model = Summed(index)
    *_, last = resflops.trace(model, SHAPE).ops
    assert (last.op, last.attributes) == ("setitem", {"written": elements})
    assert OPS["setitem"].gradient.work(last, (0, 1)) == (Work(), Work(arithmetic=max(elements - 1, 0)))


def test_a_write_in_an_older_trace_repeats_nothing(record):
    old = record("setitem", [SHAPE, ()], SHAPE)
    assert OPS["setitem"].gradient.work(old, (0, 1)) == (Work(), Work())
