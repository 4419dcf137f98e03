"""Pre-activation ResNet (arXiv 1603.05027) and Wide ResNet on CIFAR (1605.07146).

BatchNorm and ReLU come before each convolution, so nothing comes between one addition and the next. Every
unit is the same, even the first one after the stem. A projection has no BatchNorm of its own: its input is
the output of the unit's first BatchNorm and ReLU.
"""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from resflops.models.blocks import (
    CIFAR_STAGES,
    IMAGENET_STAGES,
    BlockName,
    MakeUnit,
    Strided,
    Unit,
    ZeroPaddedIdentity,
    build_stages,
    conv1x1,
    conv3x3,
    initialise,
    list_strides,
)

__all__ = ["CifarPreActResNet", "PreActBottleneck", "PreActResNet"]


class PreActUnit(Unit):
    """A unit of BatchNorm, ReLU and convolutions, with the addition last."""

    bn1: nn.BatchNorm2d
    relu: nn.ReLU
    downsample: nn.Module

    def residual(self, activated: Tensor) -> Tensor:
        """Compute what is added to the shortcut, from the input after BatchNorm and ReLU."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual to the shortcut."""
        activated = self.relu(self.bn1(x))
        projects = isinstance(self.downsample, nn.Conv2d)
        shortcut: Tensor = self.downsample(activated if projects else x)
        return self.residual(activated) + shortcut


class PreActBasicBlock(PreActUnit):
    """The unit of two 3×3 convolutions."""

    def __init__(self, in_channels: int, width: int, *, stride: int = 1, projection: bool = True) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = conv3x3(in_channels, width, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.downsample: nn.Module = nn.Identity()
        if in_channels != width and projection:
            self.downsample = conv1x1(in_channels, width, stride=stride)
        elif in_channels != width:
            self.downsample = ZeroPaddedIdentity(width - in_channels, stride=stride)

    def residual(self, activated: Tensor) -> Tensor:
        """Apply 3×3 and 3×3 convolutions."""
        x = self.conv1(activated)
        out: Tensor = self.conv2(self.relu(self.bn2(x)))
        return out


class PreActBottleneck(PreActUnit):
    """The unit of 1×1, 3×3 and 1×1 convolutions.

    ``bias`` is for the last one and for the projection, which have one in Keras.
    """

    expansion = 4

    def __init__(
        self, in_channels: int, width: int, *, stride: int = 1, strided: Strided = "conv2", bias: bool = False
    ) -> None:
        super().__init__()
        outer = width * self.expansion
        first, second = (stride, 1) if strided == "conv1" else (1, stride)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = conv1x1(in_channels, width, stride=first)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride=second)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, outer, bias=bias)
        self.downsample: nn.Module = nn.Identity()
        if in_channels != outer:
            self.downsample = conv1x1(in_channels, outer, stride=stride, bias=bias)
        elif stride != 1:
            # Only Keras strides without changing the number of channels, and it does so by a pooling of 1×1.
            self.downsample = nn.MaxPool2d(1, stride=stride)

    def residual(self, activated: Tensor) -> Tensor:
        """Apply 1×1, 3×3 and 1×1 convolutions."""
        x = self.conv1(activated)
        x = self.conv2(self.relu(self.bn2(x)))
        out: Tensor = self.conv3(self.relu(self.bn3(x)))
        return out


class PreActResNet(nn.Module):
    """The ImageNet network: ResNet's stem and head, with a BatchNorm and a ReLU after the last stage."""

    resflops_stages: ClassVar[dict[str, str]] = IMAGENET_STAGES | {
        "final_bn": "conv5_x",
        "final_relu": "conv5_x",
    }

    def __init__(
        self, *, block: BlockName, depths: tuple[int, ...], in_channels: int = 3, num_classes: int = 1000
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        make: MakeUnit = PreActBasicBlock if block == "basic" else PreActBottleneck
        layers, channels = build_stages(make, 64, (64, 128, 256, 512), list_strides(depths))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.final_bn = nn.BatchNorm2d(channels)
        self.final_relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = self.final_relu(self.final_bn(x))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits


class CifarPreActResNet(nn.Module):
    """The CIFAR network: a bare 3×3 stem and three stages, ``widen`` times as wide in a Wide ResNet.

    A bottleneck has its stride in the first 1×1, as in the authors' code.
    """

    resflops_stages: ClassVar[dict[str, str]] = CIFAR_STAGES | {
        "final_bn": "conv4_x",
        "final_relu": "conv4_x",
    }

    def __init__(
        self,
        *,
        block: BlockName,
        depths: tuple[int, ...],
        widen: int = 1,
        projection: bool = True,
        in_channels: int = 3,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, 16)
        make: MakeUnit = partial(PreActBottleneck, strided="conv1")
        if block == "basic":
            make = partial(PreActBasicBlock, projection=projection)
        widths = (16 * widen, 32 * widen, 64 * widen)
        layers, channels = build_stages(make, 16, widths, list_strides(depths))
        self.layer1, self.layer2, self.layer3 = layers
        self.final_bn = nn.BatchNorm2d(channels)
        self.final_relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        x = self.final_relu(self.final_bn(x))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
