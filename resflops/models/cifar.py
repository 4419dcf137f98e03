"""ResNet and ResNeXt on CIFAR (arXiv 1512.03385, section 4.2; 1611.05431, section 5.3)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from resflops.models.blocks import (
    CIFAR_STAGES,
    BlockName,
    ShortcutName,
    build_stages,
    conv3x3,
    initialise,
    list_strides,
    make_block_maker,
)

__all__ = ["CifarResNet"]


class CifarResNet(nn.Module):
    """A network of a 3×3 stem, three stages of blocks, a global average and one linear layer."""

    resflops_stages: ClassVar[dict[str, str]] = CIFAR_STAGES

    def __init__(
        self,
        *,
        block: BlockName,
        depths: tuple[int, ...],
        width: int = 16,
        shortcut: ShortcutName = "A",
        groups: int = 1,
        in_channels: int = 3,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        make = make_block_maker(block, shortcut=shortcut, strided="conv2", groups=groups)
        layers, channels = build_stages(make, width, (width, 2 * width, 4 * width), list_strides(depths))
        self.layer1, self.layer2, self.layer3 = layers
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
