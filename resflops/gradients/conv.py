"""Gradients of convolutions."""

from math import prod

from resflops.gradients.registry import gradient_rule
from resflops.ops import OPS
from resflops.records import OpRecord, Work

_IMAGE, _WEIGHT = 0, 1


@gradient_rule(
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"
)  # fmt: skip
def convolution_gradient(record: OpRecord, operand: int) -> Work:
    """Input: as many MACs as forward; weight: as many again; bias: one addition per output point.

    Every multiply-accumulate of the forward pass joins one input point, one tap and one
    output point, ``y += w·x``. Its input's gradient is ``x' += w·y'`` and its weight's
    ``w' += x·y'``: one multiply-accumulate for each, whatever stride, dilation and groups.
    The gradient of a convolution's input is thus a transposed convolution and the other
    way round. With groups and in a depthwise convolution it is the same count: the backward
    pass is twice the forward pass.
    """
    if operand in (_IMAGE, _WEIGHT):
        return Work(macs=OPS[record.op].work(record).macs)
    return Work(arithmetic=prod(record.output_shape))
