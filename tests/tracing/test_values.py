"""What decides a path: values that only a real run has, and layouts that only a pass with strides has."""

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import resflops
from resflops.errors import ShapeError, TraceError

IN, OUT, ROWS = 6, 5, 4
EACH = IN * OUT


class Model(nn.Module):
    """A linear layer, and a forward that is given as a function."""

    def __init__(self, does):
        super().__init__()
        self.layer, self.recurrent, self.does = nn.Linear(IN, OUT), nn.GRU(IN, OUT, batch_first=True), does

    def forward(self, *inputs):
        return self.does(self, *inputs)


def rows(count=ROWS):
    return torch.ones(count, IN)


def pack(model, x, lengths):
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(model.recurrent(packed)[0], batch_first=True)[0]


def write_log(model, x):
    y = model.layer(x)
    return f"{y.mean():.2e}", y


def try_and_look(model, x):
    try:
        total = (x * 2).sum().item()
    except Exception:  # noqa: BLE001 - as such models do
        total = -1
    return model.layer(x) if total > 0 else x


def go_on_without(model, x):
    try:
        return model.layer(x.view(7))
    except RuntimeError:
        return model.layer(x.repeat(2, 1))


STEPS = 3 * OUT * (IN + OUT)


@pytest.mark.parametrize(
    ("does", "inputs", "macs"),
    [
        pytest.param(pack, (torch.ones(3, 7, IN), torch.tensor([2, 7, 1])), 10 * STEPS, id="lengths"),
        pytest.param(
            lambda model, x, n: pack(model, x, n.tolist()), (torch.ones(2, 7, IN), torch.tensor([3, 4])), 7 * STEPS, id="a list of lengths"
        ),
        pytest.param(
            lambda model, x, n: [model.layer(part) for part in x.split(n.tolist())], (rows(), torch.tensor([1, 3])), ROWS * EACH, id="tolist"
        ),
        pytest.param(
            lambda model, x, at: model.layer(torch.tensor_split(x, at)[1]), (rows(), torch.tensor([3])), EACH, id="places to split at"
        ),
        pytest.param(lambda model, x, n: model.layer(x.repeat_interleave(n, 0)), (rows(2), torch.tensor([2, 5])), 7 * EACH, id="repeats"),
        pytest.param(write_log, (rows(),), ROWS * EACH, id="a formatted number"),
        pytest.param(lambda model, x: model.layer(torch.from_dlpack(x + 1)), (rows(),), ROWS * EACH, id="dlpack"),
        pytest.param(
            lambda model, x: model.layer(torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x + 1))), (rows(),), ROWS * EACH, id="a capsule"
        ),
        pytest.param(lambda model, x: model.layer((x + 1).share_memory_()), (rows(),), ROWS * EACH, id="shared memory"),
        pytest.param(lambda model, x: model.layer(torch.tensor(x)), (rows(),), ROWS * EACH, id="a tensor of a tensor"),
        pytest.param(lambda model, x: model.layer(x) * math.sqrt(x.sum()), (rows(),), ROWS * EACH, id="a number of Python's"),
        pytest.param(lambda model, x, n: [model.layer(x) for _ in range(n)], (rows(), torch.tensor(3)), 3 * ROWS * EACH, id="a count"),
        pytest.param(lambda model, x: model.layer(x[x[:, 0] > 0.5]), (rows(),), ROWS * EACH, id="a mask"),
        pytest.param(lambda model, x, n: model.layer(x[n.bincount() > 0]), (rows(2), torch.tensor([1, 1])), EACH, id="a histogram"),
        pytest.param(try_and_look, (rows(),), ROWS * EACH, id="an exception that the model catches"),
        pytest.param(go_on_without, (rows(),), 2 * ROWS * EACH, id="a mistake that the model mends"),
        pytest.param(lambda model, x, size: model.layer(F.interpolate(x[None, None], size=tuple(size))[0, 0]), (rows(), torch.tensor([9, IN])), 9 * EACH, id="sizes in a tensor"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_what_torch_refuses_without_values_runs_for_real(does, inputs, macs):
    cost = resflops.count(Model(does), *inputs)
    assert (cost.macs, cost.complete) == (macs, True)


def test_what_goes_through_numpy_runs_for_real_and_is_not_complete():
    cost = resflops.count(
        Model(lambda model, x: model.layer(torch.from_numpy(np.exp((x + 1).numpy())))), rows()
    )
    assert (cost.macs, [each.op for each in cost.uncounted]) == (ROWS * EACH, ["numpy"])


@pytest.mark.parametrize(
    ("does", "says"),
    [
        pytest.param(lambda model, x: model.layer(x.T), "layer: linear: takes 6 input features", id="shapes"),
        pytest.param(lambda model, x: x.view(7), "view on 4×6: shape '[7]' is invalid", id="a view"),
        pytest.param(
            lambda model, x: torch.linalg.solve(x, x), "linalg_solve on 4×6, 4×6: linalg", id="an op"
        ),
        pytest.param(lambda model, x: [x][len(x)], "list index out of range", id="an index"),
        pytest.param(lambda model, x: model.lyer(x), "has no attribute 'lyer'", id="a name"),
    ],
)
def test_a_mistake_of_the_models_is_told_as_it_is(does, says):
    with pytest.raises(TraceError, match=re.escape(says)):
        resflops.count(Model(does), rows())


@pytest.mark.parametrize(
    "does",
    [
        pytest.param(lambda model, x: model.layer(x.T), id="shapes"),
        pytest.param(lambda model, x: x.view(7), id="a view"),
        pytest.param(lambda model, x: x.unfold(1, IN + 1, 1), id="an op"),
    ],
)
def test_an_op_that_values_would_not_help_does_not_have_the_model_run_for_real(does):
    ran = []

    def noting(model, x):
        ran.append(x.is_meta)
        return does(model, x)

    with pytest.raises(TraceError):
        resflops.count(Model(noting), rows())
    assert all(ran)


def test_a_large_model_does_not_run_for_real_because_of_a_mistake():
    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1 << 13, 1 << 13, device="meta")

        def forward(self, x):
            ran.append(x.is_meta)
            y = self.layer(x)
            raise ValueError(f"no {len(y)}")

    model, ran = Large(), []
    with pytest.raises(TraceError, match=r"Large on input 1024×8192 raised ValueError: no 1024"):
        resflops.count(model, (1024, 1 << 13))
    assert ran == [True]


