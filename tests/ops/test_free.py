"""Ops that do no arithmetic: their gradients are counted alike however they are reached."""

import importlib
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.cost import cost_of
from resflops.errors import MissingAttributeError, TraceError
from resflops.ops import OPS
from resflops.records import OpRecord, Work
from resflops.tracing.meta import META
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

FAMILIES = ("views", "slicing", "copies", "indexing", "creation", "bookkeeping")
SHAPE = (2, 4, 6, 6)
PICKS = torch.tensor([0, 2, 2])


class Call(nn.Module):
    """A function of what needs a gradient, since a parameter went into it."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(SHAPE))

    def forward(self, x):
        return self.function(x * self.weight)


def dispatched(model):
    """The second level of tracing alone."""
    tracing = importlib.import_module("resflops.tracing.trace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "Recorder", partial(Recorder, described=False))
        return tracing._traced(Modules(model), (SHAPE,), {}, device=META, execution="meta", nonzero=False)


def functionalised(model):
    """The graph of aten ops, whose only parameter is the model's; what else it holds are constants."""
    graph = make_fx(model)(torch.randn(SHAPE))
    held = {**vars(graph), **dict(graph.named_buffers())}
    for name, tensor in held.items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            delattr(graph, name)
            setattr(graph, name, nn.Parameter(tensor.detach()) if tensor.shape == SHAPE else tensor)
    return resflops.trace(graph, SHAPE)


STYLES = {
    "real": lambda model: resflops.trace(model, SHAPE, real=True),
    "dispatcher": dispatched,
    "scripted": lambda model: resflops.trace(
        torch.jit.trace(model, torch.randn(SHAPE), check_trace=False), SHAPE
    ),
    "exported": lambda model: resflops.trace(
        torch.export.export(model, (torch.randn(SHAPE),)).module(), SHAPE
    ),
    "make_fx": functionalised,
}


def written(index, value):
    """A tensor with a value written into it."""

    def write(x):
        out = torch.zeros(SHAPE)
        out[index] = value(x)
        return out

    return write


def copied(x):
    return torch.zeros(SHAPE).copy_(x[:, :1])


def masked(x):
    y = x + x
    return y.masked_fill_(x > 0, 0.0)


def overwritten(x):
    y = x + x
    return y.zero_() + x


