"""Views: one cost however they are called."""

import pytest
import torch

import resflops
from resflops.errors import TraceError

SHAPE = (2, 4, 6, 6)
CASES = {
    "views": (
        lambda x: x.view(8, 36).unflatten(0, (2, 4)).movedim(1, 2).mT.unsqueeze(0).squeeze(0).ravel(),
        SHAPE,
    ),
    "expand": (lambda x: x.unsqueeze(0).expand(3, *SHAPE), SHAPE),
    "expand_as": (lambda x: x[:, :1].expand_as(x), SHAPE),
    "broadcast_tensors": (lambda x: torch.broadcast_tensors(x, x[:, :1])[1], SHAPE),
    "detach": (lambda x: x.detach() + x, SHAPE),
}
DIFFERS = {("make_fx", "detach"): {"flops backward"}}
"""Where what runs is another function: ``make_fx`` leaves a detach out."""


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


class Moved(torch.nn.Module):
    def forward(self, x):
        return x.movedim((0, 1), (1,))


def test_dimensions_that_do_not_pair_up_are_torchs_to_name():
    with pytest.raises(TraceError, match="movedim"):
        resflops.trace(Moved(), SHAPE)
