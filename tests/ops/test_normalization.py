"""Normalisations: their attributes, and one cost however they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

import resflops
from resflops.errors import MissingAttributeError, TraceError
from resflops.ops import OPS
from resflops.records import Work

IMAGE = (2, 4, 6, 6)
CASES = {
    "batch norm": (nn.BatchNorm2d(4).eval(), IMAGE),
    "batch norm, not affine": (nn.BatchNorm2d(4, affine=False).eval(), IMAGE),
    "layer norm": (nn.LayerNorm(6), IMAGE),
    "layer norm without bias": (nn.LayerNorm((6, 6), bias=False), IMAGE),
    "group norm": (nn.GroupNorm(2, 4), IMAGE),
    "group norm, not affine": (nn.GroupNorm(2, 4, affine=False), IMAGE),
    "instance norm": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "instance norm by running statistics": (
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True).eval(),
        IMAGE,
    ),
    "rms norm": (nn.RMSNorm(6), IMAGE),
    "rms norm, not affine": (nn.RMSNorm((6, 6), elementwise_affine=False), IMAGE),
    "local response norm": (nn.LocalResponseNorm(3), IMAGE),
    "weight norm": (parametrizations.weight_norm(nn.Linear(6, 3)), IMAGE),
}
DISPATCHED = ("exported", "make_fx", "fallback")
DIFFERS = {
    # Torch runs a batch norm, whose gradient for the input makes that of the weights in passing.
    **{(style, "instance norm"): {"flops backward"} for style in DISPATCHED},
    # Torch repeats weight and bias for each sample, and adds their gradients up again.
    **{(style, "instance norm by running statistics"): {"flops backward"} for style in DISPATCHED},
    **{
        # Torch 2.6 goes on to average the running statistics over the samples, though it has not changed them.
        (style, "instance norm by running statistics"): {"flops", "flops backward"}
        for style in DISPATCHED
        if torch.__version__.startswith("2.6.")
    },
    # Torch writes these as powers, means and products, and each has a gradient of its own.
    **{
        (style, name): {"flops", "flops backward"}
        for style in DISPATCHED
        for name in ("rms norm", "rms norm, not affine", "local response norm")
    },
    # torch.jit writes down what a function of torch.nn.functional calls, and not the function.
    ("scripted", "local response norm"): {"flops", "flops backward"},
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == DIFFERS.get((style, name), set())


GIVEN = {"training": False, "weight": True, "bias": True, "groups": 8, "size": 3}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        pytest.param(name, field, id=f"{name} without {field}")
        for name, known in OPS.items()
        if known.family == "normalization" and known.attributes
        for field in known.attributes.__struct_fields__
        if field in GIVEN
    ],
)
def test_a_missing_attribute_is_an_error(name, missing, record):
    shapes = [(2, 4, 6, 6)], (2, 4, 6, 6)
    assert OPS[name].work(record(name, *shapes, **GIVEN))
    with pytest.raises(MissingAttributeError, match=f"`{missing}`"):
        OPS[name].work(record(name, *shapes, **{key: GIVEN[key] for key in GIVEN if key != missing}))


IMAGES = (2, 4, 5, 5)


@pytest.mark.parametrize(
    ("op", "attributes", "arithmetic", "roots"),
    [
        # Mean 1, variance 3, normalise 2; weight and bias 1 each.
        ("batch_norm", {"training": False, "weight": True, "bias": True}, 2, 0),
        ("batch_norm", {"training": True, "weight": False, "bias": False}, 6, 4),
        ("batch_norm", {"training": True, "weight": True, "bias": False}, 7, 4),
        ("layer_norm", {"groups": 40, "weight": True, "bias": True}, 8, 40),
        ("group_norm", {"groups": 6, "weight": True, "bias": False}, 7, 6),
        ("instance_norm", {"groups": 8, "weight": False, "bias": False}, 6, 8),
        # Square, add, scale.
        ("rms_norm", {"groups": 40, "weight": False, "bias": False}, 3, 40),
        ("rms_norm", {"groups": 40, "weight": True, "bias": False}, 4, 40),
        # A square, 4 additions over the window, alpha times, k plus and a division.
        ("local_response_norm", {"size": 5}, 8, 200),
    ],
)
def test_a_normalisation_takes_so_much_an_element_and_a_root_a_group(
    op, attributes, arithmetic, roots, record
):
    assert OPS[op].work(record(op, [IMAGES], IMAGES, **attributes)) == Work(
        arithmetic=200 * arithmetic, transcendental=roots
    )


def test_a_batch_norm_of_one_row_has_one_root(record):
    given = record("batch_norm", [(7,)], (7,), training=True, weight=False, bias=False)
    assert OPS["batch_norm"].work(given) == Work(arithmetic=6 * 7, transcendental=1)
    given = record("batch_norm", [(2, 3)], (2, 3), training=True, weight=False, bias=False)
    assert OPS["batch_norm"].work(given) == Work(arithmetic=6 * 6, transcendental=3)


@pytest.mark.parametrize(
    ("op", "weight", "bias", "needed", "each"),
    [
        # x̂ 2; products and sums of the weight 2 and of the bias 1; 4 to combine; 1 for the weight's factor.
        ("group_norm", True, True, (0, 1, 2), (10, 2, 1)),
        ("group_norm", False, False, (0,), (9,)),
        ("instance_norm", True, True, (1, 2), (4, 1)),
        ("layer_norm", True, False, (0, 1), (10, 2)),
        ("rms_norm", False, False, (0,), (6,)),
        ("rms_norm", True, False, (0, 1), (7, 2)),
        ("rms_norm", True, False, (1,), (3,)),
    ],
)
def test_the_gradients_of_its_statistics_take_so_much_an_element(op, weight, bias, needed, each, record):
    given = record(op, [IMAGES], IMAGES, weight=weight, bias=bias, groups=3)
    assert OPS[op].gradient.work(given, needed) == tuple(Work(arithmetic=200 * count) for count in each)


@pytest.mark.parametrize(("training", "each"), [(True, (9, 0, 0)), (False, (1, 4, 1))])
def test_a_batch_norm_shares_its_sums_in_training_alone(training, each, record):
    given = record("batch_norm", [IMAGES], IMAGES, training=training, weight=True, bias=True)
    assert OPS["batch_norm"].gradient.work(given, (0, 1, 2)) == tuple(
        Work(arithmetic=200 * count) for count in each
    )
    assert OPS["batch_norm"].gradient.work(given, (1, 2)) == (Work(arithmetic=800), Work(arithmetic=200))


def test_the_gradient_of_a_local_response_norm_has_its_window_too(record):
    given = record("local_response_norm", [IMAGES], IMAGES, size=5)
    assert OPS[given.op].gradient.work(given, (0,)) == (Work(arithmetic=200 * 10, transcendental=200),)


def test_the_gradients_of_a_weight_norm_share_a_sum(record):
    given = record("_weight_norm_interface", [(6, 4), (6, 1)], (6, 4), (6, 1))
    gradient = OPS[given.op].gradient.work
    # The length: a product and an addition each of 24, and a division by each of 6; the direction 3 more and one.
    assert gradient(given, (0, 1)) == (Work(arithmetic=5 * 24 + 2 * 6), Work())
    assert gradient(given, (1,)) == (Work(arithmetic=2 * 24 + 6),)


@pytest.mark.parametrize(("shape", "roots"), [((2, 3, 4), 3), ((2, 3), 3), ((5,), 1)])
def test_batch_norm_in_training_takes_a_root_for_each_channel(shape, roots, record):
    given = record("batch_norm", [shape], shape, training=True, weight=False, bias=False)
    assert OPS["batch_norm"].work(given).transcendental == roots


def test_batch_norm_of_a_vector_is_refused_as_torch_refuses_it():
    class Vector(nn.Module):
        def forward(self, x):
            return F.batch_norm(x, None, None, training=True)

    with pytest.raises(TraceError):
        resflops.trace(Vector(), (5,))