def test_a_proven_mismatch_is_told_at_once():
    ran = []

    def does(model, x):
        ran.append(x.is_meta)
        return model.layer(x)

    with pytest.raises(ShapeError):
        resflops.count(Model(does), (2, IN + 1))
    assert ran == [True]


def whether(asks):
    """A forward that takes its layer if an answer about a layout is what a real run gives."""
    return lambda model, x: model.layer(x) if asks(x) else x


LAYOUTS = [
    pytest.param(lambda x: not x.T.is_contiguous(), id="transposed"),
    pytest.param(lambda x: x.T.T.is_contiguous(), id="transposed twice"),
    pytest.param(lambda x: x.T.contiguous().is_contiguous(), id="made contiguous"),
    pytest.param(lambda x: (x + 1).T.stride() == (1, IN), id="strides"),
    pytest.param(lambda x: (x + 1).T.stride(1) == IN, id="one stride"),
    pytest.param(lambda x: (x + 1)[1:].storage_offset() == IN, id="an offset"),
    pytest.param(lambda x: not x[:, 1:].is_contiguous(), id="a slice"),
    pytest.param(lambda x: x[1:].is_contiguous(), id="a slice of rows"),
    pytest.param(lambda x: (x + 1)[:1].expand(9, IN).stride() == (0, 1), id="expanded"),
    pytest.param(lambda x: torch.relu(x.T).stride() == (1, IN), id="an elementwise function keeps strides"),
    pytest.param(lambda x: (x.T @ x).is_contiguous(), id="a product is contiguous"),
    pytest.param(lambda x: not x.reshape(2, 2, IN).permute(1, 2, 0).is_contiguous(), id="permuted"),
    pytest.param(lambda x: x.chunk(2, 1)[1].storage_offset() == IN // 2, id="chunks"),
    pytest.param(lambda x: x.T._is_view() and not (x + 1)._is_view(), id="views"),
    pytest.param(lambda x: (x + 1).to("cpu").T.float().stride() == (1, IN), id="moved"),
    pytest.param(
        lambda x: (x + 1).reshape(1, 2, 2, IN).to(memory_format=torch.channels_last).is_contiguous(memory_format=torch.channels_last), id="a memory format"
    ),
    pytest.param(
        lambda x: F.conv2d((x + 1).reshape(1, 2, 2, IN).to(memory_format=torch.channels_last), torch.ones(3, 2, 1, 1)).is_contiguous(memory_format=torch.channels_last),
        id="a convolution keeps its format",
    ),
    pytest.param(lambda x: not (x + 1).T.untyped_storage().nbytes() < 4 * ROWS * IN, id="a storage"),
]  # fmt: skip


@pytest.mark.parametrize("asks", LAYOUTS)
def test_a_layout_is_what_a_real_run_has(asks):
    assert asks(rows())
    cost = resflops.count(Model(whether(asks)), rows())
    assert (cost.macs - EACH * ROWS) % 12 == 0
    assert cost.trace.execution == "meta"
    layers = [op.op for op in cost.trace.ops if op.layer == "layer"]
    assert layers == ["linear"]


def test_a_trace_with_strides_has_the_ops_of_one_without():
    class Asking(nn.Module):
        def __init__(self, asks):
            super().__init__()
            self.conv, self.norm, self.asks = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), asks
            self.attention, self.gru = nn.MultiheadAttention(4, 2, batch_first=True), nn.GRU(4, 4)

        def forward(self, x):
            x = F.max_pool2d(torch.relu(self.norm(self.conv(x))), 2).flatten(2).transpose(1, 2)
            if self.asks:
                x.is_contiguous()
            x = x + self.attention(x, x, x)[0]
            parts = torch.stack(x.unbind(1)).chunk(2, -1)
            return torch.cat(parts, -1).softmax(-1).mean().add_(1), self.gru(x)[0].sum().to("cpu")

    plain, asking = (resflops.trace(Asking(asks).eval(), (2, 3, 4, 4)) for asks in (False, True))
    assert asking.ops == plain.ops
    assert asking.execution == "meta"


