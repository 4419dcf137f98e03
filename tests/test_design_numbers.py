"""The exact numbers that resflops exists to reproduce, and that real runs confirm them."""

import pytest
import torch

import resflops
from resflops.models import NETWORKS

EXACT = [
    # spec, macs, formula, parameters
    ("resnet18", 1_814_073_344, 1_816_558_056, 11_689_512),
    ("resnet34,shortcut=A", 3_644_493_824, 3_648_057_320, 21_623_848),
    ("resnet34", 3_663_761_408, 3_667_500_520, 21_797_672),
    ("resnet34,shortcut=C", 3_830_747_136, 3_835_690_472, 22_716_840),
    ("resnet50", 3_857_973_248, 3_868_561_384, 25_557_032),
    ("resnet50_v1_5", 4_089_184_256, 4_100_299_240, 25_557_032),
    ("resnet101", 7_570_194_432, 7_585_900_520, 44_549_160),
    ("resnet152", 11_282_415_616, 11_304_443_880, 60_192_808),
    ("plain34", 3_644_493_824, 3_648_057_320, 21_623_848),
    ("vgg16", 15_470_264_320, 15_483_821_032, 138_357_544),
    ("vgg19", 19_632_062_464, 19_646_923_752, 143_667_240),
    ("resnet20", 40_551_040, None, 269_722),
    ("resnet110", 252_887_680, None, 1_727_962),
    ("resnet1202", 2_829_238_912, None, 19_421_274),
    ("tf_resnet18_cifar", 512_017_152, None, 11_223_140),
]


def usual_input(spec: str) -> tuple[int, ...]:
    return (1, *NETWORKS[spec.partition(",")[0]].input_shape)


@pytest.mark.parametrize(("spec", "macs", "formula", "params"), EXACT, ids=[case[0] for case in EXACT])
def test_networks_cost_exactly_what_the_papers_round(spec, macs, formula, params):
    cost = resflops.count(resflops.load(spec), usual_input(spec))
    assert (cost.macs, cost.total, cost.convention, cost.params) == (macs, macs, "macs", params)
    assert cost.complete
    if formula is not None:
        assert cost.under("formula").total == formula


@pytest.mark.parametrize("spec", NETWORKS)
def test_a_trace_on_shapes_equals_one_taken_from_a_real_run(spec):
    # Any weights do, and initialising them would take longer than the run.
    model = resflops.load(spec).to_empty(device="cpu")
    image = torch.zeros(usual_input(spec))
    on_shapes = resflops.trace(model, image)
    from_real_run = resflops.trace(model, image, real=True)
    assert on_shapes.ops == from_real_run.ops
    assert on_shapes.modules == from_real_run.modules
    assert on_shapes.inputs == from_real_run.inputs


@pytest.mark.parametrize("spec", NETWORKS)
def test_every_built_in_network_is_counted_completely_without_a_fallback(spec):
    from resflops.tracing.modules import Modules
    from resflops.tracing.recorder import Recorder

    model = resflops.load(spec)
    recorder = Recorder(Modules(model))
    with torch.no_grad(), recorder:
        model(torch.empty(usual_input(spec), device="meta"))
    assert recorder.fallbacks == []
    for convention in resflops.CONVENTIONS:
        assert resflops.count(model, usual_input(spec), convention=convention).complete


@pytest.mark.parametrize(
    "spec", ["resnet18", "resnet50_v1_5", "vgg19", "preact_resnet164", "resnext29_8x64d"]
)
def test_macs_equal_those_of_torchs_own_counter(spec):
    from torch.utils.flop_counter import FlopCounterMode

    model, image = resflops.load(spec), torch.empty(usual_input(spec), device="meta")
    with FlopCounterMode(display=False) as counter:
        model(image)
    assert 2 * resflops.count(model, image).macs == counter.get_total_flops()


@pytest.mark.parametrize("batch", [2, 7])
def test_cost_is_proportional_to_the_batch_and_parameters_are_not(batch):
    model = resflops.load("resnet18")
    one, many = resflops.count(model, (1, 3, 224, 224)), resflops.count(model, (batch, 3, 224, 224))
    assert many.macs == batch * one.macs
    assert many.under("flops").total == batch * one.under("flops").total
    assert many.params == one.params


def test_resnet34_is_eighteen_percent_of_vgg19():
    resnet = resflops.count(resflops.load("resnet34"), (1, 3, 224, 224))
    vgg = resflops.count(resflops.load("vgg19"), (1, 3, 224, 224))
    assert 100 * resnet.macs // vgg.macs == 18


@pytest.mark.parametrize(
    ("spec", "normalised", "relu", "max_pool", "avg_pool"),
    [("resnet34", 3_738_112, 3_562_496, 802_816, 25_088)],
)
def test_flops_of_resnet34_are_the_sum_of_its_kinds_of_work(spec, normalised, relu, max_pool, avg_pool):
    cost = resflops.count(resflops.load(spec), (1, 3, 224, 224), convention="flops")
    outputs_of_max_pool = max_pool // 4
    assert cost.by_op == {
        "conv2d": 2 * (cost.macs - 512_000),
        "batch_norm": 2 * normalised,
        "relu": relu,
        "max_pool2d": 8 * outputs_of_max_pool,
        "add": sum(row.total for row in cost.layers if row.op == "add"),
        "linear": 2 * 512_000 + 1_000,
        "adaptive_avg_pool2d": avg_pool,
    }
    assert cost.total == sum(cost.by_op.values())
