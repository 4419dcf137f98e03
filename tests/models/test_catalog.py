"""The catalog and its options: what may be asked for, and what is answered to the rest."""

import subprocess
import sys

import pytest
import torch

from resflops.errors import DuplicateError, SpecError
from resflops.models import NETWORKS, build, parse_options
from resflops.models.catalog import CHOICES, index_by_name

NAMES = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50_v1_5", "resnet101_v1_5",
    "resnet152_v1_5", "plain18", "plain34", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110",
    "resnet1202", "preact_resnet110", "preact_resnet164", "preact_resnet1001", "preact_resnet18",
    "preact_resnet34", "preact_resnet50", "preact_resnet101", "preact_resnet152", "preact_resnet200",
    "wrn_16_4", "wrn_16_8", "wrn_40_4", "wrn_28_10", "wide_resnet50_2", "resnext50_32x4d",
    "resnext101_32x4d", "resnext101_64x4d", "resnext29_8x64d", "resnext29_16x64d", "keras_resnet50",
    "keras_resnet101", "keras_resnet152", "keras_resnet50_v2", "keras_resnet101_v2", "keras_resnet152_v2",
    "tf_resnet18_cifar", "vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16", "vgg19", "vgg11_bn",
    "vgg11_lrn_bn", "vgg13_bn", "vgg16_c_bn", "vgg16_bn", "vgg19_bn",
)  # fmt: skip


def test_the_catalog_holds_every_network() -> None:
    assert sorted(NETWORKS) == sorted(NAMES)
    assert all(network.name == name for name, network in NETWORKS.items())


def test_the_catalog_loads_without_torch() -> None:
    code = "import sys, resflops.models, resflops.models.published; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_is_taken_once() -> None:
    twice = NETWORKS["vgg16"]
    with pytest.raises(DuplicateError, match="two networks are named 'vgg16'"):
        index_by_name([twice, twice])


def test_a_network_says_which_one_it_is_where_the_name_is_ambiguous() -> None:
    assert "stride in the first 1×1; torchvision's resnet50 is resnet50_v1_5" in NETWORKS["resnet50"].variant
    assert "stride in the 3×3; the paper's is resnet50" in NETWORKS["resnet50_v1_5"].variant
    for name in ("wide_resnet50_2", "resnext50_32x4d"):
        assert "stride in the 3×3" in NETWORKS[name].variant
    assert NETWORKS["resnet34"].variant == ""


def test_every_option_has_a_default_that_is_allowed() -> None:
    for network in NETWORKS.values():
        texts = {name: str(value) for name, value in network.options.items()}
        assert parse_options(network, texts) == network.options


def test_options_replace_what_the_network_has() -> None:
    with torch.device("meta"):
        model = build(NETWORKS["vgg11"], in_channels=1, num_classes=10)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["features.0.weight"] == (64, 1, 3, 3)
    assert shapes["classifier.6.weight"] == (10, 4096)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_takes_channels_and_classes(name: str) -> None:
    network = NETWORKS[name]
    with torch.device("meta"):
        model = build(network, in_channels=5, num_classes=7).eval()
        logits = model(torch.empty(2, 5, *network.input_shape[1:]))
    assert logits.shape == (2, 7)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shortcuts": "A"}, "resnet34 has no option 'shortcuts'; it has shortcut, in_channels, num_classes; "
         "closest: shortcut"),
        ({"shortcut": "D"}, "resnet34 cannot have shortcut=D; shortcut must be one of A, B, C"),
        ({"num_classes": "0"}, "num_classes=0; num_classes must be a whole number from 1 to 1,000,000,000"),
        ({"num_classes": "-3"}, "num_classes=-3; num_classes must be a whole number"),
        ({"num_classes": "1e3"}, "num_classes=1e3; num_classes must be a whole number"),
        ({"num_classes": "1000000001"}, "num_classes must be a whole number from 1 to 1,000,000,000"),
        ({"num_classes": "9" * 9999}, "num_classes must be a whole number from 1 to 1,000,000,000"),
        ({"num_classes": "٣"}, "num_classes must be a whole number"),
        ({"in_channels": ""}, "in_channels must be a whole number"),
    ],
    ids=["unknown", "choice", "zero", "negative", "exponent", "absurd", "endless", "not-ascii", "empty"],
)  # fmt: skip
def test_a_wrong_option_says_what_there_is(given: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_options(NETWORKS["resnet34"], given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"num_classes": 0}, {"num_classes": True}, {"num_classes": 2.0}, {"bias": 1}]
)
def test_build_refuses_what_a_spec_could_not_say(options: dict[str, int]) -> None:
    with pytest.raises(SpecError):
        build(NETWORKS["resnet34"], **options)


def test_a_plain_network_has_no_shortcut_to_choose() -> None:
    with pytest.raises(SpecError, match="plain34 has no option 'shortcut'; it has in_channels, num_classes"):
        parse_options(NETWORKS["plain34"], {"shortcut": "A"})


def test_every_choice_belongs_to_some_network() -> None:
    assert set(CHOICES) <= {name for network in NETWORKS.values() for name in network.options}
