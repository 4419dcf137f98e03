"""The parts of the networks: residual units, shortcuts, stages and initial weights.

Attribute names are torchvision's, so that its weights load.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "CIFAR_STAGES",
    "IMAGENET_STAGES",
    "BasicBlock",
    "Block",
    "BlockName",
    "Bottleneck",
    "MakeUnit",
    "ShortcutName",
    "Strided",
    "Unit",
    "ZeroPaddedIdentity",
    "build_stages",
    "conv1x1",
    "conv3x3",
    "initialise",
    "list_strides",
    "make_block_maker",
]

BlockName = Literal["basic", "bottleneck"]
"""The convolutions of a block: two of 3×3, or 1×1, 3×3 and 1×1."""

ShortcutName = Literal["A", "B", "C", "none"]
"""He et al. 2015, section 4.1: A pads with zeros; B projects where the shape changes, C everywhere."""

Strided = Literal["conv1", "conv2"]
"""Which convolution of a bottleneck has the stride: its first 1×1 (v1) or its 3×3 (v1.5)."""

IMAGENET_STAGES = {
    "conv1": "conv1",
    "bn1": "conv1",
    "relu": "conv1",
    "maxpool": "conv2_x",
    "layer1": "conv2_x",
    "layer2": "conv3_x",
    "layer3": "conv4_x",
    "layer4": "conv5_x",
    "avgpool": "fc",
    "fc": "fc",
}
"""Module path to the name of its stage in Table 1 of arXiv 1512.03385, where the pooling opens conv2_x."""

CIFAR_STAGES = {
    "conv1": "conv1",
    "bn1": "conv1",
    "relu": "conv1",
    "layer1": "conv2_x",
    "layer2": "conv3_x",
    "layer3": "conv4_x",
    "avgpool": "fc",
    "fc": "fc",
}
"""The same for the networks of three stages, which have no pooling after the stem."""


def conv3x3(
    in_channels: int, out_channels: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Make a 3×3 convolution with a padding of 1, so that only its stride changes height and width."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, groups=groups, bias=bias)


def conv1x1(in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Make a 1×1 convolution."""
    return nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=bias)


class ZeroPaddedIdentity(nn.Module):
    """Shortcut A: every ``stride``-th pixel, and zeros for the additional channels."""

    def __init__(self, extra_channels: int, *, stride: int) -> None:
        super().__init__()
        self.extra_channels = extra_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Subsample, then append channels of zeros, which takes no parameter and no multiplication."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, 0, self.extra_channels))

    def extra_repr(self) -> str:
        """Give what ``print`` shows in the brackets."""
        return f"extra_channels={self.extra_channels}, stride={self.stride}"


class Unit(nn.Module):
    """A residual unit of any kind: its output has ``width * expansion`` channels."""

    expansion: ClassVar[int] = 1


MakeUnit = Callable[..., Unit]
"""Makes a unit: ``make(in_channels, width, stride=…)``."""


class Block(Unit):
    """A unit of He et al. 2015: convolutions, then the addition, then a ReLU."""

    relu: nn.ReLU
    downsample: nn.Module | None
    """The shortcut; ``None`` in a plain network."""

    def residual(self, x: Tensor) -> Tensor:
        """Compute what is added to the shortcut."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual to the shortcut, and apply the ReLU."""
        out = self.residual(x)
        if self.downsample is not None:
            out = out + self.downsample(x)
        activated: Tensor = self.relu(out)
        return activated


class BasicBlock(Block):
    """The block of two 3×3 convolutions."""

    def __init__(
        self, in_channels: int, width: int, *, stride: int = 1, shortcut: ShortcutName = "B"
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, width, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _build_shortcut(shortcut, in_channels, width, stride=stride)

    def residual(self, x: Tensor) -> Tensor:
        """Apply 3×3 and 3×3 convolutions."""
        x = self.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.bn2(self.conv2(x))
        return out


class Bottleneck(Block):
    """The block of a 1×1 convolution down to the inner width, a 3×3, and a 1×1 up to four times the width.

    ResNeXt's unit and the wide bottleneck differ only in the inner width: ``groups`` times the width of one
    group, which is ``width_per_group`` where ``width`` is 64.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        shortcut: ShortcutName = "B",
        strided: Strided = "conv1",
        groups: int = 1,
        width_per_group: int = 64,
        bias: bool = False,
    ) -> None:
        super().__init__()
        inner, outer = width * width_per_group // 64 * groups, width * self.expansion
        first, second = (stride, 1) if strided == "conv1" else (1, stride)
        self.conv1 = conv1x1(in_channels, inner, stride=first, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, inner, stride=second, groups=groups, bias=bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = conv1x1(inner, outer, bias=bias)
        self.bn3 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _build_shortcut(shortcut, in_channels, outer, stride=stride, bias=bias)

    def residual(self, x: Tensor) -> Tensor:
        """Apply 1×1, 3×3 and 1×1 convolutions."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.bn3(self.conv3(x))
        return out


def _build_shortcut(
    name: ShortcutName, in_channels: int, out_channels: int, *, stride: int, bias: bool = False
) -> nn.Module | None:
    """Build what the input goes through before it is added; None in a plain network."""
    changes = stride != 1 or in_channels != out_channels
    # None is not an Identity: in a plain network nothing is added, not even the input.
    if name == "none":
        return None
    if name == "C" or (name == "B" and changes):
        projection = conv1x1(in_channels, out_channels, stride=stride, bias=bias)
        return nn.Sequential(projection, nn.BatchNorm2d(out_channels))
    return ZeroPaddedIdentity(out_channels - in_channels, stride=stride) if changes else nn.Identity()


def make_block_maker(
    block: BlockName,
    *,
    shortcut: ShortcutName,
    strided: Strided = "conv1",
    groups: int = 1,
    width_per_group: int = 64,
    bias: bool = False,
) -> MakeUnit:
    """Make a maker of blocks of one kind; the arguments after ``shortcut`` are for bottlenecks only."""
    if block == "basic":
        return partial(BasicBlock, shortcut=shortcut)
    return partial(
        Bottleneck,
        shortcut=shortcut,
        strided=strided,
        groups=groups,
        width_per_group=width_per_group,
        bias=bias,
    )


def list_strides(depths: Sequence[int]) -> list[list[int]]:
    """List the stride of every unit, if each stage but the first halves the image in its first unit.

    >>> list_strides((2, 3))
    [[1, 1], [2, 1, 1]]
    """
    return [[1 if stage == 0 else 2] + [1] * (depth - 1) for stage, depth in enumerate(depths)]


def build_stages(
    make: MakeUnit, in_channels: int, widths: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[list[nn.Sequential], int]:
    """Build a stage of units for each width; also give the number of channels of the last one."""
    built = []
    for width, unit_strides in zip(widths, strides, strict=True):
        units = []
        for stride in unit_strides:
            units.append(make(in_channels, width, stride=stride))
            in_channels = width * units[-1].expansion
        built.append(nn.Sequential(*units))
    return built, in_channels


def initialise(model: nn.Module) -> None:
    """Use Kaiming initialisation for convolutions, small weights for the classifier, and zero biases."""
    for module in model.modules():
        # On meta there is nothing to fill, and the calls alone would take as long as building the model.
        if not isinstance(module, nn.Conv2d | nn.Linear) or module.weight.is_meta:
            continue
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.normal_(module.weight, std=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
