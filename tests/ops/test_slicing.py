"""Parts of tensors: one cost however they are taken."""

import pytest
import torch

SHAPE = (2, 4, 6, 6)
PICKS = torch.tensor([0, 2, 2])
CASES = {
    "slices": (lambda x: x.select(1, 2).narrow(1, 1, 2)[:, ::2], SHAPE),
    "unbind": (lambda x: torch.stack(x.unbind(1)), SHAPE),
    "tensor_split": (lambda x: torch.cat(x.tensor_split(3, 1), 1), SHAPE),
    "getitem": (lambda x: x[:, PICKS], SHAPE),
    "getitem twice": (lambda x: x[PICKS[:2] // 2, PICKS[:2]], SHAPE),
    "windows": (lambda x: x.unfold(-1, 3, 1), SHAPE),
    "as_strided": (lambda x: x.as_strided((3, 3), (1, 1)), SHAPE),
}
# Compiled code has a slice for each piece, whose gradients are added up.
DIFFERS = {(style, "tensor_split"): {"flops backward"} for style in ("exported", "make_fx", "fallback")}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())
