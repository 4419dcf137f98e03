"""What decides about the aten ops of a call beside shapes, and is a named cause."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking.adapters import ADAPTERS
from resflops.crosschecking.dispatch import SPLIT_ATTENTION, UNFUSED_BIAS, DispatchReasons


class Transposed(nn.Module):
    """A linear layer over the columns, as a mixer has it."""

    def __init__(self, *, bias=True):
        super().__init__()
        self.fc = nn.Linear(6, 5, bias=bias)

    def forward(self, x):
        return self.fc(x.transpose(1, 2))


class Biased(nn.Module):
    """Attention with a learnt bias for each pair of positions."""

    def __init__(self, *, trainable=True):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 2, 6, 6), requires_grad=trainable)

    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.bias)


ATTENTION = (1, 2, 6, 4)
ATTENTION_MACS = 2 * 6 * 6 * (4 + 4)


@pytest.mark.parametrize(
    ("make", "shape", "charges"),
    [
        (Transposed, (2, 6, 4), {UNFUSED_BIAS: -2 * 4 * 5}),
        (lambda: Transposed(bias=False), (2, 6, 4), {}),
        (lambda: nn.Linear(6, 5), (2, 4, 6), {}),
        (lambda: nn.Linear(6, 5), (4, 6), {}),
        (Biased, ATTENTION, {SPLIT_ATTENTION: ATTENTION_MACS}),
        (lambda: Biased(trainable=False), ATTENTION, {}),
    ],
    ids=["transposed", "no bias", "contiguous", "vectors", "learnt mask", "frozen mask"],
)
def test_what_shapes_do_not_tell_is_charged_by_its_reason(make, shape, charges):
    with DispatchReasons(PEERS["ptflops-aten"].convention) as reasons:
        make()(torch.zeros(shape))
    assert dict(reasons.charges) == charges


@pytest.mark.parametrize("name", ["FlopCounterMode", "ptflops-aten"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [(Transposed, (2, 6, 4)), (Biased, ATTENTION), (lambda: Biased(trainable=False), ATTENTION)],
    ids=["transposed", "learnt mask", "frozen mask"],
)
def test_a_counter_of_aten_ops_is_explained(make, shape, name):
    if find_installed_version(PEERS[name]) is None:
        pytest.skip(f"{name} is not installed")
    (row,) = resflops.crosscheck(make(), shape, peers=[name]).rows
    assert (row.failure, row.unexplained) == ("", 0)


def test_looking_changes_no_figure():
    from torch.utils.flop_counter import FlopCounterMode

    model = nn.Sequential(Transposed(), nn.Linear(5, 3))
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, 6, 4))
    answer = ADAPTERS["FlopCounterMode"](model, (torch.zeros(2, 6, 4),), {})
    assert answer.figures == {"FlopCounterMode": counter.get_total_flops()}


def test_the_hook_of_ptflops_for_timms_attention_is_a_cause():
    pytest.importorskip("ptflops")
    layers = pytest.importorskip("timm.models.vision_transformer")
    attention = layers.Attention(8, num_heads=2, qkv_bias=True)
    (row,) = resflops.crosscheck(nn.Sequential(attention, nn.Linear(8, 3)), (1, 6, 8), peers=["ptflops"]).rows
    assert row.unexplained == 0
    causes = {cause.name: cause.amount for cause in row.causes}
    assert causes["timm's Attention, by a hook of its own"] == 6 * 8 + 2 * 6 * 6 * (4 + 1 + 4)
    assert causes["layers in timm's Attention, hidden by that hook"] == -6 * (8 * 24 + 24 + 8 * 8 + 8)
