"""What the networks are made of: parameters, buffers, names, stages."""

from functools import cache

import pytest
import torch
import torchvision  # type: ignore[import-untyped]
from torch import nn

from resflops.models import NETWORKS, build


@cache
def build_on_meta(name: str, shortcut: str = "") -> nn.Module:
    with torch.device("meta"):
        return build(NETWORKS[name], **{"shortcut": shortcut} if shortcut else {})


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_buffers(model: nn.Module) -> int:
    return sum(buffer.numel() for buffer in model.buffers())


@pytest.mark.parametrize(
    ("name", "shortcut", "count"),
    [
        ("resnet18", "B", 11_689_512),
        ("resnet34", "A", 21_623_848),
        ("resnet34", "B", 21_797_672),
        ("resnet34", "C", 22_716_840),
        ("resnet50", "B", 25_557_032),
        ("resnet50_v1_5", "B", 25_557_032),
        ("resnet101", "B", 44_549_160),
        ("resnet152", "B", 60_192_808),
        ("plain34", "", 21_623_848),
        ("vgg16", "", 138_357_544),
        ("vgg19", "", 143_667_240),
        ("resnet20", "A", 269_722),
        ("resnet110", "A", 1_727_962),
        ("resnet1202", "A", 19_421_274),
        ("tf_resnet18_cifar", "", 11_223_140),
        ("preact_resnet18", "", 11_687_848),
        ("preact_resnet34", "", 21_796_008),
        ("preact_resnet50", "", 25_549_480),
        ("preact_resnet101", "", 44_541_608),
        ("preact_resnet152", "", 60_185_256),
        ("preact_resnet200", "", 64_666_280),
        ("resnext29_8x64d", "B", 34_426_698),
        ("resnext29_16x64d", "B", 68_155_210),
        ("wrn_28_10", "", 36_479_194),
    ],
)
def test_a_network_has_exactly_these_parameters(name: str, shortcut: str, count: int) -> None:
    assert count_parameters(build_on_meta(name, shortcut)) == count


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("keras")])
def test_keras_counts_two_moving_statistics_a_channel_and_no_counter(name: str) -> None:
    model = build_on_meta(name)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert count_buffers(model) == sum(2 * norm.num_features for norm in norms)
    assert {norm.eps for norm in norms} == {1.001e-5}


def test_a_keras_v2_stage_strides_in_its_last_unit_and_pools_its_shortcut() -> None:
    model = build_on_meta("keras_resnet50_v2")
    strided = {
        name: module for name, module in model.named_modules() if getattr(module, "stride", 1) in (2, (2, 2))
    }
    assert list(strided) == [
        "conv1",
        "maxpool.1",
        *(
            f"{unit}.{part}"
            for unit in ("layer1.2", "layer2.3", "layer3.5")
            for part in ("conv2", "downsample")
        ),
    ]
    assert isinstance(model.get_submodule("layer1.2.downsample"), nn.MaxPool2d)


def test_a_bottleneck_strides_in_its_first_1x1_or_in_v1_5_in_its_3x3() -> None:
    for name, strides in (("resnet50", [(2, 2), (1, 1)]), ("resnet50_v1_5", [(1, 1), (2, 2)])):
        unit = build_on_meta(name).get_submodule("layer2.0")
        assert [unit.get_submodule(conv).stride for conv in ("conv1", "conv2")] == strides


@pytest.mark.parametrize(("shortcut", "projections"), [("A", 0), ("B", 3), ("C", 16)])
def test_shortcut_a_projects_nowhere_b_where_the_shape_changes_c_everywhere(
    shortcut: str, projections: int
) -> None:
    model = build_on_meta("resnet34", shortcut)
    named = [name for name, module in model.named_modules() if name.endswith("downsample.0")]
    assert len(named) == projections


TORCHVISION = {
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "resnet50_v1_5": "resnet50",
    "resnet101": "resnet101",
    "resnet101_v1_5": "resnet101",
    "resnet152": "resnet152",
    "resnet152_v1_5": "resnet152",
    **{
        name: name
        for name in NETWORKS
        if name.startswith(("vgg", "wide", "resnext")) and hasattr(torchvision.models, name)
    },
}


def test_the_names_shared_with_torchvision_are_known() -> None:
    assert set(TORCHVISION.values()) == {
        *(f"resnet{layers}" for layers in (18, 34, 50, 101, 152)),
        *("wide_resnet50_2", "resnext50_32x4d", "resnext101_64x4d"),
        *(f"vgg{layers}{suffix}" for layers in (11, 13, 16, 19) for suffix in ("", "_bn")),
    }


@pytest.mark.parametrize(("ours", "theirs"), TORCHVISION.items())
def test_state_dict_is_torchvisions(ours: str, theirs: str) -> None:
    with torch.device("meta"):
        expected = torchvision.models.get_model(theirs, weights=None).state_dict()
    actual = build_on_meta(ours).state_dict()
    assert {key: value.shape for key, value in actual.items()} == {
        key: value.shape for key, value in expected.items()
    }


def list_stages(model: nn.Module) -> dict[str, str]:
    stages = model.resflops_stages
    assert isinstance(stages, dict)
    return stages


def find_stages(model: nn.Module, path: str) -> set[str]:
    return {stage for prefix, stage in list_stages(model).items() if f"{path}.".startswith(f"{prefix}.")}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_belongs_to_exactly_one_stage(name: str) -> None:
    model = build_on_meta(name)
    leaves = [path for path, module in model.named_modules() if path and not any(module.children())]
    assert {len(find_stages(model, path)) for path in leaves} == {1}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stage_prefix_names_a_module_of_the_network(name: str) -> None:
    model = build_on_meta(name)
    absent = {prefix for prefix in list_stages(model) if prefix not in dict(model.named_modules())}
    assert absent <= {"bn1", "relu"}  # A pre-activation stem is a bare convolution.


@pytest.mark.parametrize(
    ("name", "path", "stage"),
    [
        ("resnet34", "maxpool", "conv2_x"),
        ("resnet34", "layer4.2.bn2", "conv5_x"),
        ("resnet20", "layer3.0.conv1", "conv4_x"),
        ("vgg16", "features.4", "conv1_x"),
        ("vgg16", "features.5", "conv2_x"),
        ("vgg19", "features.36", "conv5_x"),
        ("vgg19_bn", "features.52", "conv5_x"),
        ("vgg16", "classifier.0", "fc6"),
        ("vgg16", "classifier.3", "fc7"),
        ("vgg16", "classifier.6", "fc8"),
        ("wrn_28_10", "final_bn", "conv4_x"),
    ],
)
def test_stages_are_named_as_in_the_papers(name: str, path: str, stage: str) -> None:
    assert find_stages(build_on_meta(name), path) == {stage}
