"""Products, distances, lookups and attention: their attributes, and the same cost in every calling style."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.cost import cost_of
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

CONVENTIONS = ("macs", "formula", "flops")


@pytest.mark.parametrize(
    ("op", "shapes", "output", "lacking"),
    [
        ("linear", [(2, 8), (3, 8)], (2, 3), "bias"),
        ("linear_relu", [(2, 8), (3, 8)], (2, 3), "bias"),
        ("bilinear", [(2, 4), (2, 5), (6, 4, 5)], (2, 6), "bias"),
        ("_cdist_forward", [(3, 2), (4, 2)], (3, 4), "p"),
        ("_pdist_forward", [(3, 2)], (3,), "p"),
        ("embedding_bag", [(6,), (10, 4)], (2, 4), "mode"),
        ("scaled_dot_product_attention", [(1, 2, 5, 4)] * 3, (1, 2, 5, 4), "masked"),
    ],
)
def test_a_missing_attribute_is_an_error(op, shapes, output, lacking):
    record = OpRecord(op=op, layer="there", input_shapes=tuple(shapes), output_shapes=(output,))
    with pytest.raises(MissingAttributeError, match=f"{op}.*there.*`{lacking}`"):
        OPS[op].work(record)
    if OPS[op].gradient and OPS[op].gradient.work:
        with pytest.raises(MissingAttributeError, match=f"`{lacking}`"):
            OPS[op].gradient.work(record, (0,))


class Weighted(nn.Module):
    """A function of the input and of parameters of some shapes."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(torch.rand(shape)) for shape in shapes])

    def forward(self, *inputs):
        return self.function(*inputs, *self.weights)


class SelfAttention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True, **options)

    def forward(self, x):
        return self.inner(x, x, x)[0]


class Attention(nn.Module):
    """Attention to keys and values that are parameters."""

    def __init__(self, mask=None, *, keys=7, causal=False, grouped=False):
        super().__init__()
        self.key, self.value = (nn.Parameter(torch.rand(1, 2, keys, 8)) for _ in range(2))
        self.mask, self.causal, self.grouped = mask, causal, grouped

    def forward(self, x):
        return F.scaled_dot_product_attention(
            x, self.key, self.value, self.mask, is_causal=self.causal, enable_gqa=self.grouped
        )


