"""A trace priced: totals, conventions, layers."""

import re

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import resflops
from resflops.cost.convention import CONVENTIONS, Convention, register_convention
from resflops.cost.layers import sum_by_depth, sum_by_stage
from resflops.errors import DuplicateError, UnknownConventionError
from resflops.ops import OPS, rule
from resflops.records import OpRecord, Work

NETWORKS = ["resnet18", "resnet50", "vgg16", "vgg11_lrn", "preact_resnet164", "keras_resnet50_v2", "resnext29_8x64d",
            "tf_resnet18_cifar"]  # fmt: skip


def count_spec(spec, convention="macs", batch=1):
    from resflops.models import NETWORKS as KNOWN

    return resflops.count(resflops.load(spec), (batch, *KNOWN[spec].input_shape), convention=convention)


@pytest.mark.parametrize("convention", list(CONVENTIONS))
@pytest.mark.parametrize("spec", NETWORKS)
def test_layers_add_up_to_the_cost(spec, convention):
    cost = count_spec(spec, convention)
    assert sum(row.total for row in cost.layers) == cost.total
    assert sum(row.macs for row in cost.layers) == cost.macs
    assert sum(row.params for row in cost.layers) == cost.params
    assert sum(row.trainable for row in cost.layers) == cost.trainable
    assert sum(row.frozen for row in cost.layers) == cost.frozen
    assert sum(row.buffers for row in cost.layers) == cost.buffers
    assert sum(row.share for row in cost.layers) == pytest.approx(1)


def evaluate(formula):
    """What the printed left side of a formula comes to."""
    left = formula.partition(" = ")[0]
    assert re.fullmatch(r"[0-9·+() ]+", left)
    return eval(left.replace("·", "*"), {"__builtins__": {}})


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("convention", list(CONVENTIONS))
@pytest.mark.parametrize("spec", NETWORKS)
def test_every_printed_formula_comes_to_its_layers_total(spec, convention, batch):
    cost = count_spec(spec, convention, batch)
    for row in cost.layers:
        if row.formula:
            assert evaluate(row.formula) == row.total
            assert int(row.formula.rpartition(" = ")[2].replace(",", "")) == row.total
        else:
            assert row.total == 0


@pytest.mark.parametrize(
    ("convention", "layer", "formula"),
    [
        ("macs", "conv1", "112·112·64·(7·7·3) = 118,013,952"),
        ("macs", "layer1.0.conv1", "56·56·64·(3·3·64) = 115,605,504"),
        ("macs", "fc", "1000·512 = 512,000"),
        ("formula", "conv1", "112·112·64·(7·7·3 + 1) = 118,816,768"),
        ("formula", "fc", "1000·(512 + 1) = 513,000"),
        ("flops", "conv1", "112·112·64·(2·7·7·3) = 236,027,904"),
        ("flops", "fc", "1000·(2·512 + 1) = 1,025,000"),
        ("flops", "bn1", "2·64·112·112 = 1,605,632"),
    ],
)
def test_formulas_read_as_the_papers_write_them(convention, layer, formula):
    rows = {row.name: row for row in count_spec("resnet18", convention).layers}
    assert rows[layer].formula == formula


def test_three_3x3_in_a_row_see_what_one_7x7_sees():
    stacked = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)))
    single = nn.Conv2d(4, 4, 7, padding=3)
    assert resflops.count(stacked, (1, 4, 32, 32)).layers[-1].receptive_field == (7, 7)
    assert resflops.count(single, (1, 4, 32, 32)).layers[-1].receptive_field == (7, 7)


@pytest.mark.parametrize(
    ("norm", "field"),
    [
        (nn.GroupNorm(1, 8), (30, 30)),
        (nn.GroupNorm(4, 8), (30, 30)),
        (nn.InstanceNorm2d(8), (30, 30)),
        (nn.InstanceNorm2d(8, track_running_stats=True).eval(), (3, 3)),
        (nn.LayerNorm([8, 28, 28]), (30, 30)),
        (nn.LayerNorm([28, 28]), (30, 30)),
        (nn.LayerNorm([28]), (3, 3)),
        (nn.BatchNorm2d(8).eval(), (3, 3)),
        (nn.BatchNorm2d(8).train(), (30, 30)),
    ],
    ids=repr,
)
def test_statistics_of_the_whole_map_are_part_of_the_receptive_field(norm, field):
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), norm)
    (row,) = [row for row in resflops.count(net, (2, 3, 28, 28)).layers if "norm" in row.op]
    assert (row.receptive_field, row.effective_stride) == (field, (1, 1))


