"""What a call means: which tuples are shapes, and which element type a shape has."""

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import resflops
from resflops.errors import InputError, TraceError
from resflops.records import TensorSpec

IMAGE = (2, 3, 8, 8)


class Padded(nn.Module):
    """Pads by what it is given, under a name that says nothing, and convolves."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x, more):
        return self.conv(F.pad(x, more))


class Annotated(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor, target: Sequence[int]):
        return self.conv(F.interpolate(x, target))


class Named(Annotated):
    def forward(self, x, output_size):
        return self.conv(F.adaptive_avg_pool2d(x, output_size))


class Defaulted(Annotated):
    def forward(self, x, grid=(2, 2)):
        return self.conv(F.adaptive_avg_pool2d(x, grid))


class Textual(Annotated):
    def forward(self, x: "torch.Tensor", target: "tuple[int, ...] | None" = None):
        return self.conv(F.adaptive_avg_pool2d(x, target))


class Permuted(Annotated):
    def forward(self, *both):
        return self.conv(both[0].permute(both[1]))


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 5)

    def forward(self, x, memory):
        return self.layer(x + memory)


POINT = 4 * 3


@pytest.mark.parametrize("call", [lambda *given: given, lambda x, size: (resflops.shape(*x.shape), size)], ids=["a tensor", "resflops.shape"])  # fmt: skip
@pytest.mark.parametrize(
    ("model", "size", "macs"),
    [
        pytest.param(Padded(), (0, 1, 0, 2), 2 * 7 * 8 * POINT * 9, id="padding with zeros"),
        pytest.param(Padded(), (1, 1, 1, 1), 2 * 8 * 8 * POINT * 9, id="padding"),
        pytest.param(Annotated(), (5, 6), 2 * 5 * 6 * POINT, id="a sequence of ints"),
        pytest.param(Named(), (5, 6), 2 * 5 * 6 * POINT, id="a name"),
        pytest.param(Defaulted(), (5, 6), 2 * 5 * 6 * POINT, id="a default"),
        pytest.param(Textual(), (5, 6), 2 * 5 * 6 * POINT, id="an annotation as text"),
        pytest.param(Permuted(), (0, 1, 3, 2), 2 * 8 * 8 * POINT, id="an order"),
    ],
)
def test_a_tuple_that_the_model_takes_as_it_is_stays_one(model, size, macs, call):
    assert resflops.count(model, *call(torch.ones(IMAGE), size)).macs == macs


@pytest.mark.parametrize(("model", "size"), [(Annotated(), "target"), (Named(), "output_size"), (Textual(), "target")])  # fmt: skip
def test_a_keyword_that_the_signature_calls_a_size_is_one_even_beside_a_shape(model, size):
    assert resflops.count(model, IMAGE, **{size: (5, 6)}).macs == 2 * 5 * 6 * POINT


def test_a_tuple_beside_a_tensor_is_a_shape_where_the_model_takes_a_tensor():
    assert resflops.count(Sum(), torch.ones(3, 4), (3, 4)).macs == 3 * 4 * 5
    assert resflops.count(Sum(), (3, 4), memory=(3, 4)).macs == 3 * 4 * 5
    assert resflops.count(Sum(), resflops.shape(3, 4), memory=(3, 4)).macs == 3 * 4 * 5


def test_two_tuples_are_two_shapes_unless_only_the_first_can_be():
    assert resflops.count(Sum(), (3, 4), (1, 4)).macs == 3 * 4 * 5
    assert resflops.count(Padded(), IMAGE, (1, 1, 1, 1)).macs == 2 * 8 * 8 * POINT * 9


def test_a_shape_can_be_said_anywhere():
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 5)

        def forward(self, parts, named):
            return self.layer(torch.cat([*parts, named["x"]]))

    cost = resflops.count(
        Nested(), [resflops.shape(1, 4), torch.ones(2, 4)], named={"x": resflops.shape(3, 4)}
    )
    assert cost.macs == 6 * 4 * 5
    assert [each.name for each in cost.trace.inputs] == ["0.0", "0.1", "named.x"]


@pytest.mark.parametrize("dtype", ["int64", torch.int64])
def test_a_shape_can_name_its_element_type(dtype):
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 5))
    trace = resflops.trace(model, resflops.shape(2, 7, dtype=dtype), real=True)
    assert [(each.shape, each.dtype) for each in trace.inputs] == [((2, 7), "int64")]
    assert resflops.count(trace).macs == 2 * 7 * 4 * 5
    assert resflops.shape(2, 7, dtype=dtype) == TensorSpec((2, 7), "int64")


def test_an_embedding_given_a_plain_shape_says_how_to_give_whole_numbers():
    class Looking(nn.Embedding):
        def forward(self, tokens):
            if tokens.sum().item() > 3:
                return tokens
            return super().forward(tokens)

    with pytest.raises(TraceError, match=r"resflops\.shape\(2, 8, dtype='int64'\)"):
        resflops.count(Looking(9, 4), (2, 7))
    assert resflops.count(Looking(9, 4), resflops.shape(2, 7, dtype="int64")).macs == 0


@pytest.mark.parametrize("sizes", [(0, 3), (2, -1), (2, 1.5)])
def test_a_shape_of_impossible_sizes_is_refused(sizes):
    with pytest.raises(InputError, match="at least 1"):
        resflops.shape(*sizes)


class Asking(nn.Module):
    """Looks at values, so that it runs for real."""

    def __init__(self, first, then=torch.float32):
        super().__init__()
        self.register_buffer("scale", torch.ones(1))
        self.layer, self.other = nn.Linear(4, 5, dtype=first), nn.Linear(5, 2, dtype=then)

    def forward(self, x):
        y = self.layer(x)
        return self.other(y.to(self.other.weight.dtype)) if y.isfinite().all() else y


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float32])
@pytest.mark.parametrize("way", [lambda *sizes: sizes, resflops.shape], ids=["tuple", "resflops.shape"])
def test_a_shape_has_the_type_of_the_models_first_floating_point_parameter(dtype, way):
    cost = resflops.count(Asking(dtype), way(3, 4))
    assert cost.macs == 3 * (4 * 5 + 5 * 2)
    assert cost.trace.inputs[0].dtype == str(dtype).removeprefix("torch.")
    assert resflops.trace(nn.Linear(4, 5, dtype=dtype), way(3, 4)).ops[0].dtype == cost.trace.inputs[0].dtype


def test_a_model_without_floating_point_takes_the_default_type():
    assert resflops.trace(nn.ReLU(), (2, 3)).inputs[0].dtype == "float32"


def test_an_annotation_names_the_element_type_of_a_shape():
    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Embedding(9, 4)

        def forward(self, tokens: torch.LongTensor, mask: "torch.BoolTensor | None" = None):
            return self.layer(tokens)

    trace = resflops.trace(Text(), (2, 3), mask=(2, 3))
    assert [each.dtype for each in trace.inputs] == ["int64", "bool"]


def test_other_counters_and_the_clock_read_a_call_in_the_same_way():
    check = resflops.crosscheck(Padded(), torch.ones(IMAGE), (1, 1, 1, 1), peers=["FlopCounterMode"])
    assert [(row.failure, row.difference) for row in check.rows] == [("", 0)]
    check = resflops.crosscheck(Padded(), IMAGE, (1, 1, 1, 1), peers=["FlopCounterMode"])
    assert [(row.failure, row.difference) for row in check.rows] == [("", 0)]
    measured = resflops.benchmark(
        Padded(), resflops.shape(*IMAGE), (1, 1, 1, 1), device="cpu", rounds=1, seconds=0.001, warm_up=0
    )
    assert measured.rows[0].series is not None
