"""Functions in the forms that people call them in: each gives the shapes and types that torch gives."""

import runpy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops

SHAPE = (2, 4, 6, 6)
STEPS = (3, 5, 8)


class Attention(nn.Module):
    """Attention as ``nn.MultiheadAttention`` does it, to other tokens than its own."""

    def __init__(self, *, keys=7, same=False, kdim=None, masks=(), **options):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True, kdim=kdim, vdim=kdim, **options)
        self.register_buffer("key", torch.zeros(3, keys, kdim or 8))
        self.register_buffer("value", self.key if same else torch.zeros(3, keys, kdim or 8))
        self.masks = dict(masks)

    def forward(self, x):
        return self.inner(x, self.key, self.value, **self.masks)


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


QUERY_BY_KEY = torch.zeros(5, 7)
EACH_HEAD = torch.zeros(6, 5, 7)
PADDING = torch.zeros(3, 7, dtype=torch.bool)
CAUSAL = {"attn_mask": torch.ones(5, 7).triu(3).bool(), "is_causal": True, "need_weights": False}
CASES = {
    "multi-head, other keys": (Attention(), STEPS),
    "multi-head, key as value": (Attention(same=True), STEPS),
    "multi-head, without weights": (Attention(masks={"need_weights": False}), STEPS),
    "multi-head, weights of each head": (Attention(masks={"average_attn_weights": False}), STEPS),
    "multi-head, without a bias": (Attention(bias=False), STEPS),
    "multi-head, narrower keys": (Attention(kdim=6), STEPS),
    "multi-head, learned key": (Attention(add_bias_kv=True), STEPS),
    "multi-head, key of zeros": (Attention(add_zero_attn=True), STEPS),
    "multi-head, both": (Attention(add_bias_kv=True, add_zero_attn=True), STEPS),
    "multi-head, masked": (Attention(masks={"attn_mask": QUERY_BY_KEY}), STEPS),
    "multi-head, masked by head": (Attention(masks={"attn_mask": EACH_HEAD}), STEPS),
    "multi-head, causal": (Attention(masks=CAUSAL), STEPS),
    "multi-head, causal, for weights": (Attention(masks={**CAUSAL, "need_weights": True}), STEPS),
    "multi-head, causal and padded": (Attention(masks={**CAUSAL, "key_padding_mask": PADDING}), STEPS),
    "multi-head, padded": (Attention(masks={"key_padding_mask": PADDING}), STEPS),
    "multi-head, masked and padded": (
        Attention(masks={"attn_mask": QUERY_BY_KEY.bool(), "key_padding_mask": PADDING}), STEPS,
    ),
    "multi-head, masked by head and padded": (
        Attention(masks={"attn_mask": EACH_HEAD.bool(), "key_padding_mask": PADDING}), STEPS,
    ),
    "multi-head, all of it, for weights": (
        Attention(add_bias_kv=True, add_zero_attn=True,
                  masks={"attn_mask": EACH_HEAD, "need_weights": True}), STEPS,
    ),
    "fold without a batch": (lambda x: F.fold(x, (4, 4), 2), (12, 9)),
    "fold of another size": (lambda x: F.fold(x, (5, 7), (2, 3), padding=1, stride=(1, 2)), (2, 12, 24)),
    "unfold without a batch": (lambda x: F.unfold(x, (2, 3), dilation=2), (4, 6, 7)),
    "unfold, padded": (lambda x: F.unfold(x, 2, padding=(0, 1), stride=(2, 1)), SHAPE),
    "shuffle": (lambda x: F.pixel_shuffle(x, 2), (2, 8, 3, 5)),
    "unshuffle": (lambda x: F.pixel_unshuffle(x, 2), (2, 3, 4, 6)),
    "unshuffle by three": (lambda x: F.pixel_unshuffle(x, 3), (3, 9, 6)),
    "tensordot over one": (lambda x, w: torch.tensordot(x, w, 1), (2, 5, 8), (8, 3)),
    "tensordot as usual": (lambda x, w: torch.tensordot(x, w), (2, 5, 8), (5, 8, 3)),
    "tensordot over none": (lambda x, w: torch.tensordot(x, w, 0), (2, 5), (3,)),
    "tensordot over two by number": (lambda x, w: torch.tensordot(x, w, [[0, 2], [1, 0]]), (2, 5, 8), (8, 2, 3)),
    "cut at places": (lambda x: x.tensor_split((2, 3), 2), SHAPE),
    "cut at the ends": (lambda x: x.tensor_split([0, 6], 2), SHAPE),
    "cut unevenly": (lambda x: x.tensor_split(4, -1), SHAPE),
    "cut along the first": (lambda x: x.tensor_split(2), SHAPE),
    "split along the first": (lambda x: x.split(1), SHAPE),
    "split unevenly": (lambda x: x.split(4, -1), SHAPE),
    "split by sizes": (lambda x: x.split([1, 3, 2], 2), SHAPE),
    "chunk along the first": (lambda x: x.chunk(2), SHAPE),
    "chunk unevenly": (lambda x: x.chunk(4, 3), SHAPE),
    "unbind along the first": (lambda x: x.unbind(), SHAPE),
    "unbind along another": (lambda x: x.unbind(-1), SHAPE),
    "joined along the first": (lambda x, y: torch.cat((x, y)), SHAPE, (3, 4, 6, 6)),
    "joined to nothing": (lambda x: torch.cat((torch.zeros(0), x), -1), SHAPE),
    "joined, of two types": (lambda x: torch.cat((x, x.double())), SHAPE),
    "stacked along the first": (lambda x: torch.stack((x, x)), SHAPE),
    "stacked last": (lambda x: torch.stack((x, x, x), -1), SHAPE),
    "repeated, more dimensions": (lambda x: x.repeat(3, 2, 1), (4, 5)),
    "tiled, fewer numbers": (lambda x: x.tile((2,)), (4, 5)),
    "rolled": (lambda x: x.roll((1, 2), (0, -1)), SHAPE),
    "sizes by a keyword": (lambda x: x + x.new_zeros(size=(6,)) + x.new_empty((6, 6), dtype=torch.float64), SHAPE),
    "sizes one by one": (lambda x: torch.ones(3, 1, 6) * x.new_ones(2, 1, 1, 6), SHAPE),
    "norm as usual": (lambda x: torch.norm(x), SHAPE),
    "norm by Frobenius": (lambda x: x.norm(p="fro", dim=(1, 2)), SHAPE),
    "norm of one": (lambda x: x.norm(1, -1, keepdim=True), SHAPE),
    "length along two": (lambda x: torch.linalg.vector_norm(x, 2, (0, 1), keepdim=True), SHAPE),
    "bag of rows": (lambda w: F.embedding_bag(torch.tensor([[0, 2], [1, 1]]), w), (4, 3)),
    "bag of rows by places": (
        lambda w: F.embedding_bag(torch.tensor([0, 2, 1]), w, torch.tensor([0, 2]), mode="sum"), (4, 3),
    ),
    "normalised along the first": (lambda x: F.normalize(x, p=1, dim=0), (4, 3)),
    "squeezed all": (lambda x: x.squeeze(), (1, 3, 1, 2)),
    "squeezed one": (lambda x: x.squeeze(0), (1, 3, 1, 2)),
    "squeezed none": (lambda x: x.squeeze(1), (1, 3, 1, 2)),
    "unsqueezed before the last": (lambda x: x.unsqueeze(-2), (3, 2)),
    "pooled in ceil mode, padded": (lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), (2, 4, 6, 7)),
    "pooled in ceil mode, the last window left out": (
        lambda x: F.avg_pool2d(x, 2, 3, padding=1, ceil_mode=True), (2, 4, 5, 6),
    ),
    "pooled in ceil mode, by windows apart": (
        lambda x: F.max_pool1d(x, 2, 4, 1, dilation=2, ceil_mode=True), (2, 4, 9),
    ),
    "unsqueezed last": (lambda x: x.unsqueeze(-1), (3, 2)),
    "flattened in the middle": (lambda x: x.flatten(1, 2), SHAPE),
    "flattened to the end": (lambda x: x.flatten(start_dim=2), SHAPE),
    "unflattened": (lambda x: x.unflatten(1, (2, -1)), SHAPE),
    "moved": (lambda x: x.movedim(1, -1), SHAPE),
    "swapped": (lambda x: x.swapaxes(1, -1), SHAPE),
    "diagonal": (lambda x: x.diagonal(1, 1, 3), SHAPE),
    "diagonal of two": (lambda x: x.diagonal(), SHAPE),
    "expanded": (lambda x: x.expand(3, -1, 5), (4, 1)),
    "sorted along the last": (lambda x: x.sort(), SHAPE),
    "running sum along the first": (lambda x: x.cumsum(0), SHAPE),
    "selected": (lambda x: x.index_select(1, torch.tensor([0, 3])), SHAPE),
    "gathered": (lambda x: x.gather(1, torch.zeros(2, 3, 6, 6, dtype=torch.int64)), SHAPE),
    "a number behind an ellipsis": (lambda x: x[..., 0], SHAPE),
    "a slice behind an ellipsis": (lambda x: x[1, ..., 2:], SHAPE),
    "an ellipsis that stands for nothing": (lambda x: x[0, 1, ..., 2, 3], SHAPE),
    "an ellipsis at the end": (lambda x: x[1:, 0, ...], SHAPE),
    "new dimensions": (lambda x: x[None, :, None, 1], SHAPE),
    "steps": (lambda x: x[::2, 3:0, -2:], SHAPE),
    "a tensor of indices in the middle": (lambda x: x[:, torch.tensor([0, 3, 1]), 1:], SHAPE),
    "a tensor of indices behind an ellipsis": (lambda x: x[..., torch.tensor([[0, 3]])], SHAPE),
    "mean of all, dimensions kept": (lambda x: x.mean(None, keepdim=True), SHAPE),
    "sum of some": (lambda x: x.sum((0, -1)), SHAPE),
    "sum of some, dimensions kept": (lambda x: x.sum((0, -1), keepdim=True), SHAPE),
    "padded to nothing": (lambda x: F.pad(x, (-3, -3)), SHAPE),
    "cut and padded": (lambda x: F.pad(x, (-1, 2, 3, -2)), SHAPE),
    "a grid of one": (lambda x: torch.meshgrid(x, indexing="xy"), (4,)),
    "a grid of three, columns first": (lambda x, y: torch.meshgrid(x, y, x, indexing="xy"), (4,), (3,)),
    "softmax of scalars": (lambda x: x.softmax(0), ()),
}  # fmt: skip


TABLES = sorted(
    path.stem for path in Path(__file__).parent.glob("test_*.py") if "\nCASES = {" in path.read_text()
)
"""The modules beside this one that have cases, too."""


class Watched(nn.Module):
    """Notes what the tensors that a model gives look like."""

    def __init__(self, model, note):
        super().__init__()
        self.model, self.note = model, note

    def forward(self, *inputs):
        outputs = self.model(*inputs)
        leaves = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        self.note([(tuple(each.shape), each.dtype) for each in leaves if isinstance(each, torch.Tensor)])
        return outputs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("table", TABLES)
def test_outputs_have_the_shapes_and_types_that_torch_gives(table):
    different = {}
    for name, (function, *given) in runpy.run_path(str(Path(__file__).with_name(f"{table}.py")))[
        "CASES"
    ].items():
        seen = []
        model = Watched(function.eval() if isinstance(function, nn.Module) else Call(function), seen.append)
        inputs = [each if isinstance(each, torch.Tensor) else torch.full(each, 0.5) for each in given]
        trace = resflops.trace(model, *inputs)
        model(*(each.clone() for each in inputs))
        traced, real = seen
        if traced != real:
            different[name] = traced, real
        assert trace.ops
    assert different == {}