FUNCTIONS = {
    "views": lambda x: x.view(8, 36).unflatten(0, (2, 4)).movedim(1, 2).mT.unsqueeze(0).squeeze(0).ravel(),
    "reshape": lambda x: x.permute(0, 2, 3, 1).reshape(72, 4).t().contiguous().flatten(),
    "expand": lambda x: x.unsqueeze(0).expand(3, *SHAPE),
    "expand_as": lambda x: x[:, :1].expand_as(x),
    "broadcast_tensors": lambda x: torch.broadcast_tensors(x, x[:, :1])[1],
    "detach": lambda x: x.detach() + x,
    "slices": lambda x: x.select(1, 2).narrow(1, 1, 2)[:, ::2],
    "pieces": lambda x: torch.stack(torch.cat(x.split(2, 1)).chunk(2, 1)),
    "unbind": lambda x: torch.stack(x.unbind(1)),
    "tensor_split": lambda x: torch.cat(x.tensor_split(3, 1), 1),
    "getitem": lambda x: x[:, PICKS],
    "getitem twice": lambda x: x[PICKS[:2] // 2, PICKS[:2]],
    "windows": lambda x: x.unfold(-1, 3, 1),
    "as_strided": lambda x: x.as_strided((3, 3), (1, 1)),
    "stack": lambda x: torch.stack([torch.cat([x, torch.zeros(SHAPE)], 1), torch.cat([x, x + x], 1)]),
    "pad": lambda x: F.pad(x, (1, 2)),
    "pad reflect": lambda x: F.pad(x, (1, 2, 1, 1), mode="reflect"),
    "pad replicate": lambda x: F.pad(x, (1, 2, 1, 1), mode="replicate"),
    "pad circular": lambda x: F.pad(x, (1, 2, 1, 1), mode="circular"),
    "conversions": lambda x: x.double().clone().to(torch.float32),
    "repeat": lambda x: x.repeat(2, 1, 1, 1).tile(2, 1).repeat_interleave(2, 1),
    "meshgrid": lambda x: torch.stack(torch.meshgrid(x[0, 0, 0], torch.zeros(6), indexing="ij")),
    "rearrangements": lambda x: F.pixel_unshuffle(F.pixel_shuffle(x.flip(1).tril().roll(1, 1), 2), 2),
    "im2col": lambda x: F.unfold(x, 3),
    "gather": lambda x: x.gather(1, torch.zeros(2, 2, 6, 6, dtype=torch.long)),
    "index_select": lambda x: x.index_select(1, PICKS),
    "take": lambda x: x.take(PICKS),
    "masked_fill": lambda x: x.masked_fill(x > 0, 0.0),
    "masked_fill_": masked,
    "where": lambda x: torch.where(x > 0, x[:, :1], x[:1]),
    "scatter": lambda x: torch.zeros(SHAPE).scatter(1, torch.zeros(2, 2, 6, 6, dtype=torch.long), x),
    "setitem": written((slice(None), slice(1, 3)), lambda x: x[:, 1:3]),
    "setitem, broadcast": written((slice(None), slice(1, 3)), lambda x: x[:, 1:2]),
    "setitem by indices": written((slice(None), PICKS), lambda x: x[:, 1:2]),
    "setitem by pairs": written((PICKS[:2] // 2, PICKS[:2]), lambda x: x[0, 0]),
    "copy": copied,
    "zero": overwritten,
}

# Where what runs is another function.
PIECES = "compiled code has a slice for each piece, whose gradients are added up"
OTHERWISE = {
    ("make_fx", "detach"): "make_fx leaves it out",
    **{(style, "tensor_split"): PIECES for style in ("dispatcher", "scripted", "exported", "make_fx")},
    **{
        (style, "pad circular"): "torch writes into slices of a new tensor, and overlaps are not seen"
        for style in ("dispatcher", "scripted", "exported", "make_fx")
    },
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_costs_the_same_in_every_style(name):
    model = Call(FUNCTIONS[name])
    eager = resflops.trace(model, SHAPE)
    for style, trace in STYLES.items():
        other = trace(model)
        for convention in ("macs", "formula", "flops"):
            want, got = (
                cost_of(each, convention_name=convention, backward=convention != "formula")
                for each in (eager, other)
            )
            assert got.complete
            assert got.total == want.total, style
            if convention != "formula" and (style, name) not in OTHERWISE:
                assert got.backward.complete
                assert got.backward.total == want.backward.total, style


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_the_functions_that_differ_still_do():
    for style, name in OTHERWISE:
        model = Call(FUNCTIONS[name])
        eager, other = (
            cost_of(trace, convention_name="flops", backward=True).backward.total
            for trace in (resflops.trace(model, SHAPE), STYLES[style](model))
        )
        assert eager != other, (style, name)


def record(op, inputs, output, **attributes):
    return OpRecord(op=op, layer="a.b", input_shapes=inputs, output_shapes=(output,), attributes=attributes)


def test_padding_of_an_unknown_kind_is_an_error():
    gradient = OPS["pad"].gradient.work
    padded = ((3, 4),), (3, 6)
    assert gradient(record("pad", *padded, mode="constant"), (0,)) == (Work(),)
    assert gradient(record("pad", *padded, mode="reflect"), (0,)) == (Work(arithmetic=6),)
    with pytest.raises(MissingAttributeError, match="op 'pad' of layer"):
        gradient(record("pad", *padded), (0,))


@pytest.mark.parametrize(
    ("index", "elements"),
    [
        pytest.param((slice(None), 1), 2 * 36, id="number"),
        pytest.param((0, slice(1, 3)), 2 * 36, id="slice"),
        pytest.param((slice(None), PICKS), 2 * 3 * 36, id="indices"),
        pytest.param((PICKS // 2, PICKS), 3 * 36, id="pairs"),
        pytest.param((slice(None), [0, 2]), 2 * 2 * 36, id="list"),
        pytest.param((slice(None), np.array([0, 2])), 2 * 2 * 36, id="numpy"),
        pytest.param((slice(None), np.array([True, False, True, False])), 2 * 2 * 36, id="numpy mask"),
        pytest.param((slice(None), [True, False, True, False]), 2 * 2 * 36, id="list mask"),
        pytest.param((slice(None), torch.tensor([True, False, True, False])), 0, id="mask"),
    ],
)
def test_the_gradient_of_a_value_is_added_up_where_it_was_written(index, elements):
    model = Call(written(index, lambda x: x.sum()))
    *_, last = resflops.trace(model, SHAPE).ops
    assert (last.op, last.attributes) == ("setitem", {"written": elements})
    assert OPS["setitem"].gradient.work(last, (0, 1)) == (Work(), Work(arithmetic=max(elements - 1, 0)))


def test_a_write_in_an_older_trace_repeats_nothing():
    old = record("setitem", (SHAPE, ()), SHAPE)
    assert OPS["setitem"].gradient.work(old, (0, 1)) == (Work(), Work())


def test_three_types_are_joined_as_torch_does():
    def joined(x):
        return torch.cat([x.half(), x.bfloat16(), x.double()])

    recorder = Recorder(Modules(nn.Identity()))
    with torch.no_grad(), recorder:
        out = joined(torch.zeros(2, 3, device="meta"))
        two = torch.cat([torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64)])
    assert (out.dtype, two.dtype) == (torch.float64, torch.float32)
    assert [op.op for op in recorder.ops if op.op == "cat"] == ["cat", "cat"]


def test_dimensions_that_do_not_pair_up_are_torchs_to_name():
    with pytest.raises(TraceError, match="movedim"):
        resflops.trace(Call(lambda x: x.movedim((0, 1), (1,))), SHAPE)


def test_every_free_op_says_how_gradients_pass_it_and_what_it_shares():
    free = {name: known for name, known in OPS.items() if known.family in FAMILIES}
    assert {name for name, known in free.items() if not known.free} == {"numpy", "__array__", "__dlpack__"}
    assert all(known.gradient is not None and known.work is None for known in free.values())
    assert {
        name for name in ("view", "permute", "select", "detach") if free[name].shares != "always"
    } == set()
    assert {free[name].shares for name in ("reshape", "flatten", "contiguous", "to")} == {"sometimes"}
    assert {free[name].shares for name in ("cat", "pad", "gather", "zeros")} == {""}


@pytest.mark.parametrize(
    ("window", "ops"),
    [
        ("keeps", ("pad", "constant_pad_nd", "contiguous", "clone", "to", "cat")),
        ("flattens", ("flatten",)),
        ("slices", ("getitem", "slice")),
        ("", ("permute", "reshape", "select", "gather", "where")),
    ],
)
def test_receptive_fields_pass_free_ops(window, ops):
    assert {OPS[op].window for op in ops} == {window}
