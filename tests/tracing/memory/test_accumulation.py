"""Gradients that meet are added in place where a plain run adds them in place, and nowhere else."""

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from resflops.peak_memory.options import read_options
from resflops.tracing.inputs import list_readings
from resflops.tracing.memory import measure_memory


class Branches(nn.Module):
    """A graph whose branches meet in one tensor."""

    def __init__(self, branch):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8))
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x @ self.weight, self.weight)


GRAPHS = {
    "residual": lambda h, w: torch.relu(h @ w + h),
    "two products": lambda h, w: h @ w + (h @ w).relu(),
    "three products": lambda h, w: h @ w + (h @ w).relu() + (h @ w).sigmoid(),
    "a tensor with itself": lambda h, w: (h + h).relu(),
    "a view": lambda h, w: (h + h.view(8, 8)).relu(),
    "transposed": lambda h, w: (h + h.t()).relu(),
    "a part": lambda h, w: h[:, :8].relu() + h[:, :8].sigmoid(),
    "dense, not contiguous": lambda h, w: (h.t() @ w).relu() + (h.t() @ w).sigmoid(),
    "a product with itself": lambda h, w: h * h,
    "no branches": lambda h, w: h.relu() @ w,
}


def count_sums(model, x):
    """Count the sums of a plain backward pass that take memory, as the profiler sees them."""
    loss = model(x).sum()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        loss.backward()
    return sum(event.name == "aten::add" for event in profiled.events())


@pytest.mark.parametrize("real", [False, True], ids=["shapes", "real"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_sums_of_gradients_take_memory_as_in_a_plain_run(graph, real):
    model, x = Branches(GRAPHS[graph]), torch.randn(8, 8)
    reading = list_readings(model, (x,), {})[0]
    memory = measure_memory(model, reading, read_options(training=True, loss="sum"), real=real)
    sums = sum(step.op == "add" for step in memory.steps if step.phase == "backward")
    assert sums == count_sums(model, x)


def test_looking_at_the_references_leaves_no_trace():
    model = Branches(GRAPHS["no branches"])
    reading = list_readings(model, (torch.randn(8, 8),), {})[0]
    memory = measure_memory(model, reading, read_options(training=True, loss="sum"))
    assert all(block.size >= 8 * 8 * 4 or block.name in ("sum", "ones_like") for block in memory.blocks)
    assert [step.op for step in memory.steps][-4:].count("mul") == 0
