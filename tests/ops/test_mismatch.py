"""Shapes that an op does not take: the message tells what it takes and what it was given."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import ShapeError


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@pytest.mark.parametrize(
    ("model", "shapes", "message"),
    [
        (nn.Conv2d(4, 8, 3), [(2, 5, 6, 7)], "takes 4 input channels, but its input has 5"),
        (nn.Conv2d(4, 8, 3, groups=2), [(2, 6, 6, 7)], "takes 4 input channels, but its input has 6"),
        (nn.Conv1d(4, 8, 3), [(2, 5, 6, 7)], "takes an input of 3 dimensions, but its input has 4"),
        (nn.ConvTranspose2d(4, 8, 3), [(2, 5, 6, 7)], "takes 4 input channels, but its input has 5"),
        (nn.ConvTranspose2d(4, 8, 3), [(5, 6, 7)], "takes 4 input channels, but its input has 5"),
        (nn.ConvTranspose2d(4, 8, 3), [(6, 7)], "takes an input of 4 dimensions, but its input has 2"),
        (nn.Linear(4, 8), [(2, 3, 5)], "takes 4 input features, but its input has 5"),
        (nn.BatchNorm2d(4), [(2, 5, 6, 7)], "takes 4 channels, but its input has 5"),
        (Call(lambda x: F.group_norm(x, 3)), [(2, 4, 6, 7)], "has 3 groups, which do not divide the 4 channels"),
        (nn.LayerNorm((3, 4)), [(2, 3, 5)], "normalises over 3×4, but its input is 2×3×5"),
        (Call(torch.matmul), [(2, 3), (4, 5)], "2×3"),
        (Call(lambda x, y: torch.cat((x, y), 1)), [(2, 3), (4, 5)], "2×3, 4×5 cannot be joined along dimension 1"),
    ],
)  # fmt: skip
def test_the_message_tells_both_sizes(model, shapes, message):
    with pytest.raises(ShapeError) as caught:
        resflops.trace(model.eval(), *shapes)
    assert message in str(caught.value)
