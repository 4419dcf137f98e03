"""Sizes that follow from given values are known to a pass on shapes, and functions of numbers are counted."""

import torch
from torch import nn

import resflops


class Packed(nn.Module):
    """Rows of several pictures one after the other, whose lengths are an input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 7)

    def forward(self, rows, lengths):
        owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        assert owner.shape == rows.shape[:1]
        scale = torch.repeat_interleave(torch.tensor([2]), rows.shape[0])
        kept = rows[(owner != 0)]
        return [self.layer(part) for part in kept.split(lengths[1:].tolist())], scale


def test_repeats_and_masks_of_known_values_need_no_real_run():
    lengths = torch.tensor([3, 4, 6])
    cost = resflops.count(Packed(), torch.zeros(13, 5), lengths)
    assert cost.macs == (4 + 6) * 5 * 7
    assert [op.input_shapes[0] for op in cost.trace.ops if op.op == "linear"] == [(4, 5), (6, 5)]
    assert cost.trace.execution == "meta"


class OfNumbers(nn.Module):
    """Arithmetic between two numbers, which torch makes a tensor of, and Python's own element types."""

    def forward(self, image):
        chunks = torch.div(17, 5, rounding_mode="trunc")
        places = torch.zeros(3, dtype=int) + torch.ones(3, dtype=float).to(int)
        assert (places.dtype, image.to(float).dtype) == (torch.int64, torch.float64)
        return image * chunks, places


def test_a_function_of_two_numbers_is_one_operation():
    cost = resflops.count(OfNumbers(), torch.zeros(3), convention="flops")
    assert cost.uncounted == ()
    assert cost.total == 1 + 3 + 3


class Checks(nn.Module):
    def forward(self, image):
        return image * 2 if torch.isfinite(image).all() else image


def test_a_truth_asked_of_a_fold_is_no_uncounted_op():
    assert resflops.count(Checks(), torch.zeros(4)).uncounted == ()
