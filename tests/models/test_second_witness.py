"""A second count of every built-in network, made from the architecture's numbers and without torch.

It knows what the papers say of a network (units, widths, strides, kernels) and school
arithmetic, and shares no code with the tracer or the models. Layer by layer it must
give what the trace gives: multiply-accumulates and parameters.
"""

import pytest

import resflops
from resflops.models import NETWORKS


class Witness:
    """Goes through a network with the size of the image in hand, and writes every layer down."""

    def __init__(self, size, channels=3):
        self.size, self.channels, self.layers = size, channels, {}

    def conv(self, name, out, kernel, *, stride=1, padding=None, groups=1, bias=False, into=None):
        """Into another place than the image in hand, ``into`` is what goes in: size and channels."""
        size, channels = into or (self.size, self.channels)
        padding = kernel // 2 if padding is None else padding
        size = (size + 2 * padding - kernel) // stride + 1
        taps = kernel * kernel * channels // groups
        self.layers[name] = (size * size * out * taps, out * (taps + bias))
        if into is None:
            self.size, self.channels = size, out
        return size, out

    def norm(self, name, channels=None):
        self.layers[name] = (0, 2 * (channels or self.channels))

    def pool(self, kernel, stride, padding=0):
        self.size = (self.size + 2 * padding - kernel) // stride + 1

    def linear(self, name, out, given=None):
        given = given or self.channels
        self.layers[name] = (given * out, given * out + out)


UNITS = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3),
}  # fmt: skip
IMAGENET = (64, 128, 256, 512)


def unit_places(depths, widths):
    """Stage, unit, width and stride of every unit where stages but the first begin with a stride of two."""
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        for unit in range(depth):
            yield f"layer{stage + 1}.{unit}", width, 2 if stage and not unit else 1


def residual(
    witness,
    depths,
    widths,
    *,
    bottleneck,
    shortcut="B",
    strided=1,
    inner=lambda width: width,
    groups=1,
    bias=False,
):
    """Post-activation units: ``strided`` is the convolution of a bottleneck that has the stride."""
    for place, width, stride in unit_places(depths, widths):
        into = (witness.size, witness.channels)
        outer = 4 * width if bottleneck else width
        if bottleneck:
            kernels = ((1, inner(width), 1), (3, inner(width), groups), (1, outer, 1))
        else:
            kernels, strided = ((3, width, 1), (3, width, 1)), 1
        for number, (kernel, out, parts) in enumerate(kernels, start=1):
            witness.conv(
                f"{place}.conv{number}",
                out,
                kernel,
                stride=stride if number == strided else 1,
                groups=parts,
                bias=bias,
            )
            witness.norm(f"{place}.bn{number}")
        changes = stride > 1 or into[1] != outer
        if shortcut == "C" or (shortcut == "B" and changes):
            witness.conv(f"{place}.downsample.0", outer, 1, stride=stride, padding=0, bias=bias, into=into)
            witness.norm(f"{place}.downsample.1", outer)


def stem(witness, *, bias=False, norm=True):
    witness.conv("conv1", 64, 7, stride=2, bias=bias)
    if norm:
        witness.norm("bn1")
    witness.pool(3, 2, 1)


def resnet(depth, *, classes=1000, **how):
    witness = Witness(224)
    stem(witness, bias=how.get("bias", False))
    residual(witness, UNITS[depth], IMAGENET, bottleneck=depth >= 50, **how)
    witness.linear("fc", classes)
    return witness.layers


def cifar_resnet(units, *, widths=(16, 32, 64), **how):
    witness = Witness(32)
    witness.conv("conv1", widths[0], 3)
    witness.norm("bn1")
    residual(witness, (units,) * 3, widths, **{"bottleneck": False, "shortcut": "A", **how})
    witness.linear("fc", 10)
    return witness.layers


def pre_activation(witness, places, *, bottleneck, strided=1, projection=True, bias=False):
    """Norms before convolutions; a projection has no norm, and stands where the channels change."""
    for place, width, stride in places:
        into = (witness.size, witness.channels)
        outer = 4 * width if bottleneck else width
        kernels = (
            ((1, width, 0), (3, width, 0), (1, outer, bias)) if bottleneck else ((3, width, 0), (3, width, 0))
        )
        for number, (kernel, out, biased) in enumerate(kernels, start=1):
            witness.norm(f"{place}.bn{number}")
            witness.conv(
                f"{place}.conv{number}", out, kernel, stride=stride if number == strided else 1, bias=biased
            )
        if into[1] != outer and projection:
            witness.conv(f"{place}.downsample", outer, 1, stride=stride, padding=0, bias=bias, into=into)
    witness.norm("final_bn")


def preact_resnet(depth):
    witness = Witness(224)
    stem(witness)
    pre_activation(
        witness, unit_places(UNITS[depth], IMAGENET), bottleneck=depth >= 50, strided=2 if depth >= 50 else 1
    )
    witness.linear("fc", 1000)
    return witness.layers


def cifar_preact(units, *, bottleneck=False, widen=1, projection=True):
    witness = Witness(32)
    witness.conv("conv1", 16, 3)
    widths = (16 * widen, 32 * widen, 64 * widen)
    pre_activation(witness, unit_places((units,) * 3, widths), bottleneck=bottleneck, projection=projection)
    witness.linear("fc", 10)
    return witness.layers


def keras_v2(depth):
    """The stride is in the last unit of a stage, in its 3×3; the last stage has none."""
    witness = Witness(224)
    stem(witness, bias=True, norm=False)
    places = [
        (f"layer{stage + 1}.{unit}", IMAGENET[stage], 2 if stage < 3 and unit == units - 1 else 1)
        for stage, units in enumerate(UNITS[depth])
        for unit in range(units)
    ]
    pre_activation(witness, places, bottleneck=True, strided=2, bias=True)
    witness.linear("fc", 1000)
    return witness.layers


