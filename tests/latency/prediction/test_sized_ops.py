"""Ops by kind and sizes: what decides their time is told apart, and nothing else."""

import pytest

from resflops.latency.prediction import SizedOp
from resflops.latency.prediction.sized_ops import classify_op, count_moved, stand_in
from resflops.records import OpRecord, Work


def make(op: str, inputs: tuple, output: tuple, **attributes) -> OpRecord:
    return OpRecord(op=op, layer="", input_shapes=inputs, output_shapes=(output,), attributes=attributes)


IMAGE = (2, 32, 8, 8)


@pytest.mark.parametrize(
    ("record", "kind", "sizes"),
    [
        pytest.param(make("conv2d", (IMAGE, (64, 32, 1, 1)), (2, 64, 8, 8), groups=1),
                     "1×1 convolution", (2, 32, 64, 1, 1, 64, 64), id="1×1"),
        pytest.param(make("conv2d", (IMAGE, (64, 32, 3, 3)), (2, 64, 4, 4), groups=1),
                     "convolution", (2, 32, 64, 1, 9, 64, 16), id="strided"),
        pytest.param(make("conv2d", (IMAGE, (32, 1, 5, 5)), IMAGE, groups=32),
                     "depthwise convolution", (2, 32, 32, 32, 25, 64, 64), id="depthwise"),
        pytest.param(make("conv2d", (IMAGE, (64, 8, 3, 3)), (2, 64, 8, 8), groups=4),
                     "grouped convolution", (2, 32, 64, 4, 9, 64, 64), id="grouped"),
        pytest.param(make("linear", ((2, 7, 32), (10, 32)), (2, 7, 10)), "linear", (1, 14, 32, 10), id="linear"),
        pytest.param(make("matmul", ((2, 3, 5, 4), (2, 3, 4, 7)), (2, 3, 5, 7)), "matmul", (6, 5, 4, 7), id="batched"),
        pytest.param(make("bmm", ((3, 5, 4), (3, 4, 7)), (3, 5, 7)), "matmul", (3, 5, 4, 7), id="bmm"),
        pytest.param(make("matmul", ((5, 4), (4,)), (5,)), "matmul", (1, 5, 4, 1), id="matrix and vector"),
        pytest.param(make("scaled_dot_product_attention", ((2, 3, 5, 4), (2, 3, 9, 4), (2, 3, 9, 4)), (2, 3, 5, 4)),
                     "scaled_dot_product_attention", (6, 5, 9, 4), id="attention"),
        pytest.param(make("batch_norm", (IMAGE,), IMAGE), "batch_norm", (64, 64), id="batch norm"),
        pytest.param(make("layer_norm", ((2, 7, 32),), (2, 7, 32), groups=14), "layer_norm", (14, 32), id="layer norm"),
        pytest.param(make("softmax", ((2, 7, 9),), (2, 7, 9)), "softmax", (14, 9), id="softmax"),
        pytest.param(make("mean", (IMAGE,), (2, 32)), "mean", (64, 64), id="mean"),
        pytest.param(make("max_pool2d", (IMAGE,), (2, 32, 4, 4), kernel=(3, 3)), "max_pool2d", (64, 9, 64, 16), id="pool"),
        pytest.param(make("adaptive_avg_pool2d", (IMAGE,), (2, 32, 1, 1)), "adaptive_avg_pool2d", (64, 64, 64, 1), id="adaptive"),
        pytest.param(make("cat", (IMAGE, IMAGE), (2, 64, 8, 8), dim=1), "cat", (8192, 2, 4), id="cat"),
        pytest.param(make("add", (IMAGE, IMAGE), IMAGE), "add", (4096,), id="add"),
        pytest.param(make("sub", (IMAGE, IMAGE), IMAGE), "add", (4096,), id="a difference is a sum"),
        pytest.param(make("mul", (IMAGE, (2, 32, 1, 1)), IMAGE), "mul, broadcast", (4096, 64), id="broadcast"),
        pytest.param(make("contiguous", (IMAGE,), IMAGE), "copy", (4096,), id="copy"),
        pytest.param(make("roll", (IMAGE,), IMAGE), "roll", (4096,), id="roll"),
        pytest.param(make("dropout", (IMAGE,), IMAGE, training=False), "view", (), id="dropout of inference"),
        pytest.param(make("relu6", (IMAGE,), IMAGE), "hardtanh", (4096,), id="relu6"),
    ],
)  # fmt: skip
def test_an_op_has_a_kind_and_sizes(record, kind, sizes) -> None:
    assert classify_op(record) == SizedOp(kind, sizes)


def test_where_it_writes_and_how_it_lies_are_part_of_the_kind() -> None:
    relu = make("relu", (IMAGE,), IMAGE)
    convolution = make("conv2d", (IMAGE, (64, 32, 1, 1)), (2, 64, 8, 8), groups=1)
    assert classify_op(relu, in_place=True).kind == "relu in place"
    assert classify_op(convolution, channels_last=True).kind == "1×1 convolution, channels last"
    # A free op in the memory of its input moves nothing.
    assert classify_op(make("permute", (IMAGE,), IMAGE), in_place=True) == SizedOp("view")


def test_moved_elements_are_those_of_all_tensors() -> None:
    assert count_moved(make("linear", ((1, 32), (10, 32)), (1, 10))) == 32 + 320 + 10


@pytest.mark.parametrize(
    ("record", "work", "kind", "words"),
    [
        pytest.param(make("conv3d", ((1, 2, 4, 4, 4), (3, 2, 1, 3, 3)), (1, 3, 4, 4, 4)), Work(macs=9),
                     "convolution", "a convolution of the same sizes", id="convolution"),
        pytest.param(make("lstm", ((5, 1, 8),), (5, 1, 8)), Work(macs=4000),
                     "matmul", "a matrix product of as many MACs", id="with MACs"),
        pytest.param(make("exp", (IMAGE,), IMAGE), Work(transcendental=4096), "copy", "a copy of as many bytes", id="by bytes"),
        pytest.param(make("mystery", (IMAGE,), IMAGE), None, "copy", "a copy of as many bytes", id="uncounted"),
    ],
)  # fmt: skip
def test_what_was_not_timed_is_taken_for_something_that_was_and_never_for_nothing(
    record, work, kind, words
) -> None:
    found, said = stand_in(record, classify_op(record), work)
    assert (found.kind, said) == (kind, words)


def test_a_variant_that_was_not_timed_is_taken_for_the_plain_op() -> None:
    record = make("tanh", (IMAGE,), IMAGE)
    assert stand_in(record, classify_op(record, in_place=True), None) == (SizedOp("tanh", (4096,)), "tanh")
