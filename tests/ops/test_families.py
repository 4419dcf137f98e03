"""Each family of rules against counts derived by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resflops import ops
from resflops.errors import DuplicateError
from resflops.ops import OPS, rule
from resflops.records import OpRecord, Work


def work(op, inputs, output, **attributes):
    record = OpRecord(
        op=op, layer="", input_shapes=tuple(inputs), output_shapes=(output,), attributes=attributes
    )
    return OPS[op].work(record)


@pytest.mark.parametrize(
    ("op", "image", "weight", "output", "macs"),
    [
        pytest.param(
            "conv2d", (1, 3, 224, 224), (64, 3, 7, 7), (1, 64, 112, 112), 118_013_952, id="resnet-stem"
        ),
        pytest.param("conv2d", (1, 32, 56, 56), (32, 1, 3, 3), (1, 32, 56, 56), 903_168, id="depthwise"),
        pytest.param(
            "conv2d", (4, 8, 5, 5), (16, 2, 1, 1), (4, 16, 5, 5), 4 * 16 * 25 * 2, id="grouped batch"
        ),
        pytest.param("conv2d", (8, 5, 5), (16, 8, 3, 3), (16, 3, 3), 16 * 9 * 8 * 9, id="unbatched"),
        pytest.param("conv1d", (1, 4, 9), (6, 4, 3), (1, 6, 7), 6 * 7 * 12, id="one dimension"),
        pytest.param(
            "conv3d", (1, 2, 4, 4, 4), (3, 2, 2, 2, 2), (1, 3, 3, 3, 3), 81 * 16, id="three dimensions"
        ),
    ],
)
def test_convolution_counts_one_mac_per_kernel_tap(op, image, weight, output, macs):
    assert work(op, [image, weight], output, bias=False) == Work(macs=macs)


def test_a_bias_is_one_addition_per_output_element():
    assert work("conv2d", [(1, 3, 4, 4), (8, 3, 1, 1)], (1, 8, 4, 4), bias=True).bias_adds == 128
    assert work("linear", [(2, 5, 8), (3, 8)], (2, 5, 3), bias=True) == Work(macs=240, bias_adds=30)


def test_transposed_convolution_counts_one_mac_per_tap_and_input_point():
    # 4 input channels to 6 outputs in 2 groups: each input point meets 3 output channels.
    assert work("conv_transpose2d", [(1, 4, 5, 5), (4, 3, 2, 2)], (1, 6, 10, 10), bias=False) == Work(
        macs=4 * 25 * 3 * 4
    )


@given(
    n=st.integers(1, 3), height=st.integers(1, 6), width=st.integers(1, 6), group_in=st.integers(1, 3),
    group_out=st.integers(1, 3), groups=st.integers(1, 3), kernel=st.integers(1, 3), stride=st.integers(1, 2),
    dilation=st.integers(1, 2), padding=st.integers(0, 2),
)  # fmt: skip
def test_convolution_equals_a_brute_force_count(
    n, height, width, group_in, group_out, groups, kernel, stride, dilation, padding
):
    reach = dilation * (kernel - 1) + 1
    rows = range(0, height + 2 * padding - reach + 1, stride)
    columns = range(0, width + 2 * padding - reach + 1, stride)
    macs = 0
    for _ in range(n):
        for _ in rows:
            for _ in columns:
                for _ in range(groups * group_out):
                    macs += group_in * kernel * kernel
    shape = (n, groups * group_out, len(rows), len(columns))
    image, weight = (n, groups * group_in, height, width), (groups * group_out, group_in, kernel, kernel)
    assert work("conv2d", [image, weight], shape, bias=False).macs == macs


@pytest.mark.parametrize(
    ("left", "right", "output", "macs"),
    [
        pytest.param((4, 3), (3, 5), (4, 5), 60, id="matrices"),
        pytest.param((4, 3), (3,), (4,), 12, id="matrix by vector"),
        pytest.param((3,), (3,), (), 3, id="dot"),
        pytest.param((2, 1, 4, 3), (6, 3, 5), (2, 6, 4, 5), 2 * 6 * 4 * 5 * 3, id="broadcast batches"),
    ],
)
def test_a_matrix_product_counts_one_mac_per_output_and_summed_element(left, right, output, macs):
    assert work("matmul", [left, right], output) == Work(macs=macs)


def test_attention_is_two_products_and_a_softmax():
    query, key, value = (1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)
    rows, pairs = 2 * 5, 2 * 5 * 7
    given = {"masked": False, "causal": False, "grouped": False}
    assert work("scaled_dot_product_attention", [query, key, value], (1, 2, 5, 3), **given) == Work(
        macs=pairs * 4 + pairs * 3,
        arithmetic=pairs + (2 * pairs + rows * 6),
        comparisons=rows * 6,
        transcendental=pairs,
    )


def test_batch_norm_is_a_scale_and_a_shift_in_eval_mode():
    given = {"training": False, "weight": True, "bias": True}
    assert work("batch_norm", [(2, 4, 5, 5)], (2, 4, 5, 5), **given) == Work(arithmetic=2 * 200)


def test_batch_norm_in_training_takes_its_statistics_too():
    assert work("batch_norm", [(2, 4, 5, 5)], (2, 4, 5, 5), training=True, weight=True, bias=True) == Work(
        arithmetic=8 * 200, transcendental=4
    )


def test_pooling_folds_each_window():
    shapes = [(1, 2, 6, 6)], (1, 2, 2, 2)
    assert work("max_pool2d", *shapes, kernel=(3, 3), padding=(0, 0)) == Work(comparisons=8 * 8)
    assert work("avg_pool2d", *shapes, kernel=(3, 3), padding=(0, 0)) == Work(arithmetic=8 * 9)


def test_adaptive_windows_may_overlap():
    # 5 -> 3: windows 0..1, 1..3, 3..4 hold 2, 3 and 2 elements.
    assert work("adaptive_avg_pool1d", [(1, 1, 5)], (1, 1, 3)) == Work(arithmetic=7)
    assert work("adaptive_max_pool1d", [(1, 1, 5)], (1, 1, 3)) == Work(comparisons=4)


def test_softmax_is_counted_along_its_dimension():
    assert work("softmax", [(2, 8, 3)], (2, 8, 3), dim=1) == Work(
        comparisons=6 * 7, arithmetic=2 * 48 + 6 * 7, transcendental=48
    )


@pytest.mark.parametrize(
    ("op", "per_element"),
    [
        ("relu", Work(comparisons=1)),
        ("add", Work(arithmetic=1)),
        ("sigmoid", Work(arithmetic=3, transcendental=1)),
        ("hardswish", Work(comparisons=2, arithmetic=3)),
        ("gelu", Work(arithmetic=4, transcendental=1)),
    ],
)
def test_elementwise_ops_cost_the_same_for_every_element(op, per_element):
    assert work(op, [(1,)], (1,)) == per_element
    ten = work(op, [(2, 5)], (2, 5))
    assert dict(ten.kinds()) == {kind: 10 * count for kind, count in per_element.kinds()}


def test_the_window_of_a_local_response_norm_is_part_of_its_cost():
    assert work("local_response_norm", [(1, 4, 2, 2)], (1, 4, 2, 2), size=5) == Work(
        arithmetic=16 * 8, transcendental=16
    )


def test_every_rule_says_in_one_line_what_it_counts():
    assert [name for name, known in OPS.items() if known.work and not known.summary] == []


def test_no_op_is_both_counted_and_free():
    assert [name for name, known in OPS.items() if known.work and known.free] == []


def test_an_op_has_one_rule_only():
    with pytest.raises(DuplicateError, match="'conv2d' has a rule already"):
        rule("conv2d")(lambda record: Work())
    with pytest.raises(DuplicateError, match="'conv2d'"):
        ops.op("conv2d", family="convolution", free="because")


def test_factors_multiply_to_the_macs_of_their_rule():
    from math import prod

    cases = [
        ("conv2d", [(2, 4, 9, 9), (6, 2, 3, 3)], (2, 6, 7, 7)),
        ("conv2d", [(4, 9, 9), (6, 4, 3, 3)], (6, 7, 7)),
        ("conv_transpose2d", [(2, 4, 5, 5), (4, 3, 2, 2)], (2, 6, 10, 10)),
        ("linear", [(2, 5, 8), (3, 8)], (2, 5, 3)),
        ("matmul", [(2, 1, 4, 3), (6, 3, 5)], (2, 6, 4, 5)),
        ("matmul", [(3,), (3,)], ()),
        ("scaled_dot_product_attention", [(1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)], (1, 2, 5, 3)),
    ]
    for op, inputs, output in cases:
        record = OpRecord(
            op=op,
            layer="",
            input_shapes=tuple(inputs),
            output_shapes=(output,),
            attributes={"bias": False, "masked": False, "causal": False, "grouped": False},
        )
        points, taps = OPS[op].factors(record)
        assert prod(points) * prod(taps) == OPS[op].work(record).macs, op
    assert {name for name, known in OPS.items() if known.factors} >= {op for op, *_ in cases}


def test_a_window_larger_than_its_input_has_no_more_elements_than_that():
    assert work("avg_pool2d", [(1, 4, 9, 9)], (1, 4, 1, 1), kernel=(20, 20), padding=(0, 0)) == Work(
        arithmetic=4 * 81
    )
    assert work("max_pool1d", [(1, 4, 3)], (1, 4, 1), kernel=(9,), padding=(1,)) == Work(comparisons=4 * 4)