def tensorflow_cifar():
    """'Same' padding: an output is the input over the stride, rounded up."""
    witness = Witness(32)
    witness.conv("conv1", 64, 3, padding=0, bias=True)
    witness.norm("bn1")
    witness.pool(2, 1)
    for place, width, stride in unit_places(UNITS[18], IMAGENET):
        into, size = (witness.size, witness.channels), -(-witness.size // stride)
        for number, given in ((1, into[1]), (2, width)):
            witness.layers[f"{place}.conv{number}"] = (
                size * size * width * 9 * given,
                width * (9 * given + 1),
            )
            witness.norm(f"{place}.bn{number}", width)
        if stride > 1:
            witness.conv(f"{place}.downsample", width, 1, stride=2, padding=0, bias=True, into=into)
        witness.size, witness.channels = size, width
    witness.linear("fc", 100)
    return witness.layers


VGG = {
    "vgg11": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "vgg11_lrn": "64 LRN M 128 M 256 256 M 512 512 M 512 512 M",
    "vgg13": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    "vgg16_c": "64 64 M 128 128 M 256 256 256@1 M 512 512 512@1 M 512 512 512@1 M",
    "vgg16": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "vgg19": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}
"""Table 1 of arXiv 1409.1556; 256@1 is a 1×1 convolution."""


def vgg(name):
    norm = name.endswith("_bn")
    witness, place = Witness(224), 0
    for word in VGG[name.removesuffix("_bn")].split():
        if word == "M":
            witness.pool(2, 2)
        elif word != "LRN":
            width, _, kernel = word.partition("@")
            witness.conv(f"features.{place}", int(width), int(kernel or 3), bias=True)
            if norm:
                witness.norm(f"features.{place + 1}")
            place += 1 + norm  # The activation has a place of its own.
        place += 1
    witness.linear("classifier.0", 4096, 512 * 7 * 7)
    witness.linear("classifier.3", 4096, 4096)
    witness.linear("classifier.6", 1000, 4096)
    return witness.layers


def wide(width):
    return 2 * width


ARCHITECTURES = {
    **{f"resnet{depth}": lambda depth=depth: resnet(depth) for depth in UNITS if depth < 200},
    **{f"resnet34,shortcut={option}": lambda option=option: resnet(34, shortcut=option) for option in "AC"},
    "resnet50,shortcut=A,num_classes=10": lambda: resnet(50, shortcut="A", classes=10),
    **{f"resnet{depth}_v1_5": lambda depth=depth: resnet(depth, strided=2) for depth in (50, 101, 152)},
    **{f"plain{depth}": lambda depth=depth: resnet(depth, shortcut="none") for depth in (18, 34)},
    **{f"resnet{6 * n + 2}": lambda n=n: cifar_resnet(n) for n in (3, 5, 7, 9, 18, 200)},
    "preact_resnet110": lambda: cifar_preact(18, projection=False),
    "preact_resnet164": lambda: cifar_preact(18, bottleneck=True),
    "preact_resnet1001": lambda: cifar_preact(111, bottleneck=True),
    **{f"preact_resnet{depth}": lambda depth=depth: preact_resnet(depth) for depth in UNITS},
    **{
        f"wrn_{6 * n + 4}_{k}": lambda n=n, k=k: cifar_preact(n, widen=k)
        for n, k in ((2, 4), (2, 8), (6, 4), (4, 10))
    },
    "wide_resnet50_2": lambda: resnet(50, strided=2, inner=wide),
    "resnext50_32x4d": lambda: resnet(50, strided=2, groups=32, inner=lambda width: width // 64 * 4 * 32),
    "resnext101_32x4d": lambda: resnet(101, strided=2, groups=32, inner=lambda width: width // 64 * 4 * 32),
    "resnext101_64x4d": lambda: resnet(101, strided=2, groups=64, inner=lambda width: width // 64 * 4 * 64),
    **{
        f"resnext29_{groups}x64d": lambda groups=groups: cifar_resnet(
            3,
            widths=(64, 128, 256),
            bottleneck=True,
            shortcut="B",
            strided=2,
            groups=groups,
            inner=lambda width: width * groups,
        )
        for groups in (8, 16)
    },
    **{f"keras_resnet{depth}": lambda depth=depth: resnet(depth, bias=True) for depth in (50, 101, 152)},
    **{f"keras_resnet{depth}_v2": lambda depth=depth: keras_v2(depth) for depth in (50, 101, 152)},
    "tf_resnet18_cifar": tensorflow_cifar,
    **{name: lambda name=name: vgg(name) for base in VGG for name in (base, f"{base}_bn")},
}


def test_every_built_in_network_has_a_witness():
    assert {spec.partition(",")[0] for spec in ARCHITECTURES} == set(NETWORKS)


@pytest.mark.parametrize("spec", ARCHITECTURES)
def test_the_architecture_alone_gives_what_the_trace_gives_layer_by_layer(spec):
    name = spec.partition(",")[0]
    cost = resflops.count(resflops.load(spec), (1, *NETWORKS[name].input_shape))
    traced = {row.name: (row.macs, row.params) for row in cost.layers if row.macs or row.params}
    witnessed = ARCHITECTURES[spec]()
    assert traced == witnessed
    assert cost.macs == sum(macs for macs, _ in witnessed.values())
    assert cost.params == sum(params for _, params in witnessed.values())
