"""ResNet and ResNet V2 as Keras Applications builds them, but without the softmax at the end.

Their convolutions have biases, even before a BatchNorm. Keras's BatchNorm does not count batches, so
parameters and buffers add up to what Keras calls "total params".
"""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from resflops.models.blocks import IMAGENET_STAGES, build_stages, initialise
from resflops.models.preact import PreActBottleneck
from resflops.models.resnet import ResNet

__all__ = ["KerasResNet", "KerasResNetV2", "use_keras_norms"]


def use_keras_norms(model: nn.Module, *, eps: float) -> None:
    """Give every BatchNorm Keras's settings: momentum 0.99 as Keras defines it, and no counter of batches."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
            # Keras's momentum is the share of the old value, torch's that of the new one.
            module.momentum = 0.01
            module.num_batches_tracked = None


def _build_zero_padded_pool() -> nn.Sequential:
    """Build Keras's pooling, which pads with zeros.

    PyTorch pads with minus infinity, which gives other values unless a ReLU comes before.
    """
    return nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, stride=2))


class KerasResNet(ResNet):
    """The paper's bottleneck network, with its stride in the first 1×1 and a bias in every convolution."""

    def __init__(self, *, depths: tuple[int, ...], in_channels: int = 3, num_classes: int = 1000) -> None:
        super().__init__(
            block="bottleneck", depths=depths, bias=True, in_channels=in_channels, num_classes=num_classes
        )
        self.maxpool = _build_zero_padded_pool()
        use_keras_norms(self, eps=1.001e-5)


class KerasResNetV2(nn.Module):
    """A network of pre-activation units. A stage strides in its last unit, and the last stage not at all."""

    resflops_stages: ClassVar[dict[str, str]] = IMAGENET_STAGES | {
        "final_bn": "conv5_x",
        "final_relu": "conv5_x",
    }

    def __init__(self, *, depths: tuple[int, ...], in_channels: int = 3, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3)
        self.maxpool = _build_zero_padded_pool()
        strides = [[1] * (depth - 1) + [2] for depth in depths[:-1]] + [[1] * depths[-1]]
        layers, channels = build_stages(
            partial(PreActBottleneck, bias=True), 64, (64, 128, 256, 512), strides
        )
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.final_bn = nn.BatchNorm2d(channels)
        self.final_relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)
        use_keras_norms(self, eps=1.001e-5)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.maxpool(self.conv1(x))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = self.final_relu(self.final_bn(x))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
