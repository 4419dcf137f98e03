"""Every described function gives what torch gives: shapes, types and containers."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._pytree import tree_map

import resflops
from resflops.errors import TraceError
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def read_facts(value):
    """The value with (shape, dtype) in place of every tensor."""
    return tree_map(
        lambda leaf: (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, torch.Tensor) else leaf, value
    )


def record(function, *inputs):
    model = Call(function)
    recorder = Recorder(Modules(model))
    with torch.no_grad(), recorder:
        out = model(*(each.to("meta") for each in inputs))
    return out, recorder


def check(function, *inputs):
    out, recorder = record(function, *inputs)
    want = function(*(each.clone() for each in inputs))
    assert type(out) is type(want)
    assert read_facts(out) == read_facts(want)
    assert recorder.fallbacks == []
    model = Call(function)
    meta = resflops.trace(model, *inputs)
    real = resflops.trace(model, *(each.clone() for each in inputs), real=True)
    assert meta.ops == real.ops


X = torch.rand(2, 3, 4)
INDEX = torch.tensor([[1, 0], [2, 1]])
VIEWS = {
    "view": lambda x: x.view(6, -1),
    "view of a sequence": lambda x: x.view((2, 12)),
    "reshape": lambda x: torch.reshape(x, (-1,)),
    "reshape like": lambda x: x.reshape_as(torch.empty(4, 6)),
    "view like": lambda x: x.view_as(torch.empty(4, 6)),
    "flatten": lambda x: x.flatten(1),
    "flatten some": lambda x: torch.flatten(x, 0, 1),
    "ravel": lambda x: x.ravel(),
    "unflatten": lambda x: x.unflatten(2, (2, -1)),
    "permute": lambda x: x.permute(2, 0, 1),
    "permute a sequence": lambda x: torch.permute(x, (0, -1, 1)),
    "transpose": lambda x: x.transpose(-1, 0),
    "swap axes": lambda x: torch.swapaxes(x, 0, 1),
    "matrix": lambda x: x[0].t(),
    "T": lambda x: x[0].T,
    "mT": lambda x: x.mT,
    "move": lambda x: x.movedim(0, -1),
    "move several": lambda x: torch.movedim(x, (0, 2), (1, 0)),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "squeeze": lambda x: x.unsqueeze(0).unsqueeze(2).squeeze(),
    "squeeze one": lambda x: x[:1].squeeze(0),
    "squeeze none": lambda x: x.squeeze(1),
    "expand": lambda x: x[:, :1].expand(-1, 5, 4),
    "expand to more": lambda x: x.expand(6, -1, -1, -1),
    "broadcast": lambda x: torch.broadcast_to(x, (5, 2, 3, 4)),
    "expand like": lambda x: x[:1].expand_as(x),
    "select": lambda x: x.select(1, -1),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "item": lambda x: x[1],
    "item from the back": lambda x: x[:, -1],
    "slices": lambda x: x[..., 1:, ::2],
    "new axis": lambda x: x[:, None, ..., None],
    "ellipsis in the middle": lambda x: x[0, ..., 1],
    "empty slice": lambda x: x[5:],
    "split": lambda x: x.split(2, 1),
    "split by lengths": lambda x: torch.split(x, [1, 3], -1),
    "chunk": lambda x: x.chunk(2, dim=1),
    "uneven chunk": lambda x: torch.chunk(x, 3, -1),
    "tensor split": lambda x: x.tensor_split(3, -1),
    "tensor split at places": lambda x: torch.tensor_split(x, (1, 3), dim=-1),
    "unbind": lambda x: x.unbind(-1),
    "sliding windows": lambda x: x.unfold(-1, 2, 1),
    "unpacked": lambda x: list(x),
}
OTHERS = {
    "cat": lambda x: torch.cat([x, x[:, :1]], 1),
    "cat of two types": lambda x: torch.cat([x, x.double()]),
    "cat with an empty vector": lambda x: torch.cat([x[0, 0, :0], x], -1),
    "repeat": lambda x: x.repeat(2, 1, 1, 3),
    "repeat each": lambda x: x.repeat_interleave(2, -1),
    "repeat each of all": lambda x: torch.repeat_interleave(x, 3),
    "flip": lambda x: x.flip(0, 1),
    "triangle": lambda x: torch.tril(x, 1),
    "masked fill": lambda x: x.masked_fill(x > 0, 0.0),
    "masked fill in place": lambda x: x.masked_fill_(x > 0, 0.0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where, a method": lambda x: x.where(x > 0, torch.zeros(())),
    "zero": lambda x: x.zero_(),
    "copy": lambda x: torch.empty_like(x).copy_(x[:1]),
    "pixels into channels": lambda x: F.pixel_unshuffle(x.view(1, 6, 4), 2),
    "channels into pixels": lambda x: F.pixel_shuffle(x.view(4, 2, 3), 2),
    "windows": lambda x: F.unfold(x[None], 2, padding=1),
    "sum": lambda x: x.sum(0),
    "sum of integers": lambda x: x.int().sum(),
    "mean": lambda x: x.mean((0, -1), keepdim=True),
    "max": lambda x: x.max(1),
    "max of all": lambda x: torch.max(x),
    "max of two": lambda x: torch.max(x, x[:1]),
    "min, dimension kept": lambda x: x.min(-1, keepdim=True),
    "argmax": lambda x: x.argmax(-1),
    "argmin of all": lambda x: torch.argmin(x),
    "amax": lambda x: x.amax((0, 1)),
    "all": lambda x: (x > 0).all(0),
    "any of all": lambda x: (x > 0).any(),
    "variance": lambda x: x.var(-1, keepdim=True),
    "variance, biased": lambda x: x.var(dim=(0, 1), unbiased=False),
    "deviation and mean": lambda x: torch.std_mean(x, 1),
    "running sum": lambda x: x.cumsum(0),
    "running sum of truth": lambda x: (x > 0).cumsum(-1),
    "largest": lambda x: x.topk(2, 1),
    "sorted": lambda x: torch.sort(x, descending=True),
    "order": lambda x: x.argsort(0),
    "norm": lambda x: x.norm(dim=-1, keepdim=True),
    "norm, a function": lambda x: torch.linalg.vector_norm(x, dim=1),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "normalise": lambda x: F.normalize(x, dim=-1),
    "cosine": lambda x: F.cosine_similarity(x, x[:1], dim=-1),
    "addcmul": lambda x: torch.addcmul(x, x, x[:1], value=2),
    "lerp": lambda x: torch.lerp(x, x, 0.5),
    "and": lambda x: (x > 0) & (x < 1),
    "or in place": lambda x: (x > 0).__ior__(x < 1),
    "not": lambda x: ~(x > 0),
    "logical": lambda x: torch.logical_or(x > 0, x),
    "outer": lambda x: torch.outer(x[0, 0], x[:, 0, 0]),
    "remainder": lambda x: x % 2,
    "zeros": lambda x: torch.zeros(2, 3) + x.new_zeros(3),
    "zeros of a type": lambda x: torch.zeros((2, 3), dtype=torch.int32),
    "ones like": lambda x: torch.ones_like(x, dtype=torch.bool),
    "zeros of a keyword": lambda x: torch.zeros(size=(2, 3)) + x.new_ones(size=(3,)),
    "full of keywords": lambda x: torch.full((2, 2), fill_value=True),
    "new full of keywords": lambda x: x.new_full(size=(2, 2), fill_value=1),
    "range of keywords": lambda x: torch.arange(1, end=7, step=2),
    "even steps": lambda x: torch.linspace(0, 1, 5),
    "full": lambda x: torch.full((2, 2), 3),
    "full like": lambda x: torch.full_like(x, 3),
    "new full": lambda x: x.new_full((2, 2), 3),
    "range": lambda x: torch.arange(2, 9, 2),
    "coordinates": lambda x: torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij"),
    "coordinates, columns first": lambda x: torch.meshgrid([torch.arange(3), torch.arange(4)], indexing="xy"),
    "tile": lambda x: x.tile(3, 2),
    "windows added up": lambda x: F.fold(x.reshape(1, 4, 6), (3, 4), 2),
    "grid": lambda x: F.grid_sample(x[None], torch.zeros(1, 5, 6, 2), align_corners=False),
    "indices of a pool": lambda x: F.max_pool1d(x, 2, return_indices=True),
    "product with a bias": lambda x: torch.addmm(x[0, 0], x[0].T, mat2=x[1], beta=2),
    "products with a bias": lambda x: torch.baddbmm(x[:, :1], batch1=x.mT, batch2=x, alpha=0.5),
    "tensor product": lambda x: torch.tensordot(x, x, ([1, 2], [1, 2])),
    "two operands": lambda x: torch.einsum("abc,dbc->ad", x, x),
    "one operand": lambda x: torch.einsum("abc->ca", x),
    "implied result": lambda x: torch.einsum("ab,bc", x[0], x[0].T),
    "nothing to sum": lambda x: torch.einsum("a,b->ab", x[0, 0], x[:, 0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_views_have_the_shape_that_torch_gives_them(name):
    check(VIEWS[name], X)


@pytest.mark.parametrize("name", OTHERS)
def test_functions_have_the_outputs_that_torch_gives_them(name):
    check(OTHERS[name], X)


WITH_INDICES = {
    "rows": lambda x, i: x[:, i],
    "rows and a slice": lambda x, i: x[:, i, 1:],
    "gather": lambda x, i: x[0].gather(0, i),
    "index select": lambda x, i: torch.index_select(x, 1, i[0]),
    "embedding bag": lambda x, i: F.embedding_bag(i, x[0]),
    "embedding bag, largest": lambda x, i: F.embedding_bag(i[0], x[0], i[:, 1] * 0, mode="max"),
    "one hot": lambda x, i: F.one_hot(i, 5),
}


@pytest.mark.parametrize("name", WITH_INDICES)
def test_indices_give_their_shape(name):
    check(WITH_INDICES[name], X, INDEX)


def test_elements_are_written_in_place():
    def write(x):
        x[:, 0] = x[:, 1]
        x[..., 1:] = 0
        return x

    check(write, X)


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    index=st.lists(
        st.one_of(
            st.none(),
            st.just(...),
            st.integers(-2, 1),
            st.slices(5).filter(lambda cut: cut.step is None or cut.step > 0),
        ),
        max_size=5,
    ).filter(lambda index: index.count(...) < 2),
)
def test_any_index_gives_the_shape_that_torch_gives(shape, index):
    tensor = torch.empty(shape)
    place = tuple(index)
    try:
        want = tensor[place].shape
    except (IndexError, RuntimeError):
        with pytest.raises(TraceError):
            record(lambda x: x[place], tensor)
        return
    assert record(lambda x: x[place], tensor)[0].shape == want


def test_a_view_that_does_not_fit_names_layer_and_op():
    model = nn.Sequential(nn.Identity(), nn.Unflatten(1, (2, 5)))
    with pytest.raises(TraceError, match=r"1: unflatten on 3×8"):
        resflops.trace(model, (3, 8))


def test_a_function_of_several_ops_leaves_no_half_of_them_behind():
    from resflops.ops import Call as Described
    from resflops.ops import NotDescribed
    from resflops.records import OpRecord
    from resflops.tracing.torch_functions import DESCRIBED

    def steps(tensor):
        yield Described("relu", (tensor,), tuple(tensor.shape))
        raise NotDescribed

    known = DESCRIBED.pop(torch.special.expit, None)
    DESCRIBED[torch.special.expit] = steps
    try:
        ops = resflops.trace(Call(torch.special.expit), (2, 3)).ops
    finally:
        del DESCRIBED[torch.special.expit]
        if known:
            DESCRIBED[torch.special.expit] = known
    assert [op.op for op in ops] == ["sigmoid"]
    assert isinstance(ops[0], OpRecord)