def test_a_field_of_the_whole_map_grows_no_further_and_keeps_its_stride():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(1, 8), nn.Conv2d(8, 8, 3, stride=2))
    last = resflops.count(net, (1, 3, 28, 28)).layers[-1]
    assert (last.receptive_field, last.effective_stride) == ((30, 30), (2, 2))


def test_a_mean_over_channels_gathers_no_positions():
    class Attend(nn.Module):
        def forward(self, x):
            return x.mean(1)

    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Attend())
    assert resflops.count(net, (1, 3, 28, 28)).layers[-1].receptive_field == (3, 3)


def test_a_weight_that_is_computed_hides_no_receptive_field():
    model = nn.Sequential(nn.Conv2d(4, 4, 3), prune.identity(nn.Conv2d(4, 4, 3), "weight"))
    row = resflops.count(model, (1, 4, 32, 32)).layers[-1]
    assert (row.op, row.receptive_field) == ("conv2d", (5, 5))


@pytest.mark.parametrize(
    ("layer", "field", "stride"),
    [
        ("features.0", (3, 3), (1, 1)),
        ("features.4", (6, 6), (2, 2)),
        ("features.5", (10, 10), (2, 2)),
        ("features.30", (212, 212), (32, 32)),
    ],
)
def test_receptive_fields_of_vgg16(layer, field, stride):
    rows = {row.name: row for row in count_spec("vgg16").layers}
    assert (rows[layer].receptive_field, rows[layer].effective_stride) == (field, stride)


@pytest.mark.parametrize(
    ("spec", "points"),
    [
        # 11 after the stem; 3x3 kernels at strides 4, 8, 16 and 32 add 24, 8 + 48, 16 + 160 and 32 + 128.
        pytest.param("resnet50_v1_5", 11 + 24 + 56 + 176 + 160, id="stride in a stage's first block"),
        # Araujo et al. 2019, table 1, who stride in a stage's last block.
        pytest.param("keras_resnet50_v2", 483, id="stride in a stage's last block"),
    ],
)
def test_a_shortcut_leaves_the_wider_field(spec, points):
    sums = [row for row in count_spec(spec).layers if row.op == "add"]
    assert (sums[-1].receptive_field, sums[-1].effective_stride) == ((points, points), (32, 32))


def test_an_adaptive_window_sees_what_its_elements_see_together():
    # 17 points, 8 after the stem, in windows of 4: 3 wide and 2 apart, so 3 + 3·2 = 9.
    model = nn.Sequential(nn.Conv2d(4, 4, 3, stride=2), nn.AdaptiveAvgPool2d((2, 4)))
    row = resflops.count(model, (1, 4, 17, 17)).layers[-1]
    assert (row.receptive_field, row.effective_stride) == ((9, 5), (8, 4))


def test_a_classifier_has_gathered_every_position():
    row = count_spec("vgg16").layers[-1]
    assert row.op == "linear"
    assert row.effective_stride is None


def test_a_module_that_no_op_ran_in_still_holds_its_parameters():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 8)

        def forward(self, x):
            return self.used(x)

    rows = {row.name: row for row in resflops.count(Spare(), (1, 4)).layers}
    assert (rows["unused"].calls, rows["unused"].params, rows["unused"].op) == (0, 40, "")


