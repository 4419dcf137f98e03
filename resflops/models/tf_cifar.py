"""A ResNet-18 for CIFAR-100 as TensorFlow users write it, with 'same' padding and biases everywhere."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from resflops.models.blocks import IMAGENET_STAGES, Block, build_stages, initialise, list_strides
from resflops.models.keras import use_keras_norms

__all__ = ["SamePadding", "TensorFlowCifarResNet"]


class SamePadding(nn.Module):
    """TensorFlow's 'same' padding: zeros with which the next convolution gives ceil(n / stride).

    If their number is odd, the additional one goes to the right and to the bottom. PyTorch's own
    ``padding="same"`` refuses a stride.
    """

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Pad height and width."""
        top, bottom = self.compute_padding(x.shape[2])
        left, right = self.compute_padding(x.shape[3])
        return functional.pad(x, (left, right, top, bottom))

    def compute_padding(self, size: int) -> tuple[int, int]:
        """Compute how many zeros go before and after.

        >>> SamePadding(3, stride=2).compute_padding(8)
        (0, 1)
        >>> SamePadding(3, stride=2).compute_padding(15)
        (1, 1)
        """
        outputs = -(-size // self.stride)
        total = max((outputs - 1) * self.stride + self.kernel - size, 0)
        return total // 2, total - total // 2

    def extra_repr(self) -> str:
        """Give what ``print`` shows in the brackets."""
        return f"kernel={self.kernel}, stride={self.stride}"


class SameBlock(Block):
    """A basic block with biases, whose projection has no BatchNorm and exists only if the block strides."""

    def __init__(self, in_channels: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.pad1 = SamePadding(3, stride=stride)
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pad2 = SamePadding(3, stride=1)
        self.conv2 = nn.Conv2d(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = nn.Conv2d(in_channels, width, 1, stride=stride) if stride > 1 else nn.Identity()

    def residual(self, x: Tensor) -> Tensor:
        """Apply 3×3 and 3×3 convolutions."""
        x = self.relu(self.bn1(self.conv1(self.pad1(x))))
        out: Tensor = self.bn2(self.conv2(self.pad2(x)))
        return out


class TensorFlowCifarResNet(nn.Module):
    """A network of a 3×3 stem without padding, a 2×2 pooling of stride 1, and four stages.

    The image shrinks from 32 to 30 in the stem, to 29 in the pooling, and to 15, 8 and 4 in the last stages.
    """

    resflops_stages: ClassVar[dict[str, str]] = IMAGENET_STAGES

    def __init__(self, *, depths: tuple[int, ...], in_channels: int = 3, num_classes: int = 100) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(2, stride=1)
        layers, channels = build_stages(SameBlock, 64, (64, 128, 256, 512), list_strides(depths))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)
        use_keras_norms(self, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
