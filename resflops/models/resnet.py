"""ResNet on ImageNet (arXiv 1512.03385), and the networks that differ from it by their arguments alone.

Plain networks have no shortcuts, ResNeXt (1611.05431) has groups, the wide bottleneck (1605.07146) has a
larger inner width, and "v1.5" has its stride in the 3×3.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from resflops.models.blocks import (
    IMAGENET_STAGES,
    BlockName,
    ShortcutName,
    Strided,
    build_stages,
    initialise,
    list_strides,
    make_block_maker,
)

__all__ = ["ResNet"]


class ResNet(nn.Module):
    """A network of a 7×7 stem and a pooling, four stages of blocks, a global average and one linear layer.

    ``state_dict`` keys and shapes are torchvision's.
    """

    resflops_stages: ClassVar[dict[str, str]] = IMAGENET_STAGES

    def __init__(
        self,
        *,
        block: BlockName,
        depths: tuple[int, ...],
        shortcut: ShortcutName = "B",
        strided: Strided = "conv1",
        groups: int = 1,
        width_per_group: int = 64,
        bias: bool = False,
        in_channels: int = 3,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=bias)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        # Any module, since KerasResNet puts a pooling of its own here.
        self.maxpool: nn.Module = nn.MaxPool2d(3, stride=2, padding=1)
        make = make_block_maker(
            block,
            shortcut=shortcut,
            strided=strided,
            groups=groups,
            width_per_group=width_per_group,
            bias=bias,
        )
        layers, channels = build_stages(make, 64, (64, 128, 256, 512), list_strides(depths))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