def test_channels_last_inputs_are_seen_as_they_are():
    x = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last)
    model = nn.Conv2d(3, 5, 1).to(memory_format=torch.channels_last)

    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = model

        def forward(self, x):
            y = self.conv(x)
            return y if y.is_contiguous(memory_format=torch.channels_last) else self.conv(x)

    # A kernel of one is laid out in both ways.
    assert resflops.count(Asking(), x).macs == 2 * 5 * 16 * 3


def test_a_product_that_wants_its_second_factor_by_columns_has_it_so():
    class Float8(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.ones(48, 32).to(torch.float8_e4m3fn))

        def forward(self, x):
            one = torch.tensor(1.0)
            x = torch.relu(x).to(torch.float8_e4m3fn)
            return torch._scaled_mm(x, self.weight.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16)

    assert resflops.count(Float8(), (16, 32)).macs == 16 * 32 * 48


@pytest.mark.parametrize(
    ("change", "macs"),
    [
        pytest.param(lambda weight: setattr(weight, "data", torch.ones(2, 4)), 3 * 4 * 2, id="other data"),
        pytest.param(lambda weight: weight.requires_grad_(False).resize_(2, 4), 3 * 4 * 2, id="resized"),
        pytest.param(lambda weight: weight.requires_grad_(False).set_(torch.ones(2, 4)), 3 * 4 * 2, id="set"),
        pytest.param(lambda weight: setattr(weight, "data", weight.data * 2), 3 * 4 * 5, id="same shape"),
    ],
)
def test_a_weight_that_the_forward_reshapes_is_counted_in_its_new_shape(change, macs):
    class Reshaping(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 4))

        def forward(self, x):
            change(self.weight)
            return nn.functional.linear(x, self.weight)

    for model in (Reshaping(), Reshaping().to("meta")):
        assert resflops.count(model, (3, 4)).macs == macs
        assert model.weight.shape == (5, 4)
        assert model.weight.stride() == (4, 1)
