"""Copies, joined, padded or rearranged: one cost however they are made."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import Work
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

SHAPE = (2, 4, 6, 6)
CASES = {
    "reshape": (lambda x: x.permute(0, 2, 3, 1).reshape(72, 4).t().contiguous().flatten(), SHAPE),
    "pieces": (lambda x: torch.stack(torch.cat(x.split(2, 1)).chunk(2, 1)), SHAPE),
    "stack": (
        lambda x: torch.stack([torch.cat([x, torch.zeros(SHAPE)], 1), torch.cat([x, x + x], 1)]),
        SHAPE,
    ),
    "pad": (lambda x: F.pad(x, (1, 2)), SHAPE),
    "pad reflect": (lambda x: F.pad(x, (1, 2, 1, 1), mode="reflect"), SHAPE),
    "pad replicate": (lambda x: F.pad(x, (1, 2, 1, 1), mode="replicate"), SHAPE),
    "pad circular": (lambda x: F.pad(x, (1, 2, 1, 1), mode="circular"), SHAPE),
    "conversions": (lambda x: x.double().clone().to(torch.float32), SHAPE),
    "repeat": (lambda x: x.repeat(2, 1, 1, 1).tile(2, 1).repeat_interleave(2, 1), SHAPE),
    "meshgrid": (lambda x: torch.stack(torch.meshgrid(x[0, 0, 0], torch.zeros(6), indexing="ij")), SHAPE),
    "rearrangements": (
        lambda x: F.pixel_unshuffle(F.pixel_shuffle(x.flip(1).tril().roll(1, 1), 2), 2),
        SHAPE,
    ),
    "im2col": (lambda x: F.unfold(x, 3), SHAPE),
}
# Torch writes into slices of a new tensor, and a program that somebody else made of it has these writes.
DIFFERS = {(style, "pad circular"): {"flops backward"} for style in ("exported", "make_fx", "fallback")}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


def test_padding_of_an_unknown_kind_is_an_error(record):
    gradient = OPS["pad"].gradient.work
    padded = [(3, 4)], (3, 6)
    assert gradient(record("pad", *padded, mode="constant"), (0,)) == (Work(),)
    assert gradient(record("pad", *padded, mode="reflect"), (0,)) == (Work(arithmetic=6),)
    with pytest.raises(MissingAttributeError, match="op 'pad' of layer"):
        gradient(record("pad", *padded), (0,))


def test_three_types_are_joined_as_torch_does():
    def joined(x):
        return torch.cat([x.half(), x.bfloat16(), x.double()])

    recorder = Recorder(Modules(nn.Identity()))
    with torch.no_grad(), recorder:
        out = joined(torch.zeros(2, 3, device="meta"))
        two = torch.cat([torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64)])
    assert (out.dtype, two.dtype) == (torch.float64, torch.float32)
    assert [op.op for op in recorder.ops if op.op == "cat"] == ["cat", "cat"]


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"dilation": 2}, {"padding": (1, 0)}, {"dilation": (2, 1), "stride": (1, 3)}]
)
def test_columns_have_the_shape_that_torch_gives_them(options, trace_style):
    *_, columns = trace_style("eager", lambda x: F.unfold(x, (3, 2), **options), (2, 4, 9, 8)).ops
    assert columns.output_shape == F.unfold(torch.zeros(2, 4, 9, 8), (3, 2), **options).shape