def styles(model, *inputs):
    """The traces of a model as it is called, as torch's own ways of recording one make it, and below them."""
    traces = {"eager": resflops.trace(model, *inputs)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(model, Weighted):
            scripted = torch.jit.trace(model, inputs, check_trace=False)
        else:
            scripted = torch.jit.script(model)
        exported = torch.export.export(model, inputs).module()
    traces["scripted"] = resflops.trace(scripted, *inputs)
    traces["exported"] = resflops.trace(exported, *inputs)
    with torch.no_grad():
        graph = make_fx(model, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    traces["make_fx"] = resflops.trace(graph, *inputs)
    recorder = Recorder(Modules(model), described=False)
    given = [tensor.to("meta") for tensor in inputs]
    recorder.take_inputs(given)
    with torch.no_grad(), recorder:
        outputs = recorder.made_by([model(*given)])
    traces["fallback"] = replace(traces["eager"], ops=tuple(recorder.ops), outputs=outputs)
    return traces


def figures(trace):
    """What a trace costs forward under every convention, and backward where the convention says."""
    forward = tuple(cost_of(trace, convention_name=name).total for name in CONVENTIONS)
    assert all(cost_of(trace, convention_name=name).complete for name in CONVENTIONS)
    backward = [cost_of(trace, convention_name=name, backward=True).backward for name in ("macs", "flops")]
    return forward, tuple((each.input_total, each.weight_total) for each in backward)


INDICES = torch.tensor([[1, 2, 3], [4, 5, 6]])

SAME = {
    "linear": (nn.Linear(8, 3), (5, 8)),
    "linear on a sequence": (nn.Linear(8, 3), (2, 5, 8)),
    "linear without bias": (nn.Linear(8, 3, bias=False), (5, 8)),
    "matrices": (Weighted(lambda x, w: x @ w, (8, 3)), (5, 8)),
    "mm": (Weighted(torch.mm, (8, 3)), (5, 8)),
    "batched": (Weighted(torch.bmm, (2, 8, 3)), (2, 5, 8)),
    "broadcast batches": (Weighted(torch.matmul, (6, 8, 3)), (2, 1, 5, 8)),
    "folded": (Weighted(torch.matmul, (8, 3)), (2, 5, 8)),
    "matrix by vector": (Weighted(torch.mv, (8,)), (5, 8)),
    "dot": (Weighted(torch.dot, (8,)), (8,)),
    "vdot": (Weighted(torch.vdot, (8,)), (8,)),
    "inner": (Weighted(torch.inner, (3, 8)), (5, 8)),
    "addmm": (Weighted(lambda x, b, w: torch.addmm(b, x, w), (3,), (8, 3)), (5, 8)),
    "addmv": (Weighted(lambda x, b, w: torch.addmv(b, x, w), (5,), (8,)), (5, 8)),
    "baddbmm": (Weighted(lambda x, b, w: torch.baddbmm(b, x, w), (2, 5, 3), (2, 8, 3)), (2, 5, 8)),
    "addbmm": (Weighted(lambda x, b, w: torch.addbmm(b, x, w), (5, 3), (2, 8, 3)), (2, 5, 8)),
    "addr": (Weighted(lambda x, b, w: torch.addr(b, x, w), (5, 3), (3,)), (5,)),
    "bilinear": (Weighted(F.bilinear, (5, 7), (6, 8, 7)), (5, 8)),
    "bilinear with bias": (Weighted(F.bilinear, (5, 7), (6, 8, 7), (6,)), (5, 8)),
    "einsum": (Weighted(lambda x, w: torch.einsum("bik,bkj->bij", x, w), (2, 8, 3)), (2, 5, 8)),
    "tensordot": (Weighted(lambda x, w: torch.tensordot(x, w, 2), (5, 8, 3)), (2, 5, 8)),
    "distances": (Weighted(torch.cdist, (4, 8)), (5, 8)),
    "distances by product": (Weighted(torch.cdist, (30, 8)), (40, 8)),
    "distances by another norm": (Weighted(lambda x, w: torch.cdist(x, w, p=3.0), (4, 8)), (5, 8)),
    "distances inside": (Weighted(F.pdist), (5, 8)),
    "embedding": (nn.Embedding(10, 4), INDICES),
    "embedding bag, sum": (nn.EmbeddingBag(10, 4, mode="sum"), INDICES),
    "embedding bag, mean": (nn.EmbeddingBag(10, 4, mode="mean"), INDICES),
    "embedding bag, max": (nn.EmbeddingBag(10, 4, mode="max"), INDICES),
    "one-hot": (Weighted(lambda x, w: F.one_hot(x, 10).float() @ w, (10, 4)), INDICES),
    "attention": (Attention(), (1, 2, 5, 8)),
    "attention, causal": (Attention(keys=5, causal=True), (1, 2, 5, 8)),
    "attention, masked": (Attention(torch.zeros(5, 7)), (1, 2, 5, 8)),
    "attention, grouped": (Attention(grouped=True), (1, 4, 5, 8)),
    "multi-head attention": (SelfAttention(), (2, 5, 8)),
}  # fmt: skip
"""What is the same in every style, but for what DIFFERS says of it."""

BELOW = ("scripted", "make_fx", "fallback")
DIFFERS = {
    "linear without bias": (BELOW, "it is a plain product there, which formula adds no 1 to"),
    "addmm": (("scripted",), "torch.jit turns it into a product and an addition"),
    "bilinear with bias": (BELOW, "the bias is an addition, which has fewer gradients to add than elements"),
    "one-hot": (BELOW, "torch compares the indices with all classes where it has only shapes"),
    **dict.fromkeys(
        ("attention", "attention, causal", "attention, masked", "attention, grouped"),
        (("scripted", "fallback"), "torch has no fused kernel for shapes and scales query and key"),
    ),
    "multi-head attention": (
        (*BELOW, "exported"),
        "torch takes query, key and value out of one projection by three ops, whose gradients it adds up",
    ),
}
"""Where torch takes a function apart so that other work is left than it does as one; and why."""


def macs(figure):
    forward, (backward, _) = figure
    return forward[0], sum(backward)


@pytest.mark.parametrize("name", SAME)
def test_every_calling_style_costs_the_same(name):
    model, given = SAME[name]
    inputs = given if isinstance(given, torch.Tensor) else torch.rand(given)
    found = {style: figures(trace) for style, trace in styles(model, inputs).items()}
    assert {macs(figure) for figure in found.values()} == {macs(found["eager"])}
    excused, _ = DIFFERS.get(name, ((), ""))
    assert {style: each for style, each in found.items() if style not in excused} == {
        style: found["eager"] for style in found if style not in excused
    }


def test_a_fused_kernel_is_told_of_shared_keys_by_its_shapes():
    model = Attention(grouped=True)
    traces = styles(model, torch.rand(1, 4, 5, 8))
    eager, fused = (traces[style].ops[0] for style in ("eager", "make_fx"))
    assert (fused.op, fused.attributes) == (eager.op, eager.attributes)
    assert eager.attributes == {
        "masked": False, "mask_dims": 0, "causal": False, "grouped": True, "dropout": False,
    }  # fmt: skip


def test_an_old_trace_of_attention_says_nothing_of_dropout():
    record = OpRecord(
        op="scaled_dot_product_attention",
        layer="",
        input_shapes=((1, 2, 5, 4),) * 3,
        output_shapes=((1, 2, 5, 4),),
        attributes={"masked": True, "causal": False, "grouped": False},
    )
    assert OPS[record.op].work(record).macs == 2 * 5 * 5 * 8
