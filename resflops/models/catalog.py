"""The catalog of built-in networks: their names, the classes that build them, and their options.

To add a network, add it to a function below. To add a kind of network, add a module beside this one and
name its class as the ``builder``. The networks are data, so that listing them needs no torch.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import DuplicateError
from resflops.records import Shape

__all__ = ["CHOICES", "NETWORKS", "Network", "Option", "index_by_name"]

Option = int | str
"""The value of an option."""

CHOICES: Mapping[str, tuple[str, ...]] = {"shortcut": ("A", "B", "C")}
"""The words that an option may have; every option that is not here takes a number."""


class Network(Struct, frozen=True, kw_only=True):
    """A built-in network."""

    name: str
    family: str
    summary: str
    """What it is and where it comes from, in one line."""
    variant: str = ""
    """Which network it is, where the name means different ones to different people."""
    builder: str
    """The class that builds it, as ``module:Class`` under ``resflops.models``."""
    arguments: dict[str, Any] = {}
    """Fixed arguments of the builder."""
    options: dict[str, Option]
    """Arguments of the builder that a spec may set, with their defaults."""
    input_shape: Shape
    """Channels, height and width of its usual input."""


IMAGENET: Shape = (3, 224, 224)
CIFAR: Shape = (3, 32, 32)
IMAGENET_OPTIONS: dict[str, Option] = {"in_channels": 3, "num_classes": 1000}
CIFAR_OPTIONS: dict[str, Option] = {"in_channels": 3, "num_classes": 10}

V1 = "v1, as in the paper: a bottleneck has its stride in the first 1×1; torchvision's {name} is {name}_v1_5"
V1_5 = "v1.5, as in torchvision: a bottleneck has its stride in the 3×3; the paper's is {name} (v1)"
IN_3X3 = "a bottleneck has its stride in the 3×3, as in the authors' code and torchvision"

DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
"""Number of layers of an ImageNet network to the units in each of its stages."""


def _choose_block(layers: int) -> str:
    """Choose the block: on ImageNet, networks of fifty layers and more have bottlenecks."""
    return "basic" if layers < 50 else "bottleneck"


def _list_resnets() -> Iterator[Network]:
    """List the ResNets of He et al. 2015 on ImageNet, and the v1.5 that most people run."""
    for layers in (18, 34, 50, 101, 152):
        name = f"resnet{layers}"
        ours = Network(
            name=name,
            family="ResNet",
            summary=f"ResNet-{layers} on ImageNet (He et al. 2015, arXiv 1512.03385)",
            variant=V1.format(name=name) if layers >= 50 else "",
            builder="resnet:ResNet",
            arguments={"block": _choose_block(layers), "depths": DEPTHS[layers]},
            options={"shortcut": "B", **IMAGENET_OPTIONS},
            input_shape=IMAGENET,
        )
        yield ours
        if layers >= 50:
            yield replace(
                ours,
                name=f"{name}_v1_5",
                summary=f"ResNet-{layers} v1.5 on ImageNet (after He et al. 2015, arXiv 1512.03385)",
                variant=V1_5.format(name=name),
                arguments={**ours.arguments, "strided": "conv2"},
            )


def _list_plain() -> Iterator[Network]:
    """List the plain networks of He et al. 2015: ResNets without shortcuts."""
    for layers in (18, 34):
        yield Network(
            name=f"plain{layers}",
            family="Plain",
            summary=f"plain-{layers}: ResNet-{layers} without shortcuts (He et al. 2015, arXiv 1512.03385)",
            builder="resnet:ResNet",
            arguments={"block": "basic", "depths": DEPTHS[layers], "shortcut": "none"},
            options=IMAGENET_OPTIONS,
            input_shape=IMAGENET,
        )


def _list_cifar_resnets() -> Iterator[Network]:
    """List the ResNets of He et al. 2015, section 4.2, of 6n + 2 layers."""
    for layers in (20, 32, 44, 56, 110, 1202):
        yield Network(
            name=f"resnet{layers}",
            family="ResNet (CIFAR)",
            summary=f"ResNet-{layers} on CIFAR-10 (He et al. 2015, arXiv 1512.03385)",
            builder="cifar:CifarResNet",
            arguments={"block": "basic", "depths": ((layers - 2) // 6,) * 3},
            options={"shortcut": "A", **CIFAR_OPTIONS},
            input_shape=CIFAR,
        )


def _list_preact_resnets() -> Iterator[Network]:
    """List the networks of He et al. 2016; those on CIFAR have 6n + 2 layers, or 9n + 2 with bottlenecks."""
    for layers, block, units in ((110, "basic", 18), (164, "bottleneck", 18), (1001, "bottleneck", 111)):
        yield Network(
            name=f"preact_resnet{layers}",
            family="Pre-activation ResNet (CIFAR)",
            summary=f"Pre-activation ResNet-{layers} on CIFAR-10 (He et al. 2016, arXiv 1603.05027)",
            variant=(
                "a bottleneck has its stride in the first 1×1, as in the authors' code"
                if block == "bottleneck"
                else "basic blocks and shortcut A, as in He et al. 2015"
            ),
            builder="preact:CifarPreActResNet",
            arguments={"block": block, "depths": (units,) * 3, "projection": block == "bottleneck"},
            options=CIFAR_OPTIONS,
            input_shape=CIFAR,
        )
    for layers, depths in DEPTHS.items():
        yield Network(
            name=f"preact_resnet{layers}",
            family="Pre-activation ResNet",
            summary=f"Pre-activation ResNet-{layers} on ImageNet (He et al. 2016, arXiv 1603.05027)",
            variant="a bottleneck has its stride in the 3×3" if layers >= 50 else "",
            builder="preact:PreActResNet",
            arguments={"block": _choose_block(layers), "depths": depths},
            options=IMAGENET_OPTIONS,
            input_shape=IMAGENET,
        )


def _list_wide_resnets() -> Iterator[Network]:
    """List the networks of Zagoruyko & Komodakis 2016, of 6n + 4 layers, k times as wide."""
    for layers, widen in ((16, 4), (16, 8), (40, 4), (28, 10)):
        yield Network(
            name=f"wrn_{layers}_{widen}",
            family="Wide ResNet (CIFAR)",
            summary=f"WRN-{layers}-{widen} on CIFAR-10 (Zagoruyko & Komodakis 2016, arXiv 1605.07146)",
            builder="preact:CifarPreActResNet",
            arguments={"block": "basic", "depths": ((layers - 4) // 6,) * 3, "widen": widen},
            options=CIFAR_OPTIONS,
            input_shape=CIFAR,
        )
    yield Network(
        name="wide_resnet50_2",
        family="Wide ResNet",
        summary="WRN-50-2-bottleneck on ImageNet (Zagoruyko & Komodakis 2016, arXiv 1605.07146)",
        variant=IN_3X3,
        builder="resnet:ResNet",
        arguments={
            "block": "bottleneck",
            "depths": DEPTHS[50],
            "strided": "conv2",
            "width_per_group": 128,
        },
        options={"shortcut": "B", **IMAGENET_OPTIONS},
        input_shape=IMAGENET,
    )


def _list_resnexts() -> Iterator[Network]:
    """List the networks of Xie et al. 2016, named by cardinality × width of one group."""
    for layers, groups, width in ((50, 32, 4), (101, 32, 4), (101, 64, 4)):
        yield Network(
            name=f"resnext{layers}_{groups}x{width}d",
            family="ResNeXt",
            summary=f"ResNeXt-{layers} ({groups}×{width}d) on ImageNet (Xie et al. 2016, arXiv 1611.05431)",
            variant=IN_3X3,
            builder="resnet:ResNet",
            arguments={
                "block": "bottleneck",
                "depths": DEPTHS[layers],
                "strided": "conv2",
                "groups": groups,
                "width_per_group": width,
            },
            options={"shortcut": "B", **IMAGENET_OPTIONS},
            input_shape=IMAGENET,
        )
    for groups in (8, 16):
        yield Network(
            name=f"resnext29_{groups}x64d",
            family="ResNeXt (CIFAR)",
            summary=f"ResNeXt-29 ({groups}×64d) on CIFAR-10 (Xie et al. 2016, arXiv 1611.05431)",
            variant="a bottleneck has its stride in the 3×3, as in the authors' code",
            builder="cifar:CifarResNet",
            arguments={"block": "bottleneck", "depths": (3, 3, 3), "width": 64, "groups": groups},
            options={"shortcut": "B", **CIFAR_OPTIONS},
            input_shape=CIFAR,
        )


def _list_keras_resnets() -> Iterator[Network]:
    """List the ResNets of Keras Applications, both versions, and a ResNet-18 for CIFAR as in TensorFlow."""
    for layers in (50, 101, 152):
        for version, name, variant in (
            ("", f"keras_resnet{layers}", "stride in the first 1×1 of a bottleneck"),
            ("V2", f"keras_resnet{layers}_v2", "pre-activation; stride in the 3×3 of a stage's last unit"),
        ):
            yield Network(
                name=name,
                family="Keras ResNet",
                summary=f"ResNet{layers}{version} of Keras Applications, without its softmax",
                variant=f"as in Keras: biases in convolutions, {variant}",
                builder=f"keras:KerasResNet{version}",
                arguments={"depths": DEPTHS[layers]},
                options=IMAGENET_OPTIONS,
                input_shape=IMAGENET,
            )
    yield Network(
        name="tf_resnet18_cifar",
        family="TensorFlow ResNet (CIFAR)",
        summary="ResNet-18 on CIFAR-100 as written in TensorFlow: 'same' padding, biases in convolutions",
        variant="a stem of 3×3 without padding, a 2×2 pooling of stride 1, projections without BatchNorm",
        builder="tf_cifar:TensorFlowCifarResNet",
        arguments={"depths": DEPTHS[18]},
        options={"in_channels": 3, "num_classes": 100},
        input_shape=CIFAR,
    )


def _list_vggs() -> Iterator[Network]:
    """List the networks of Simonyan & Zisserman 2014, Table 1, each also with BatchNorm."""
    for name, letter, arguments in (
        ("vgg11", "A", {"depths": (1, 1, 2, 2, 2)}),
        ("vgg11_lrn", "A-LRN", {"depths": (1, 1, 2, 2, 2), "local_response_norm": True}),
        ("vgg13", "B", {"depths": (2, 2, 2, 2, 2)}),
        ("vgg16_c", "C", {"depths": (2, 2, 3, 3, 3), "pointwise_third": True}),
        ("vgg16", "D", {"depths": (2, 2, 3, 3, 3)}),
        ("vgg19", "E", {"depths": (2, 2, 4, 4, 4)}),
    ):
        plain = Network(
            name=name,
            family="VGG",
            summary=f"VGG configuration {letter} (Simonyan & Zisserman 2014, arXiv 1409.1556)",
            variant="configuration D; the other network of 16 layers, C, is vgg16_c" if letter == "D" else "",
            builder="vgg:VGG",
            arguments=arguments,
            options=IMAGENET_OPTIONS,
            input_shape=IMAGENET,
        )
        yield plain
        yield replace(
            plain,
            name=f"{name}_bn",
            summary=f"VGG configuration {letter} with BatchNorm (after arXiv 1409.1556)",
            arguments={**arguments, "batch_norm": True},
        )


def index_by_name(networks: Iterable[Network]) -> dict[str, Network]:
    """Index networks by their names, of which no two may be equal."""
    named: dict[str, Network] = {}
    for network in networks:
        if network.name in named:
            raise DuplicateError(
                f"two networks are named {network.name!r} in the catalog; rename or remove one of them"
            )
        named[network.name] = network
    return named


NETWORKS: Mapping[str, Network] = index_by_name(
    (
        *_list_resnets(),
        *_list_plain(),
        *_list_cifar_resnets(),
        *_list_preact_resnets(),
        *_list_wide_resnets(),
        *_list_resnexts(),
        *_list_keras_resnets(),
        *_list_vggs(),
    )
)
"""Every built-in network by its name, in the order of the papers."""
