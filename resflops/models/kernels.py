"""Convolutions in a row, to compare a few small kernels with one large kernel."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from resflops.records import Shape

__all__ = ["stack"]


def stack(
    *,
    kernel: int = 3,
    channels: Sequence[int] = (64, 64, 64, 64),
    strides: Sequence[int] = (),
    size: int = 224,
) -> tuple[nn.Sequential, Shape]:
    """Build convolutions in a row without biases, a ReLU after each, and give the shape of an image.

    Args:
        kernel: side of every kernel; the padding keeps the size of the image where the stride is one.
        channels: the channels of the image, then those that each convolution gives.
        strides: the stride of each convolution; all one if not given.
        size: side of the image.

    >>> model, shape = stack(kernel=7, channels=(3, 64), strides=(2,))
    >>> [tuple(each.shape) for each in model.parameters()], shape
    ([(64, 3, 7, 7)], (1, 3, 224, 224))
    """
    widths = list(pairwise(channels))
    layers: list[nn.Module] = []
    for (before, after), stride in zip(widths, strides or [1] * len(widths), strict=True):
        layers += [nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.ReLU()]
    return nn.Sequential(*layers), (1, channels[0], size, size)
