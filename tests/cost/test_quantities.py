"""The sizes that other counters charge by, each worked out without resflops."""

import pytest

from resflops.cost.quantities import QUANTITIES
from resflops.errors import MissingAttributeError
from resflops.records import ModuleRecord, OpRecord, TensorRecord, Work

WORK = Work(macs=1000, bias_adds=7, arithmetic=11, comparisons=13, transcendental=17)
IMAGE = (2, 4, 5, 6)
AFFINE = {"weight": True, "bias": True}
PLAIN = {"weight": False, "bias": False}
ATTENTION = {"masked": False, "causal": False, "grouped": False}
FOUR, THREE, TWO = (2, 3, 5, 8), (6, 5, 8), (5, 8)
GROUPED = {**ATTENTION, "grouped": True}
ONE_KEY = (2, 1, 5, 8)
STEPS = {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
POOL = {"kernel": (3, 2), "stride": (2, 2), "padding": (1, 0)}


def measure(name, op, inputs, output, work=WORK, module=None, **attributes):
    record = OpRecord(
        op=op, layer="x", input_shapes=tuple(inputs), output_shapes=(output,), attributes=attributes
    )
    return QUANTITIES[name].measure(record, work, module)


@pytest.mark.parametrize(
    ("name", "op", "inputs", "output", "attributes", "expected"),
    [
        ("macs", "linear", [(2, 3)], (2, 4), {}, 1000),
        ("bias_adds", "linear", [(2, 3)], (2, 4), {}, 7),
        ("arithmetic", "add", [(2, 3)], (2, 3), {}, 11),
        ("comparisons", "relu", [(2, 3)], (2, 3), {}, 13),
        ("transcendental", "exp", [(2, 3)], (2, 3), {}, 17),
        ("output_elements", "relu", [(2, 3)], (2, 3), {}, 6),
        ("input_elements", "sum", [(2, 3)], (), {}, 6),
        ("input_elements", "arange", [], (5,), {}, 0),
        ("first_output_elements", "relu", [(2, 3, 5)], (2, 3, 5), {}, 15),
        ("affine_input_elements", "batch_norm", [IMAGE], IMAGE, AFFINE, 240),
        ("affine_input_elements", "batch_norm", [IMAGE], IMAGE, PLAIN, 0),
        ("affine_output_elements", "layer_norm", [IMAGE], IMAGE, AFFINE, 240),
        ("affine_output_elements", "layer_norm", [IMAGE], IMAGE, PLAIN, 0),
        ("training_input_elements", "batch_norm", [IMAGE], IMAGE, {**AFFINE, "training": True}, 240),
        ("training_input_elements", "batch_norm", [IMAGE], IMAGE, {**AFFINE, "training": False}, 0),
        ("nearest_elements", "interpolate", [IMAGE], (2, 4, 10, 12), {"mode": "nearest"}, 960),
        ("nearest_elements", "interpolate", [IMAGE], (2, 4, 10, 12), {"mode": "bilinear"}, 0),
        ("bilinear_elements", "interpolate", [IMAGE], (2, 4, 10, 12), {"mode": "bilinear"}, 960),
        ("bilinear_elements", "interpolate", [IMAGE], (2, 4, 10, 12), {"mode": "nearest"}, 0),
        ("softmax_rows", "softmax", [IMAGE], IMAGE, {"dim": -1}, 40),
        ("softmax_rows", "softmax", [IMAGE], IMAGE, {"dim": 1}, 60),
        ("softmax_rows", "softmax", [()], (), {"dim": 0}, 1),
        ("softmax_rows", "softmax", [(3, 0)], (3, 0), {"dim": 1}, 0),
        ("attention_scores", "scaled_dot_product_attention", [(2, 3, 5, 8), (2, 3, 7, 8)], FOUR, {}, 210),
        ("attention_queries", "scaled_dot_product_attention", [(2, 3, 5, 8), (2, 3, 7, 8)], FOUR, {}, 30),
        ("padded_elements", "local_response_norm", [IMAGE], IMAGE, {"size": 3}, 2 * 6 * 30),
        # 3 output rows and 5 columns of 8 channels, each from 2 of 4 input channels and 3·2 taps, in 2 samples.
        ("output_taps", "conv2d", [IMAGE, (8, 2, 3, 2)], (2, 8, 3, 4), STEPS, 2 * 8 * 3 * 4 * 2 * 6),
        ("ungrouped_output_taps", "conv_transpose2d", [IMAGE, (4, 3, 3, 2)], (2, 6, 11, 8), STEPS, 1056 * 4 * 6),
        ("ungrouped_output_taps", "conv_transpose2d", [IMAGE, (4, 2, 3, 2)], (2, 4, 11, 8), STEPS, 704 * 2 * 6),
        ("twice_grouped_macs", "conv_transpose2d", [IMAGE, (4, 4, 3, 2)], (2, 8, 9, 8), STEPS, 2 * 30 * 4 * 2 * 6),
        # As if a plain convolution ran over 5×6: 3 rows of (5 + 2 - 3) / 2 + 1, and 4 columns of 6 - 3 + 1.
        ("shrunk_bias_adds", "conv_transpose2d", [IMAGE, (4, 3, 3, 2)], (2, 6, 9, 8), STEPS, 3 * 2 * 3 * 4),
        ("adaptive_window_elements", "adaptive_avg_pool2d", [IMAGE], (2, 4, 2, 2), {}, int((2.5 * 3 + 1) * 32)),
        ("adaptive_window_elements", "adaptive_avg_pool1d", [(2, 4, 7)], (2, 4, 2), {}, int((3.5 + 1) * 16)),
        # Windows of 3 rows at -1, 1 and 3, none of them cut, and of 2 columns at 0, 2 and 4.
        ("averaged_elements", "avg_pool2d", [IMAGE], (2, 4, 3, 3), POOL, 8 * 9 * 6),
        # In ceil mode the last of two windows may reach beyond the padding, and is cut there.
        ("averaged_elements", "avg_pool1d", [(1, 1, 4)], (1, 1, 2), {"kernel": (3,), "stride": (2,), "padding": (0,)}, 3 + 2),
        ("rounded_einsum_flops", "matmul", [(2, 3, 4)], (2, 3, 5), {"einsum": "abc,acd->abd"}, 2001),
        ("rounded_einsum_macs", "matmul", [(2, 3, 4)], (2, 3, 5), {"einsum": "abc,acd->abd"}, 1000),
        ("state_elements", "lstm", [(9, 2, 3)], (9, 2, 10), {"hidden": 5, "layers": 3, "directions": 2, "bias": True,
                                                             "dropout": False, "batch_first": False}, 18 * 5 * 3 * 2),
    ],
)  # fmt: skip
def test_a_size_is_what_was_worked_out(name, op, inputs, output, attributes, expected):
    assert measure(name, op, inputs, output, **attributes) == expected


@pytest.mark.parametrize(
    ("equation", "macs", "expected"),
    [
        # 2·123,456 + 1 is printed as 2.469e+05, of which half is taken.
        ("ij,jk->ik", 123_456, 123_450),
        ("bqd,bqe->bde", 123_456, 123_456),
        ("b q d, b k d -> b k q", 123_456, 123_456),
        ("bqd,bkd->bqk", 123_456, 123_450),
    ],
)  # fmt: skip
def test_an_einsum_is_rounded_unless_fvcore_knows_it(equation, macs, expected):
    work = Work(macs=macs)
    assert measure("rounded_einsum_macs", "matmul", [(2, 3, 4)], (2, 3, 5), work, einsum=equation) == expected


# What torch's fused kernel for the CPU takes, by ``use_flash_attention_cpp`` of three versions.
@pytest.mark.parametrize(
    ("shapes", "attributes", "since_2_6", "since_2_9", "since_2_14"),
    [
        pytest.param([FOUR] * 3, ATTENTION, True, True, True, id="plain"),
        pytest.param([THREE] * 3, ATTENTION, False, False, True, id="without heads"),
        pytest.param([TWO] * 3, ATTENTION, False, False, False, id="without a batch"),
        pytest.param([FOUR, (2, 3, 7, 8), (2, 3, 7, 8)], ATTENTION, True, True, True, id="other keys"),
        pytest.param([FOUR, (2, 3, 7, 8), (2, 3, 7, 6)], ATTENTION, False, False, False, id="narrow values"),
        pytest.param([FOUR, (2, 3, 7, 6), (2, 3, 7, 8)], ATTENTION, False, False, False, id="narrow keys"),
        pytest.param([FOUR, ONE_KEY, ONE_KEY], ATTENTION, False, False, False, id="a broadcast key"),
        pytest.param([FOUR, FOUR, ONE_KEY], ATTENTION, False, False, False, id="a broadcast value"),
        pytest.param([FOUR, ONE_KEY, ONE_KEY], GROUPED, False, True, True, id="grouped"),
        pytest.param([FOUR, (1, 1, 5, 8), ONE_KEY], GROUPED, False, False, False, id="grouped over another batch"),
        pytest.param([FOUR] * 3, {**ATTENTION, "mask_dims": 2}, True, True, True, id="a mask of 2 dimensions"),
        pytest.param([FOUR] * 3, {**ATTENTION, "mask_dims": 3}, False, False, False, id="of 3"),
        pytest.param([FOUR] * 3, {**ATTENTION, "mask_dims": 4}, True, True, True, id="of 4"),
        pytest.param([FOUR] * 3, {**ATTENTION, "dropout": True}, False, False, False, id="dropout"),
    ],
)  # fmt: skip
def test_attention_that_a_version_fuses_is_not_charged(shapes, attributes, since_2_6, since_2_9, since_2_14):
    op = "scaled_dot_product_attention"
    charged = [measure(name, op, shapes, FOUR, **attributes)
               for name in ("unfused_macs_2_6", "unfused_macs_2_9", "unfused_macs")]  # fmt: skip
    assert charged == [0 if fused else 1000 for fused in (since_2_6, since_2_9, since_2_14)]


def test_a_transposed_convolution_without_a_bias_is_charged_none():
    work = Work(macs=5)
    assert measure("shrunk_bias_adds", "conv_transpose2d", [IMAGE, (4, 3, 3, 2)], IMAGE, work, **STEPS) == 0


@pytest.mark.parametrize(
    ("name", "inputs", "lacks"),
    [
        ("affine_input_elements", [IMAGE], "weight"),
        ("affine_output_elements", [IMAGE], "weight"),
        ("training_input_elements", [IMAGE], "training"),
        ("nearest_elements", [IMAGE], "mode"),
        ("bilinear_elements", [IMAGE], "mode"),
        ("softmax_rows", [IMAGE], "dim"),
        ("unfused_macs", [FOUR] * 3, "masked"),
        ("padded_elements", [IMAGE], "size"),
        ("output_taps", [IMAGE], "kernel"),
        ("twice_grouped_macs", [IMAGE, (4, 4, 3, 2)], "kernel"),
        ("shrunk_bias_adds", [IMAGE, (4, 4, 3, 2)], "kernel"),
        ("averaged_elements", [IMAGE], "kernel"),
        ("rounded_einsum_macs", [IMAGE], "einsum"),
        ("state_elements", [(9, 2, 3)], "hidden"),
    ],
)
def test_a_missing_attribute_is_an_error_and_never_a_figure(name, inputs, lacks):
    # What a subclass adds is looked for first, so that another name may be told.
    known = {"training": PLAIN}.get(lacks, {})
    with pytest.raises(MissingAttributeError, match=f"`{lacks}`"):
        measure(name, "some", inputs, IMAGE, **known)


def build_module(cls):
    weight, bias = (TensorRecord(name=name, shape=shape, dtype="float32") for name, shape in
                    (("weight", (8, 4, 3, 2)), ("bias", (8,))))  # fmt: skip
    return ModuleRecord(path="x", cls=cls, parameters=(weight, bias))


@pytest.mark.parametrize(
    ("cls", "output", "uses"),
    [
        ("torch.nn.Conv2d", (2, 8, 3, 5), 2 * 3 * 5),
        ("torch.nn.Linear", (2, 7, 8), 2),
        ("torch.nn.Linear", (8,), 8),
        ("Convolutions.Block", (2, 8, 3, 5), 2),
        ("torch.nn.Linear", (), 0),
    ],
)
def test_weights_are_used_at_the_positions_that_torchinfo_sees(cls, output, uses):
    module = build_module(cls)
    assert measure("weight_uses", "conv2d", [IMAGE], output, module=module) == uses * 8 * 4 * 3 * 2
    assert measure("bias_uses", "conv2d", [IMAGE], output, module=module) == uses * 8
    assert measure("weight_uses", "conv2d", [IMAGE], output) == 0
