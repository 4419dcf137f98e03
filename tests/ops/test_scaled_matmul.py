"""Products of eight-bit numbers with scales: as plain ones, whatever lies how in memory."""

import pytest
import torch
from torch import nn

import resflops
from resflops.ops import OPS


class Scaled(nn.Module):
    def __init__(self, *, bias):
        super().__init__()
        self.register_buffer("weight", torch.zeros(24, 48).to(torch.float8_e4m3fn))
        self.register_buffer("bias", torch.zeros(24, dtype=torch.bfloat16) if bias else None)
        self.register_buffer("scale", torch.tensor(1.0))

    def forward(self, x):
        return torch._scaled_mm(
            x.to(torch.float8_e4m3fn), self.weight.t(), self.scale, self.scale, bias=self.bias,
            out_dtype=torch.bfloat16,
        )  # fmt: skip


@pytest.mark.parametrize(("bias", "added"), [(False, 0), (True, 10 * 24)])
def test_a_scaled_product_counts_its_multiply_accumulates_and_its_bias(bias, added):
    cost = resflops.count(Scaled(bias=bias), (10, 48), convention="flops")
    assert (cost.macs, cost.work.bias_adds, cost.uncounted) == (10 * 24 * 48, added, ())
    assert cost.trace.execution == "meta"
    assert cost.trace.ops[-1].dtype == "bfloat16"


def test_every_row_of_a_grouped_product_meets_one_matrix(record):
    grouped = record("_scaled_grouped_mm", ((10, 48), (3, 48, 24)), (10, 24), bias=False)
    assert OPS["_scaled_grouped_mm"].work(grouped).macs == 10 * 48 * 24
