"""The conventions of the peers against the peers themselves, run for real on models that tell them apart.

No figure of a peer is written here: each peer says its own, and the convention must give it.
"""

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version, list_figures
from resflops.crosschecking import Failure, run_in_process
from resflops.crosschecking.adapters import ADAPTERS, Answer
from resflops.crosschecking.reconciliation import reconcile

RUN = ("fvcore", "thop", "FlopCounterMode")
"""The peers that the development environment has; the others run in tests/benchmarks/crosscheck_matrix.py."""


class Calls(nn.Module):
    """A model whose forward is a function of the input and of layers."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


class OwnConv(nn.Conv2d):
    """A subclass, which a counter that goes by exact classes does not know."""


class Linear(nn.Linear):
    """Another one, of the same name."""


def frozen_stem():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3))
    model[0].requires_grad_(False)
    return model


def tied():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    return model


IMAGE = (2, 4, 16, 16)
TOKENS = (1, 10, 24)


def attention(model, x):
    q, k, v = model.qkv(x).view(1, 10, 3, 4, 8).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v)


def attention_by_hand(model, x):
    q, k, v = model.qkv(x).view(1, 10, 3, 4, 8).permute(2, 0, 3, 1, 4)
    return torch.matmul(F.softmax(torch.matmul(q, k.transpose(-2, -1)), dim=-1), v)


def attention_with(*, heads=(4, 4), value_width=8, batched=True, **options):
    """Attention of a head size of 8, by the number of heads of the query and of the key and value."""

    def forward(model, x):
        query, kept = heads
        widths = [8 * query, 8 * kept, value_width * kept]
        parts = model.qkv(x).split(widths, dim=-1)
        q, k, v = (
            part.unflatten(-1, (number, -1)).transpose(1, 2)
            for part, number in zip(parts, (query, kept, kept), strict=True)
        )
        if not batched:
            q, k, v = q[0], k[0], v[0]
        return F.scaled_dot_product_attention(q, k, v, **options)

    return lambda: Calls(forward, qkv=nn.Linear(24, 8 * (heads[0] + heads[1]) + value_width * heads[1]))


EXERCISES = {
    "convolutions": (lambda: nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, (3, 1), stride=2, groups=4, bias=False)), IMAGE),
    "convolutions in 1d": (lambda: nn.Sequential(nn.Conv1d(4, 6, 3, dilation=2)), (2, 4, 16)),
    "convolutions in 3d": (lambda: nn.Sequential(nn.Conv3d(4, 6, 3, padding=1)), (2, 4, 5, 6, 7)),
    "transposed convolutions": (lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), nn.ConvTranspose2d(6, 2, 2)), IMAGE),
    "transposed convolutions in 1d": (lambda: nn.Sequential(nn.ConvTranspose1d(4, 6, 3, stride=2)), (2, 4, 16)),
    "transposed convolutions in 3d": (lambda: nn.Sequential(nn.ConvTranspose3d(4, 6, 3)), (2, 4, 5, 6, 7)),
    "circular padding": (lambda: nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular")), IMAGE),
    "batch norms": (lambda: nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False)), IMAGE),
    "other norms": (lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.InstanceNorm2d(4), nn.LayerNorm(16)), IMAGE),
    "a norm without a weight": (lambda: nn.LayerNorm(24, elementwise_affine=False), TOKENS),
    "activations": (lambda: nn.Sequential(nn.ReLU(), nn.PReLU(), nn.LeakyReLU(), nn.ReLU6(), nn.ELU(), nn.GELU(), nn.SiLU(), nn.Hardswish()), IMAGE),
    "pools": (lambda: nn.Sequential(nn.MaxPool2d(3, stride=1), nn.AvgPool2d(3, stride=2, padding=1), nn.AdaptiveAvgPool2d((5, 3))), IMAGE),
    "pools in 1d": (lambda: nn.Sequential(nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(3)), (2, 4, 16)),
    "pools in 3d": (lambda: nn.Sequential(nn.AvgPool3d(2), nn.AdaptiveAvgPool3d(2)), (2, 4, 6, 6, 6)),
    "softmax": (lambda: nn.Sequential(nn.Linear(24, 7), nn.Softmax(dim=-1)), TOKENS),
    "a linear layer on a sequence": (lambda: nn.Linear(24, 8), TOKENS),
    "a linear layer on vectors": (lambda: nn.Sequential(nn.Linear(24, 8), nn.Linear(8, 3, bias=False)), (5, 24)),
    "upsampling": (lambda: nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Upsample(scale_factor=2)), IMAGE),
    "functions": (lambda: Calls(lambda m, x: F.adaptive_avg_pool2d(F.relu(m.conv(x)), 2), conv=nn.Conv2d(4, 4, 3)), IMAGE),
    "a functional linear layer": (lambda: Calls(lambda m, x: F.linear(x, m.fc.weight, m.fc.bias), fc=nn.Linear(24, 8)), TOKENS),
    "a residual addition and a gate": (lambda: Calls(lambda m, x: x + m.conv(x) * x.mean((2, 3), keepdim=True), conv=nn.Conv2d(4, 4, 1)), IMAGE),
    "a subclass": (lambda: nn.Sequential(OwnConv(4, 8, 3), nn.Conv2d(8, 4, 3)), IMAGE),
    "a subclass of the same name": (lambda: nn.Sequential(Linear(24, 8), nn.Linear(8, 4)), TOKENS),
    "a layer used twice": (lambda: Calls(lambda m, x: m.act(m.conv(m.act(m.conv(x)))), conv=nn.Conv2d(4, 4, 3), act=nn.ReLU()), IMAGE),
    "fused attention": (lambda: Calls(attention, qkv=nn.Linear(24, 96)), TOKENS),
    "causal attention": (attention_with(is_causal=True), TOKENS),
    "masked attention": (attention_with(attn_mask=torch.ones(10, 10, dtype=torch.bool)), TOKENS),
    "attention with a mask of every head": (attention_with(attn_mask=torch.zeros(1, 4, 10, 10)), TOKENS),
    "attention with a mask of three dimensions": (attention_with(attn_mask=torch.zeros(4, 10, 10)), TOKENS),
    "attention with dropout": (attention_with(dropout_p=0.5), TOKENS),
    "attention to narrower values": (attention_with(value_width=6), TOKENS),
    "attention of grouped queries": (attention_with(heads=(4, 2), enable_gqa=True), TOKENS),
    "attention without a batch": (attention_with(batched=False), TOKENS),
    "attention by matrix products": (lambda: Calls(attention_by_hand, qkv=nn.Linear(24, 96)), TOKENS),
    "torch's attention module": (lambda: Calls(lambda m, x: m.attention(x, x, x, need_weights=False)[0], attention=nn.MultiheadAttention(24, 4, batch_first=True)), TOKENS),
    "einsum": (lambda: Calls(lambda m, x: torch.einsum("bqd,bkd->bqk", m.fc(x), x), fc=nn.Linear(24, 24)), TOKENS),
    "recurrent layers": (lambda: Calls(lambda m, x: m.gru(m.lstm(m.rnn(x)[0])[0])[0], rnn=nn.RNN(24, 8, batch_first=True), lstm=nn.LSTM(8, 6, num_layers=2, bidirectional=True, batch_first=True), gru=nn.GRU(12, 5, batch_first=True)), TOKENS),
    "frozen parameters": (frozen_stem, (1, 3, 16, 16)),
    "tied parameters": (tied, (5, 8)),
    "a module that is never called": (lambda: Calls(lambda m, x: m.used(x), used=nn.Conv2d(4, 4, 3), unused=nn.Linear(3, 3)), IMAGE),
    "local response normalisation": (lambda: nn.LocalResponseNorm(3), IMAGE),
}  # fmt: skip
"""Subject to a maker of the model, and the shape of its input."""


@pytest.fixture(scope="module")
def models():
    return {subject: make().eval() for subject, (make, _) in EXERCISES.items()}


@pytest.fixture(scope="module")
def traces(models):
    return {subject: resflops.trace(models[subject], shape) for subject, (_, shape) in EXERCISES.items()}


@pytest.fixture(scope="module")
def said(models):
    """What each peer says of every model: one process a peer, which none of these three spoils."""

    def ask(name):
        return {
            subject: ADAPTERS[name](model, (torch.zeros(EXERCISES[subject][1]),), {})
            for subject, model in models.items()
        }

    answers = {
        name: run_in_process(lambda name=name: ask(name), seconds=120, kind=dict[str, Answer]) for name in RUN
    }
    assert not [answer for answer in answers.values() if isinstance(answer, Failure)]
    return answers


def find_convention_here(name):
    """The convention of the version that is installed."""
    return next(list_figures(PEERS[name]))[1]


def reconcile_answer(trace, name, answer, convention=None):
    peer = PEERS[name]
    return reconcile(
        trace,
        peer,
        convention or find_convention_here(name),
        version=find_installed_version(peer) or "",
        figure=answer.figures[peer.convention.name],
        peer_params=answer.params,
    )


@pytest.mark.parametrize("subject", EXERCISES)
@pytest.mark.parametrize("name", RUN)
def test_a_convention_gives_what_its_peer_says(traces, said, name, subject):
    row = reconcile_answer(traces[subject], name, said[name][subject])
    assert (row.unexplained, row.unexplained_params) == (0, 0)
    assert resflops.count(traces[subject], convention=row.convention).total == row.figure


def raise_price(convention, op, quantity):
    """The convention with one price changed by one."""

    def change(view):
        if quantity not in view.charges.get(op, {}):
            return view
        prices = {**view.charges[op], quantity: view.charges[op][quantity] + 1}
        return replace(view, charges={**view.charges, op: prices})

    return replace(convention, views=tuple(change(view) for view in convention.views))


def list_prices(name):
    return {
        (op, quantity)
        for view in find_convention_here(name).views
        for op, charge in view.charges.items()
        for quantity in charge
    }


NOT_EXERCISED = {("batch_norm", "training_input_elements"), ("grid_sample", "output_elements")}
"""Prices of what no exercise does: training mode, in which no peer is run, and a rare op."""


@pytest.mark.parametrize("name", RUN)
def test_one_changed_price_is_a_remainder_somewhere(traces, said, name):
    met = {"einsum" if "einsum" in op.attributes else op.op for trace in traces.values() for op in trace.ops}
    tried = 0
    for op, quantity in sorted(list_prices(name) - NOT_EXERCISED):
        if op not in met:
            # Names that the described functions give another name: mm, bmm, addmm.
            continue
        wrong = raise_price(find_convention_here(name), op, quantity)
        rows = [
            reconcile_answer(trace, name, said[name][subject], wrong) for subject, trace in traces.items()
        ]
        assert any(row.unexplained for row in rows), (op, quantity)
        tried += 1
    assert tried >= 9


@pytest.mark.parametrize(
    ("name", "subject", "cause"),
    [
        ("fvcore", "fused attention", "attention not seen"),
        ("thop", "fused attention", "attention not seen"),
        ("thop", "attention by matrix products", "attention not seen"),
        ("thop", "a subclass", "convolutions not seen"),
        ("thop", "a functional linear layer", "linear layers called as functions not seen"),
        ("thop", "transposed convolutions", "convolutions counted by the output"),
        ("fvcore", "batch norms", "normalisation"),
        ("fvcore", "pools", "pooling"),
        ("thop", "softmax", "softmax"),
        ("thop", "upsampling", "interpolation"),
        ("thop", "torch's attention module", "projections called as functions in attention not seen"),
    ],
)
def test_a_difference_has_its_cause(traces, said, name, subject, cause):
    row = reconcile_answer(traces[subject], name, said[name][subject])
    assert cause in [each.name for each in row.causes]
    assert row.difference == sum(each.amount for each in row.causes)
    for each in row.causes:
        assert each.amount == sum(place.amount for place in each.places)
        assert each.ops == sum(place.calls for place in each.places)


@pytest.mark.parametrize(
    ("name", "subject", "cause"),
    [
        ("thop", "torch's attention module", "attention weights missed"),
        ("thop", "a subclass", "parameters held by modules that it has no rule for"),
        ("thop", "a module that is never called", "parameters of modules that are never called"),
        ("thop", "tied parameters", "tied parameters, counted each time"),
    ],
)
def test_a_difference_in_parameters_has_its_cause(traces, said, name, subject, cause):
    row = reconcile_answer(traces[subject], name, said[name][subject])
    assert cause in [each.name for each in row.parameter_causes]
    assert row.peer_params - row.params == sum(each.amount for each in row.parameter_causes)


def test_parameters_that_need_no_gradient_are_a_cause_for_peers_that_leave_them_out(traces):
    trace = traces["frozen parameters"]
    trainable = trace.trainable
    peer = PEERS["ptflops"]
    row = reconcile(trace, peer, peer.convention, version="", figure=0, peer_params=trainable)
    assert [(each.name, each.amount) for each in row.parameter_causes] == [
        ("frozen parameters left out", -trace.frozen)
    ]
    assert row.unexplained_params == 0
