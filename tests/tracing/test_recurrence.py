"""Recurrent networks: the function as one op, against torch's own steps and formulas derived by hand."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._pytree import tree_map

import resflops
from resflops.errors import ShapeError
from resflops.ops import OPS
from resflops.records import add_works
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

T, N, W, H = 5, 2, 6, 4
ROWS = T * N
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def run(model, *inputs, described):
    recorder = Recorder(Modules(model), described=described)
    with torch.no_grad(), recorder:
        out = model(*inputs)
    assert {op.op for op in recorder.ops if op.op not in OPS or not OPS[op.op].counted} == set()
    work = add_works(OPS[op.op].work(op) for op in recorder.ops if OPS[op.op].work)
    return tree_map(lambda tensor: (tuple(tensor.shape), tensor.dtype), out), work, recorder


def macs(gates, layers=1, directions=1, output=H, projection=0):
    """Every row meets every weight: input to gates, state to gates, and the projection."""
    total = 0
    for layer in range(layers):
        width = W if layer == 0 else directions * output
        total += directions * (gates * H * width + gates * H * output + projection * H)
    return ROWS * total


NETWORKS = [
    (nn.LSTM(W, H), macs(4)),
    (nn.LSTM(W, H, batch_first=True, bias=False), macs(4)),
    (nn.LSTM(W, H, 3, bidirectional=True), macs(4, layers=3, directions=2)),
    (nn.LSTM(W, H, 2, proj_size=3), macs(4, layers=2, output=3, projection=3)),
    (nn.LSTM(W, H, 2, proj_size=3, bidirectional=True), macs(4, 2, 2, output=3, projection=3)),
    (nn.GRU(W, H), macs(3)),
    (nn.GRU(W, H, 2, bidirectional=True, batch_first=True), macs(3, layers=2, directions=2)),
    (nn.RNN(W, H), macs(1)),
    (nn.RNN(W, H, 2, nonlinearity="relu", bidirectional=True), macs(1, layers=2, directions=2)),
]


@pytest.mark.parametrize(("model", "expected"), NETWORKS, ids=[str(model) for model, _ in NETWORKS])
def test_a_network_does_the_same_work_as_its_steps(model, expected):
    image = torch.empty(N, T, W, device="meta") if model.batch_first else torch.empty(T, N, W, device="meta")
    out, fast, recorder = run(model, image, described=True)
    assert recorder.fallbacks == []
    want, slow, _ = run(model, image, described=False)
    assert fast == slow
    assert fast.macs == expected
    assert out == want


@pytest.mark.parametrize("kind", GATES)
def test_an_unbatched_sequence_is_a_batch_of_one(kind):
    model = getattr(nn, kind)(W, H)
    assert resflops.count(model, (T, W)).macs == macs(GATES[kind]) // N


CELLS = [
    (nn.LSTMCell(W, H), 4), (nn.GRUCell(W, H), 3), (nn.RNNCell(W, H), 1),
    (nn.RNNCell(W, H, bias=False, nonlinearity="relu"), 1),
]  # fmt: skip


@pytest.mark.parametrize(("model", "gates"), CELLS, ids=[str(model) for model, _ in CELLS])
def test_a_cell_is_one_step(model, gates):
    image = torch.empty(N, W, device="meta")
    out, fast, recorder = run(model, image, described=True)
    assert recorder.fallbacks == []
    want, slow, _ = run(model, image, described=False)
    assert fast == slow
    assert fast.macs == N * gates * H * (W + H)
    assert out == want


def test_dropout_between_layers_counts_in_training_only():
    model = nn.LSTM(W, H, 3, dropout=0.5)
    image = torch.empty(T, N, W, device="meta")
    evaluated, trained = (run(model.train(mode), image, described=True)[1] for mode in (False, True))
    assert trained.comparisons - evaluated.comparisons == 2 * ROWS * H
    assert trained.macs == evaluated.macs


class Packed(nn.Module):
    """Takes a padded batch and runs only what is there."""

    def __init__(self, inner, lengths):
        super().__init__()
        self.inner, self.lengths = inner, lengths

    def forward(self, x):
        return self.inner(pack_padded_sequence(x, self.lengths))


@pytest.mark.parametrize("kind", GATES)
def test_a_packed_sequence_counts_its_real_lengths(kind):
    model = Packed(getattr(nn, kind)(W, H, bidirectional=True), [5, 3])
    cost = resflops.count(resflops.trace(model, torch.zeros(T, N, W), real=True))
    assert cost.macs == (5 + 3) * 2 * GATES[kind] * H * (W + H)
    assert cost.uncounted == ()


def test_a_real_run_gives_the_same_record():
    model = nn.LSTM(W, H, 2, bidirectional=True)
    image = torch.zeros(T, N, W)
    meta, real = resflops.trace(model, image), resflops.trace(model, image, real=True)
    assert [op for op in meta.ops if op.op == "lstm"] == [op for op in real.ops if op.op == "lstm"]


def test_a_wrong_number_of_features_names_the_layer():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(W, H)

        def forward(self, x):
            return self.cell(x)

    with pytest.raises(ShapeError, match=f"cell: gru_cell: takes {W} input features"):
        resflops.trace(Model(), (N, W + 1))
