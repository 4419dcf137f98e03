"""VGG (arXiv 1409.1556), configurations A, A-LRN, B, C, D and E of its Table 1."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from resflops.models.blocks import initialise

__all__ = ["VGG"]

WIDTHS = (64, 128, 256, 512, 512)

CLASSIFIER_STAGES = {
    "avgpool": "fc6",
    "classifier.0": "fc6",
    "classifier.1": "fc6",
    "classifier.2": "fc6",
    "classifier.3": "fc7",
    "classifier.4": "fc7",
    "classifier.5": "fc7",
    "classifier.6": "fc8",
}


class VGG(nn.Module):
    """A network of five blocks of convolutions, each of which ends in a pooling, and three linear layers.

    ``depths`` is the number of convolutions in each block. In configuration C the third convolution of a
    block is a 1×1 (``pointwise_third``). A-LRN normalises across channels once, with AlexNet's parameters.
    ``state_dict`` keys and shapes are torchvision's.
    """

    def __init__(
        self,
        *,
        depths: tuple[int, ...],
        pointwise_third: bool = False,
        local_response_norm: bool = False,
        batch_norm: bool = False,
        in_channels: int = 3,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        features: list[nn.Module] = []
        blocks: list[int] = []
        for block, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), start=1):
            for index in range(depth):
                kernel = 1 if pointwise_third and index == 2 else 3
                features += _build_convolution(in_channels, width, kernel=kernel, batch_norm=batch_norm)
                in_channels = width
            if local_response_norm and block == 1:
                # AlexNet's alpha of 1e-4 is for each neighbour; torch divides alpha by their number, 5.
                features.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
            features.append(nn.MaxPool2d(2, stride=2))
            blocks += [block] * (len(features) - len(blocks))
        self._blocks = tuple(blocks)
        self.features = nn.Sequential(*features)
        # Changes nothing at 224×224; torchvision has it, so that other sizes fit the classifier, too.
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, num_classes),
        )
        initialise(self)

    @property
    def resflops_stages(self) -> dict[str, str]:
        """The paper's names of its parts, by path."""
        return _name_stages(self._blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = self.avgpool(self.features(x))
        logits: Tensor = self.classifier(torch.flatten(x, 1))
        return logits


def _build_convolution(in_channels: int, width: int, *, kernel: int, batch_norm: bool) -> list[nn.Module]:
    """Build a convolution that keeps the size of the image, and its activation."""
    convolution = nn.Conv2d(in_channels, width, kernel, padding=kernel // 2)
    norm = [nn.BatchNorm2d(width)] if batch_norm else []
    return [convolution, *norm, nn.ReLU(inplace=True)]


# Every count asks for it.
@lru_cache
def _name_stages(blocks: tuple[int, ...]) -> dict[str, str]:
    """Name the stages, given the block of each layer of ``features``."""
    return CLASSIFIER_STAGES | {f"features.{index}": f"conv{block}_x" for index, block in enumerate(blocks)}
