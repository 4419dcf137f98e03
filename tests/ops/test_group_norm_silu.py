"""A new op is told in one file: everything that asks about ops knows it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.counters import PEERS
from resflops.crosschecking.reconciliation import reconciled
from resflops.tables import ops_table


@torch.library.custom_op("acceptance::group_norm_silu", mutates_args=())
def group_norm_silu(
    input: torch.Tensor, num_groups: int, weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None, eps: float = 1e-5,
) -> torch.Tensor:  # fmt: skip
    return F.silu(F.group_norm(input, num_groups, weight, bias, eps))


@group_norm_silu.register_fake
def _(input, num_groups, weight=None, bias=None, eps=1e-5):
    return torch.empty_like(input)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.weight, self.bias = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))

    def forward(self, x):
        return torch.ops.acceptance.group_norm_silu(self.stem(x), 4, self.weight, self.bias)


SHAPE, POINTS = (2, 3, 8, 8), 2 * 8 * 4 * 4
NORM, SILU, GROUPS = 8 * POINTS, 5 * POINTS, 2 * 4
CONVOLUTION = POINTS * 27

STYLES = {
    "eager": lambda model: model,
    "scripted": lambda model: torch.jit.trace(model, torch.zeros(SHAPE)),
    "exported": lambda model: torch.export.export(model, (torch.zeros(SHAPE),)).module(),
    "make_fx": lambda model: make_fx(model)(torch.zeros(SHAPE)),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("convention", "total"),
    [
        ("macs", CONVOLUTION),
        ("formula", CONVOLUTION + POINTS),
        ("flops", 2 * CONVOLUTION + POINTS + NORM + SILU + GROUPS),
    ],
)
def test_it_costs_the_same_in_every_style_under_every_convention(style, convention, total):
    cost = resflops.count(STYLES[style](Net().eval()), SHAPE, convention=convention)
    assert (cost.total, cost.uncounted) == (total, ())


def test_its_gradient_is_part_of_training():
    work = resflops.count(Net(), SHAPE, backward=True, convention="flops").backward
    assert work.complete
    (row,) = [row for row in work.layers if row.op == "group_norm_silu"]
    # The normalisation's 10 an element and the SiLU's 5; 2 for the weight and 1 for the bias.
    assert (row.input_total, row.weight_total) == ((10 + 5) * POINTS, 3 * POINTS)


def test_it_has_a_row_and_keeps_the_receptive_field():
    row = resflops.count(Net(), SHAPE, convention="flops").layers[-1]
    assert (row.op, row.receptive_field, row.effective_stride) == ("group_norm_silu", (3, 3), (2, 2))
    assert row.params == 16


def test_the_referee_calls_it_a_normalisation():
    fvcore = PEERS["fvcore"]
    trace = resflops.trace(Net().eval(), SHAPE)
    charged = fvcore.convention.views[0].charges | {"group_norm_silu": {"input_elements": 5}}
    from msgspec.structs import replace

    view = replace(fvcore.convention.views[0], charges=charged)
    using = replace(fvcore.convention, views=(view,))
    row = reconciled(trace, fvcore, using, version="", figure=CONVOLUTION + 5 * POINTS, peer_params=None)
    assert [(cause.name, cause.amount) for cause in row.causes] == [("normalisation", 5 * POINTS)]
    assert row.unexplained == 0


def test_the_table_of_ops_says_what_it_counts():
    (row,) = [row for row in ops_table().rows if "group_norm_silu" in row["ops"]]
    assert row["work"].startswith("A group normalisation, and per element a SiLU")
