"""Each family of gradient rules against counts derived by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import resflops
from resflops.errors import DuplicateError
from resflops.ops import OPS, gradient_rule, joint_gradient_rule, moved_gradient
from resflops.records import OpRecord, Work, add_works


def record(op, inputs, output, **attributes):
    return OpRecord(
        op=op, layer="", input_shapes=tuple(inputs), output_shapes=(output,), attributes=attributes
    )


def gradients(op, inputs, output, needed, **attributes):
    return OPS[op].gradient.work(record(op, inputs, output, **attributes), needed)


# What is rarely trained through, or cannot be: named, so that a new op is either given a rule or
# added here. In a backward pass they are listed as uncounted.
WITHOUT = {
    "_pdist_forward", "angle", "digamma", "i0", "igamma", "igammac", "index_reduce", "ldexp", "lgamma",
    "linalg_lu_solve", "logcumsumexp", "mvlgamma", "polygamma", "scatter_reduce", "segment_reduce", "sinc",
    "special_erfcx", "special_i0e", "special_i1", "special_i1e", "special_log_ndtr", "special_ndtri",
    "special_xlog1py", "xlogy", "_ctc_loss", "dist", "geqrf", "linalg_householder_product",
    "multi_margin_loss", "ormqr", "renorm",
    *(name for name in OPS if name.startswith("special_") and ("bessel" in name or "polynomial" in name)),
    "special_airy_ai", "special_zeta",
    # Scans of other libraries, whose backward kernels do several products anew.
    "selective_scan", "chunk_scan",
}  # fmt: skip


def test_every_op_that_is_counted_forward_is_counted_backward_or_named():
    lacking = {op for op, known in OPS.items() if known.counted and known.gradient is None}
    # What does a gradient itself would have a second one.
    assert {op for op in lacking if "." not in op and OPS[op].family != "backward"} == WITHOUT


def test_an_op_has_one_gradient_rule():
    with pytest.raises(DuplicateError, match="'conv2d' has a gradient rule already"):
        joint_gradient_rule("conv2d")(lambda record, needed: ())
    with pytest.raises(DuplicateError, match="'relu' has a gradient rule already"):
        gradient_rule("relu")(lambda record, operand: Work())


def test_every_gradient_rule_says_what_it_counts():
    assert [
        op
        for op, known in OPS.items()
        if known.gradient and known.gradient.work and not known.gradient.summary
    ] == []


@pytest.mark.parametrize(
    ("op", "image", "weight", "output", "macs"),
    [
        pytest.param("conv2d", (1, 3, 8, 8), (4, 3, 3, 3), (1, 4, 6, 6), 4 * 36 * 27, id="plain"),
        pytest.param("conv2d", (1, 64, 8, 8), (64, 1, 3, 3), (1, 64, 8, 8), 64 * 64 * 9, id="depthwise"),
        pytest.param("conv2d", (2, 8, 5, 5), (16, 2, 1, 1), (2, 16, 5, 5), 2 * 16 * 25 * 2, id="grouped"),
        pytest.param("conv1d", (1, 4, 9), (6, 4, 3), (1, 6, 4), 6 * 4 * 12, id="strided"),
        pytest.param("conv_transpose2d", (1, 4, 5, 5), (4, 3, 2, 2), (1, 6, 10, 10), 100 * 12, id="transposed"),
    ],
)  # fmt: skip
def test_a_convolution_has_as_many_macs_for_its_input_and_again_for_its_weight(
    op, image, weight, output, macs
):
    forward = OPS[op].work(record(op, [image, weight], output, bias=False)).macs
    assert forward == macs
    assert gradients(op, [image, weight], output, (0, 1), bias=False) == (Work(macs=macs), Work(macs=macs))


@given(n=st.integers(1, 2), size=st.integers(3, 5), into=st.integers(1, 2), out=st.integers(1, 2),
       groups=st.integers(1, 3), kernel=st.integers(1, 3), stride=st.integers(1, 2))  # fmt: skip
def test_a_convolutions_gradients_equal_a_brute_force_count(n, size, into, out, groups, kernel, stride):
    # Which products y' · w and y' · x there are, every one a multiply-accumulate.
    points = [
        (row, column)
        for row in range(0, size - kernel + 1, stride)
        for column in range(0, size - kernel + 1, stride)
    ]
    to_image = to_weight = 0
    for _ in range(n * groups * out):
        for _ in points:
            for _ in range(into * kernel * kernel):
                to_image += 1
                to_weight += 1
    side = (size - kernel) // stride + 1
    shapes = [(n, groups * into, size, size), (groups * out, into, kernel, kernel)]
    assert gradients("conv2d", shapes, (n, groups * out, side, side), (0, 1), bias=False) == (
        Work(macs=to_image),
        Work(macs=to_weight),
    )


def test_a_bias_gradient_is_one_addition_per_output_element():
    assert gradients("conv2d", [(1, 3, 4, 4), (8, 3, 1, 1)], (1, 8, 4, 4), (2,), bias=True) == (
        Work(arithmetic=128),
    )
    assert gradients("linear", [(2, 5, 8), (3, 8)], (2, 5, 3), (2,), bias=True) == (Work(arithmetic=30),)
    assert gradients("addmm", [(5, 8), (8, 3), (3,)], (5, 3), (2,)) == (Work(arithmetic=15),)
    assert gradients("addmm", [(5, 8), (8, 3), (5, 3)], (5, 3), (2,)) == (Work(),)


@pytest.mark.parametrize(
    ("left", "right", "output", "macs", "added"),
    [
        pytest.param((4, 3), (3, 5), (4, 5), 60, (0, 0), id="matrices"),
        pytest.param((3,), (3,), (), 3, (0, 0), id="dot"),
        pytest.param((2, 4, 3), (3, 5), (2, 4, 5), 120, (0, 0), id="a matrix meets a batch as more rows"),
        # 2·6 gradients of 4x3, of which each 6 are one; 2·6 gradients of 3x5, of which each 2 are one.
        pytest.param((2, 1, 4, 3), (6, 3, 5), (2, 6, 4, 5), 720, (10 * 12, 6 * 15), id="broadcast batches"),
    ],
)  # fmt: skip
def test_a_product_has_as_many_macs_for_each_factor(left, right, output, macs, added):
    assert gradients("matmul", [left, right], output, (0, 1)) == (
        Work(macs=macs, arithmetic=added[0]),
        Work(macs=macs, arithmetic=added[1]),
    )


QUERY, KEY, VALUE = (1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)
PAIRS, ROWS = 2 * 5 * 7, 2 * 5
# The softmax's gradient, 3 an element and 6 additions a row, and the scale.
SCORES = {"masked": False, "causal": False, "grouped": False}
THROUGH_SCORES = 3 * PAIRS + 6 * ROWS + PAIRS


@pytest.mark.parametrize(
    ("needed", "macs", "arithmetic"),
    [
        ((0, 1, 2), (PAIRS * (3 + 4), PAIRS * 4, PAIRS * 3), (THROUGH_SCORES, 0, 0)),
        ((1, 2), (PAIRS * (3 + 4), PAIRS * 3), (THROUGH_SCORES, 0)),
        ((0,), (PAIRS * (3 + 4),), (THROUGH_SCORES,)),
        ((2,), (PAIRS * 3,), (0,)),
    ],
)
def test_attention_takes_four_products_for_the_forward_passes_two(needed, macs, arithmetic):
    works = gradients("scaled_dot_product_attention", [QUERY, KEY, VALUE], (1, 2, 5, 3), needed, **SCORES)
    assert works == tuple(
        Work(macs=each, arithmetic=sums) for each, sums in zip(macs, arithmetic, strict=True)
    )


def test_heads_that_share_a_key_add_their_gradients_up():
    works = gradients(
        "scaled_dot_product_attention",
        [(1, 4, 5, 8), (1, 2, 5, 8), (1, 2, 5, 8)],
        (1, 4, 5, 8),
        (0, 1, 2),
        **{**SCORES, "grouped": True},
    )
    assert [work.arithmetic for work in works[1:]] == [2 * 40, 2 * 40]


@pytest.mark.parametrize(
    ("op", "attributes", "needed", "per_element"),
    [
        pytest.param(
            "batch_norm",
            {"training": True},
            (0, 1, 2),
            (9, 0, 0),
            id="batch norm in training shares its sums",
        ),
        pytest.param("batch_norm", {"training": True}, (1, 2), (4, 1), id="batch norm without its input"),
        pytest.param("batch_norm", {"training": False}, (0, 1, 2), (1, 4, 1), id="batch norm in eval mode"),
        pytest.param("batch_norm", {"training": False}, (0,), (1,), id="frozen batch norm"),
        pytest.param("layer_norm", {}, (0, 1, 2), (10, 2, 1), id="layer norm"),
        pytest.param("layer_norm", {}, (1, 2), (4, 1), id="layer norm without its input"),
        pytest.param("rms_norm", {}, (0, 1), (7, 2), id="rms norm"),
        pytest.param("rms_norm", {}, (1,), (3,), id="rms norm without its input"),
    ],
)
def test_normalisations_take_so_much_per_element(op, attributes, needed, per_element):
    given = {"weight": True, "bias": op != "rms_norm", "groups": 2, **attributes}
    works = gradients(op, [(2, 4, 5, 5)], (2, 4, 5, 5), needed, **given)
    assert works == tuple(Work(arithmetic=200 * each) for each in per_element)


def test_a_normalisation_with_a_bias_alone():
    assert gradients("layer_norm", [(2, 4)], (2, 4), (0, 1), bias=True, weight=False, groups=2) == (
        Work(arithmetic=9 * 8),
        Work(arithmetic=8),
    )


def test_pooling_puts_gradients_back_where_they_came_from():
    shapes = [(1, 2, 6, 6)], (1, 2, 2, 2)
    assert gradients("max_pool2d", *shapes, (0,), kernel=(3, 3), padding=(0, 0)) == (Work(arithmetic=8),)
    assert gradients("avg_pool2d", *shapes, (0,), kernel=(3, 3), padding=(0, 0)) == (
        Work(arithmetic=8 * (1 + 9)),
    )
    # 5 -> 3: windows of 2, 3 and 2 elements, and 3 divisions.
    assert gradients("adaptive_avg_pool1d", [(1, 1, 5)], (1, 1, 3), (0,)) == (Work(arithmetic=7 + 3),)
    assert gradients("interpolate", [(1, 1, 2, 2)], (1, 1, 4, 4), (0,), mode="bilinear") == (
        Work(arithmetic=8 * 16),
    )
    assert gradients("interpolate", [(1, 1, 2, 2)], (1, 1, 4, 4), (0,), mode="nearest") == (
        Work(arithmetic=16),
    )


@pytest.mark.parametrize(
    ("op", "works"),
    [
        ("add", (Work(), Work())),
        ("sub", (Work(), Work(arithmetic=1))),
        ("mul", (Work(arithmetic=1), Work(arithmetic=1))),
        ("div", (Work(arithmetic=1), Work(arithmetic=3))),
    ],
)
def test_arithmetic_of_two_tensors_is_by_operand(op, works):
    assert gradients(op, [(2, 5), (2, 5)], (2, 5), (0, 1)) == tuple(work.times(10) for work in works)


class Weighed(nn.Module):
    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([torch.ones(shape) for shape in shapes])

    def forward(self):
        return self.function(*self.weights)


@pytest.mark.parametrize(
    ("function", "each"),
    [
        pytest.param(lambda w: w / 7, 1, id="over a number"),
        # -y'·y/b.
        pytest.param(lambda w: 7 / w, 3, id="number over"),
        pytest.param(lambda w: w.__rtruediv__(7), 3, id="its method"),
        pytest.param(lambda w: torch.ones(()) / w, 3, id="scalar tensor over"),
    ],
)
def test_a_divisor_takes_three_operations_even_of_a_number(function, each):
    cost = resflops.count(Weighed(function, (2, 5)), backward=True)
    assert cost.backward.complete
    assert cost.backward.work == Work(arithmetic=each * 10)


@pytest.mark.parametrize(
    ("function", "shapes", "comparisons", "arithmetic"),
    [
        pytest.param(lambda x, low: x.clamp(low), [(2, 5), (2, 5)], 20, 0, id="one"),
        # Three gradients, each of which asks of both limits; the lower one is added up to a row, the upper to one.
        pytest.param(torch.clamp, [(2, 5), (5,), ()], 60, 5 + 9, id="both, broadcast"),
        pytest.param(lambda x: x.clamp(0, 1), [(2, 5)], 20, 0, id="numbers"),
    ],
)
def test_a_limit_that_is_a_tensor_has_a_gradient(function, shapes, comparisons, arithmetic):
    cost = resflops.count(Weighed(function, *shapes), backward=True)
    assert cost.backward.complete
    assert cost.backward.work == Work(comparisons=comparisons, arithmetic=arithmetic)


def test_what_was_broadcast_is_added_up():
    assert gradients("add", [(8, 5), (5,)], (8, 5), (0, 1)) == (Work(), Work(arithmetic=35))
    assert gradients("mul", [(8, 5), (1, 5)], (8, 5), (1,)) == (Work(arithmetic=40 + 35),)
    assert gradients("expand", [(1, 1, 6)], (4, 1, 6), (0,)) == (Work(arithmetic=18),)


@pytest.mark.parametrize(
    ("op", "per_element"),
    [
        ("relu", Work(comparisons=1)),
        ("sigmoid", Work(arithmetic=3)),
        ("tanh", Work(arithmetic=3)),
        ("exp", Work(arithmetic=1)),
        ("gelu", Work(arithmetic=9, transcendental=2)),
        ("floor", Work()),
    ],
)
def test_elementwise_gradients_cost_the_same_for_every_element(op, per_element):
    assert gradients(op, [(2, 5)], (2, 5), (0,)) == (per_element.times(10),)


def test_powers_and_limits_depend_on_their_numbers():
    assert gradients("pow", [(10,)], (10,), (0,), exponent=2) == (Work(arithmetic=20),)
    assert gradients("pow", [(10,)], (10,), (0,), exponent=0.3) == (Work(arithmetic=30, transcendental=10),)
    assert gradients("pow", [(10,), (10,)], (10,), (1,)) == (Work(arithmetic=20, transcendental=10),)
    assert gradients("clamp", [(10,)], (10,), (0,), min=0, max=None) == (Work(comparisons=10),)


def test_softmax_and_its_logarithm():
    assert gradients("softmax", [(2, 8, 3)], (2, 8, 3), (0,), dim=1) == (Work(arithmetic=3 * 48 + 6 * 7),)
    assert gradients("log_softmax", [(6, 8)], (6, 8), (0,), dim=-1) == (
        Work(arithmetic=2 * 48 + 6 * 7, transcendental=48),
    )


def test_folding_gives_its_gradient_to_all():
    assert OPS["sum"].gradient == moved_gradient()
    assert gradients("mean", [(2, 8)], (2,), (0,)) == (Work(arithmetic=2),)


def test_lookups_add_the_gradients_of_equal_rows():
    assert gradients("embedding", [(2, 5), (100, 8)], (2, 5, 8), (1,)) == (Work(arithmetic=80),)
    assert gradients("getitem", [(9, 4)], (3, 4), (0,)) == (Work(),)
    assert gradients("getitem", [(9, 4), (3,)], (3, 4), (0,)) == (Work(arithmetic=12),)
    assert gradients("embedding_bag", [(6,), (100, 8)], (2, 8), (1,), mode="mean", weighted=False) == (
        Work(arithmetic=48 + 16),
    )


def test_dropout_multiplies_in_training_only():
    assert gradients("dropout", [(2, 5)], (2, 5), (0,), training=True) == (Work(arithmetic=10),)
    assert gradients("dropout", [(2, 5)], (2, 5), (0,), training=False) == (Work(),)


LSTM = {"hidden": 4, "layers": 2, "directions": 1, "bias": False, "dropout": False}
MATRICES = [(16, 3), (16, 4), (16, 4), (16, 4)]


def test_a_recurrent_network_takes_twice_its_forward_macs():
    forward = 10 * sum(rows * columns for rows, columns in MATRICES)
    works = gradients("lstm", [(5, 2, 3), *MATRICES], (5, 2, 4), (0, 1, 2, 3, 4), **LSTM)
    assert OPS["lstm"].work(record("lstm", [(5, 2, 3), *MATRICES], (5, 2, 4), **LSTM)).macs == forward
    assert works[0] == Work(macs=forward, arithmetic=23 * 10 * 4 * 2)
    assert [work.macs for work in works[1:]] == [10 * 48, 10 * 64, 10 * 64, 10 * 64]


def test_the_way_back_through_time_is_taken_also_where_the_input_needs_no_gradient():
    forward = 10 * sum(rows * columns for rows, columns in MATRICES)
    works = gradients("lstm", [(5, 2, 3), *MATRICES], (5, 2, 4), (1, 2, 3, 4), **LSTM)
    assert add_works(works).macs == 2 * forward - 10 * 48


def test_both_directions_of_the_first_layer_take_the_input():
    shapes = [(5, 2, 3), (4, 3), (4, 4), (4, 3), (4, 4)]
    given = {"hidden": 4, "layers": 1, "directions": 2, "bias": True, "dropout": False}
    works = gradients("rnn_tanh", shapes, (5, 2, 8), (1, 2, 3, 4), **given)
    assert add_works(works).macs == 10 * (12 + 16) * 2 + 10 * 16 * 2
    # 4 an element of both directions, and two biases each.
    assert add_works(works).arithmetic == 4 * 10 * 8 + 2 * 10 * 8


@pytest.mark.parametrize(
    ("op", "shapes", "output", "call"),
    [
        pytest.param("conv2d", [(2, 3, 9, 9), (4, 3, 3, 3)], (2, 4, 4, 4), lambda x, w: torch.conv2d(x, w, stride=2), id="conv"),
        pytest.param("conv_transpose2d", [(2, 3, 4, 4), (3, 5, 3, 3)], (2, 5, 9, 9),
                     lambda x, w: torch.conv_transpose2d(x, w, stride=2), id="transposed"),
        pytest.param("linear", [(7, 3), (5, 3)], (7, 5), torch.nn.functional.linear, id="linear"),
        pytest.param("matmul", [(2, 4, 3), (2, 3, 5)], (2, 4, 5), torch.matmul, id="bmm"),
        pytest.param("matmul", [(2, 4, 3), (3, 5)], (2, 4, 5), torch.matmul, id="folded"),
    ],
)  # fmt: skip
def test_macs_are_those_that_torch_runs(op, shapes, output, call):
    tensors = [torch.randn(shape, requires_grad=True) for shape in shapes]
    with FlopCounterMode(display=False) as counter:
        call(*tensors).sum().backward()
    forward = OPS[op].work(record(op, shapes, output, bias=False)).macs
    backward = add_works(gradients(op, shapes, output, (0, 1), bias=False)).macs
    assert counter.get_total_flops() == 2 * (forward + backward)