def test_stages_are_those_of_the_papers_table():
    cost = count_spec("resnet34")
    stages = {row.name: row for row in sum_by_stage(cost.trace, cost.layers)}
    assert list(stages) == ["conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "fc"]
    assert stages["conv1"].macs == 118_013_952
    assert stages["conv2_x"].macs == 6 * 115_605_504
    assert stages["conv5_x"].output_shape == (1, 512, 7, 7)
    assert sum(row.total for row in stages.values()) == cost.total
    assert sum(row.params for row in stages.values()) == cost.params


def test_folding_keeps_every_mac_and_parameter():
    cost = count_spec("resnet50")
    for depth in (1, 2, 3):
        rows = sum_by_depth(cost.layers, depth=depth)
        assert sum(row.total for row in rows) == cost.total
        assert sum(row.params for row in rows) == cost.params
    assert [row.name for row in sum_by_depth(cost.layers, depth=1)][:5] == [
        "conv1",
        "bn1",
        "relu",
        "maxpool",
        "layer1",
    ]


def test_a_convention_prices_the_same_trace_anew():
    cost = count_spec("resnet18")
    formula = cost.under("formula")
    assert (formula.convention, formula.total, formula.macs) == ("formula", 1_816_558_056, cost.macs)
    assert formula.trace is cost.trace
    assert cost.under("macs") == cost


def test_formula_counts_the_bias_of_a_layer_that_has_none():
    cost = resflops.count(nn.Conv2d(3, 8, 3, bias=False), (1, 3, 8, 8), convention="formula")
    assert cost.total == 6 * 6 * 8 * (3 * 3 * 3 + 1)


def test_formula_leaves_a_product_without_weights_as_it_is():
    class Product(nn.Module):
        def forward(self, x):
            return x @ x.mT

    assert resflops.count(Product(), (4, 8), convention="formula").total == 4 * 4 * 8


@pytest.mark.parametrize("name", ["mac", "MACSS", "flop", "xyzzy"])
def test_an_unknown_convention_is_refused_with_the_known_ones(name):
    with pytest.raises(UnknownConventionError, match="available: macs, formula, flops"):
        resflops.count(nn.ReLU(), (1,), convention=name)


@pytest.mark.parametrize("name", [None, 5, ["macs"]])
def test_a_convention_that_is_no_name_is_refused(name):
    with pytest.raises(UnknownConventionError, match="must be a string, such as 'macs'"):
        resflops.count(nn.ReLU(), (1,), convention=name)


def test_a_convention_is_named_once():
    with pytest.raises(DuplicateError, match="'macs' exists already"):
        register_convention(Convention(name="macs", counts="", source="", prices={}))


def test_every_convention_says_what_it_counts_and_who_counts_so():
    assert all(known.counts and known.source for known in CONVENTIONS.values())


def test_a_rule_from_user_code_counts_a_custom_op():
    @torch.library.custom_op("resflops_tests::triple", mutates_args=())
    def triple(x: torch.Tensor) -> torch.Tensor:
        return 3 * x

    @triple.register_fake
    def _(x):
        return torch.empty_like(x)

    class Tripled(nn.Module):
        def forward(self, x):
            return triple(x)

    assert [op.op for op in resflops.count(Tripled(), (2, 3)).uncounted] == ["resflops_tests.triple"]

    @rule("resflops_tests.triple")
    def tripling(record: OpRecord) -> Work:
        """One multiplication per element."""
        return Work(arithmetic=6)

    try:
        cost = resflops.count(Tripled(), (2, 3), convention="flops")
        assert (cost.complete, cost.total) == (True, 6)
    finally:
        del OPS["resflops_tests.triple"]


def test_layers_go_to_a_data_frame():
    frame = count_spec("resnet18").to_frame()
    assert list(frame.columns)[:2] == ["name", "op"]
    assert int(frame["macs"].sum()) == 1_814_073_344
    assert int(frame["params"].sum()) == 11_689_512


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(3, 2), nn.Linear(5, 7)

    def forward(self, x):
        return self.used(x)


def test_a_module_that_is_never_called_has_a_row_of_its_own_that_costs_nothing():
    cost = resflops.count(Unused(), (4, 3))
    (row,) = [row for row in cost.layers if row.name == "unused"]
    assert (row.op, row.calls, row.macs, row.total, row.share) == ("", 0, 0, 0, 0.0)
    assert (row.params, row.trainable, row.frozen, row.buffers) == (42, 42, 0, 0)
    assert (row.input_shape, row.output_shape, row.formula, row.counted) == ((), (), "", True)
    assert cost.total == 4 * 3 * 2
