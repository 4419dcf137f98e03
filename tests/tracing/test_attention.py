"""Multi-head attention and the transformer layers, in every way they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import ShapeError
from resflops.ops import OPS
from resflops.records import add_works
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

L, S, N, E, H = 5, 7, 2, 8, 2
QUERY, KEY = torch.zeros(L, N, E), torch.zeros(S, N, E)


def run(model, *inputs, described=True, **keywords):
    recorder = Recorder(Modules(model), described=described)
    with torch.no_grad(), recorder:
        out = model(*inputs, **keywords)
    assert {op.op for op in recorder.ops if op.op not in OPS or not OPS[op.op].counted} == set()
    return out, add_works(OPS[op.op].work(op) for op in recorder.ops if OPS[op.op].work), recorder


def projections(queries, keys, width=E, key_width=E, value_width=E):
    """Query, key and value in, one out."""
    return N * (queries * width * E + keys * key_width * E + keys * value_width * E + queries * E * E)


def attention(queries, keys):
    """Scores and weighted values; heads split the width and so cancel out."""
    return 2 * N * queries * keys * E


CASES = {
    "self": (nn.MultiheadAttention(E, H), (QUERY, QUERY, QUERY), {}, projections(L, L) + attention(L, L)),
    "cross": (nn.MultiheadAttention(E, H), (QUERY, KEY, KEY), {}, projections(L, S) + attention(L, S)),
    "three tensors": (
        nn.MultiheadAttention(E, H, bias=False), (QUERY, KEY, KEY.clone()), {},
        projections(L, S) + attention(L, S),
    ),
    "other widths": (
        nn.MultiheadAttention(E, H, kdim=6, vdim=4), (QUERY, KEY[..., :6], KEY[..., :4]), {},
        projections(L, S, key_width=6, value_width=4) + attention(L, S),
    ),
    "a learned and a zero key": (
        nn.MultiheadAttention(E, H, add_bias_kv=True, add_zero_attn=True), (QUERY, KEY, KEY), {},
        projections(L, S) + attention(L, S + 2),
    ),
    "masks": (
        nn.MultiheadAttention(E, H, add_bias_kv=True), (QUERY, KEY, KEY),
        {"attn_mask": torch.zeros(L, S), "key_padding_mask": torch.zeros(N, S)},
        projections(L, S) + attention(L, S + 1),
    ),
    "causal": (
        nn.MultiheadAttention(E, H), (QUERY, QUERY, QUERY),
        {"attn_mask": torch.zeros(L, L), "is_causal": True}, projections(L, L) + attention(L, L),
    ),
    "batch first": (
        nn.MultiheadAttention(E, H, batch_first=True), (QUERY.transpose(0, 1),) * 3, {},
        projections(L, L) + attention(L, L),
    ),
    "unbatched": (
        nn.MultiheadAttention(E, H), (QUERY[:, 0], KEY[:, 0], KEY[:, 0]), {},
        (projections(L, S) + attention(L, S)) // N,
    ),
}  # fmt: skip


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_multi_head_attention_is_four_projections_and_an_attention(name, training, need_weights):
    model, inputs, keywords, macs = CASES[name]
    model = model.train(training)
    # A tensor given twice must stay one: torch projects it once.
    twins = {id(each): torch.empty_like(each, device="meta") for each in inputs}
    inputs = [twins[id(each)] for each in inputs]
    keywords = {
        key: value.to("meta") if isinstance(value, torch.Tensor) else value for key, value in keywords.items()
    }
    out, fast, recorder = run(model, *inputs, need_weights=need_weights, **keywords)
    assert recorder.fallbacks == []
    assert fast.macs == macs
    want, slow, _ = run(model, *inputs, need_weights=need_weights, described=False, **keywords)
    assert slow.macs == macs
    if need_weights:
        assert (fast.bias_adds, fast.transcendental) == (slow.bias_adds, slow.transcendental)
    assert out[0].shape == want[0].shape
    assert (out[1] is None) == (want[1] is None)
    if need_weights:
        assert out[1].shape == want[1].shape


@pytest.mark.parametrize("batch_first", [False, True])
def test_weights_of_each_head_come_unfolded_when_asked(batch_first):
    model = nn.MultiheadAttention(E, H, batch_first=batch_first)
    image = torch.empty(4, 4, E, device="meta")
    out, *_ = run(model, image, image, image, average_attn_weights=False)
    assert out[1].shape == (4, H, 4, 4)


LAYERS = {
    "encoder": (
        lambda **how: nn.TransformerEncoderLayer(E, H, 16, **how),
        1,
        projections(L, L) + attention(L, L) + 2 * N * L * E * 16,
    ),
    "decoder": (
        lambda **how: nn.TransformerDecoderLayer(E, H, 16, **how),
        2,
        2 * (projections(L, L) + attention(L, L)) + 2 * N * L * E * 16,
    ),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("how", [{}, {"norm_first": True}, {"activation": "gelu"}, {"bias": False}], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_transformer_layers_count_the_same_fused_or_not(name, how, training):
    make, inputs, macs = LAYERS[name]
    for batch_first in (False, True):
        model = make(batch_first=batch_first, **how).train(training)
        image = torch.zeros((N, L, E) if batch_first else (L, N, E))
        assert resflops.count(model, *[image] * inputs).macs == macs
        assert resflops.trace(model, *[image] * inputs) is not None


def test_padding_counts_as_if_it_were_there():
    # Torch leaves it out only where the mask's values allow it, which a shape does not tell.
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(E, H, 16, batch_first=True), 2).eval()
    macs = 2 * (projections(L, L) + attention(L, L) + 2 * N * L * E * 16)
    image, mask = torch.empty(N, L, E, device="meta"), torch.empty(N, L, dtype=torch.bool, device="meta")
    assert resflops.count(model, image).macs == macs
    assert resflops.count(model, image, src_key_padding_mask=mask).macs == macs


def test_shapes_that_do_not_go_together_name_the_layer():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(E, H)

        def forward(self, x):
            return self.attention(x, x, x)

    with pytest.raises(ShapeError, match="attention: multi_head_attention_forward"):
        resflops.trace(Model(), (L, N, 6))


def test_grouped_query_attention_counts_every_query_head():
    def grouped(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    class Model(nn.Module):
        def forward(self, *inputs):
            return grouped(*inputs)

    query, key = torch.zeros(1, 8, 5, 4), torch.zeros(1, 2, 7, 4)
    assert resflops.count(Model(), query, key, key).macs == 8 * 5 * 7 * (4 + 4)


def test_a_vision_transformer_needs_no_fallback():
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        model = torchvision.models.vit_b_16().eval()
        image = torch.empty(1, 3, 224, 224)
    _, work, recorder = run(model, image)
    assert work.macs == 17_563_828_224
    assert recorder.fallbacks == []


flex = pytest.importorskip("torch.nn.attention.flex_attention")
FLAG = "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"


class Flexible(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how, self.bias = how, nn.Parameter(torch.zeros(4))

    def forward(self, query, key, value):
        if self.how == "compiled":
            return torch.compile(flex.flex_attention)(query, key, value, enable_gqa=True)
        mask = score_mod = None
        if self.how == "mask of its own":
            mask = flex.create_block_mask(lambda b, h, q, k: q >= k, 1, 1, 128, 64, device=query.device)
        elif self.how == "mask of before":
            mask = BEFORE
        elif self.how == "scores":
            score_mod = self.change_score
        return flex.flex_attention(query, key, value, score_mod, mask, enable_gqa=True)

    def change_score(self, score, b, h, q, k):
        return torch.tanh(score + self.bias[h] * (q - k))


BEFORE = flex.create_block_mask(lambda b, h, q, k: q >= k, 1, 1, 128, 64, device="cpu")
FLEXIBLE = [torch.zeros(1, 4, 128, 16), torch.zeros(1, 2, 64, 16), torch.zeros(1, 2, 64, 8)]
SCORES = 4 * 128 * 64


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.skipif(not hasattr(flex, FLAG), reason="this torch always compiles flex_attention")
@pytest.mark.parametrize("how", ["plain", "compiled", "mask of its own", "mask of before", "scores"])
def test_flex_attention_counts_as_dense_attention(how):
    model, before = Flexible(how), getattr(flex, FLAG)
    cost = resflops.count(model, *FLEXIBLE)
    assert (cost.macs, cost.uncounted, cost.trace.execution) == (SCORES * (16 + 8), (), "meta")
    assert cost.trace.ops[-1].output_shape == (1, 4, 128, 8)
    if how == "scores":
        # Besides the softmax: a difference, a product, a sum and a tanh for every score.
        plain = resflops.count(Flexible("mask of before"), *FLEXIBLE).work
        assert cost.work.arithmetic - plain.arithmetic == 3 * SCORES
        assert cost.work.transcendental - plain.transcendental == SCORES
    real = resflops.count(resflops.trace(model, *FLEXIBLE, real=True))
    assert real.macs == cost.macs
    # A real run cannot look into the score function, and does not keep silent about it.
    assert [each.op for each in real.uncounted] == ["flex_attention.score_mod"] * (how == "scores")
    assert getattr(flex, FLAG) is before
