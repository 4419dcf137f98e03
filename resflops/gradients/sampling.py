"""Gradients of ops that read between pixels, and of deformable convolution."""

from math import prod

from resflops.gradients.registry import Needed, gradient_rule, joint_gradient_rule, moves_gradient
from resflops.ops import OPS
from resflops.records import OpRecord, Work, sum_of

# To each of the 4 neighbours of a sample its share, multiplied and added.
_TO_NEIGHBOURS = 8
# How a sample changes along one coordinate: 2 differences, 2 products and a sum of the
# neighbours, times the gradient, added up.
_ALONG_COORDINATE = 7

_IMAGE, _GRID = 0, 1


@gradient_rule("grid_sample", takes=(_IMAGE, _GRID))
def grid_sample_gradient(record: OpRecord, operand: int) -> Work:
    """Input: per output a multiplication and an addition per tap; grid: 7 per output and coordinate."""
    points, dimensions = prod(record.output_shape), record.input_shapes[_GRID][-1]
    nearest = record.attributes.get("mode") == "nearest"
    if operand == _GRID:
        return Work() if nearest else Work(arithmetic=_ALONG_COORDINATE * dimensions * points)
    taps = 16 if record.attributes.get("mode") == "bicubic" else 2**dimensions
    return Work(arithmetic=points if nearest else 2 * taps * points)


@gradient_rule("affine_grid_generator")
def affine_grid_gradient(record: OpRecord, operand: int) -> Work:
    """As many MACs as forward: the matrix's gradient is a product over all points."""
    del operand
    return Work(macs=OPS[record.op].work(record).macs)


@gradient_rule("torchvision.roi_align", takes=(0,))
def roi_align_gradient(record: OpRecord, operand: int) -> Work:
    """Per output r·r samples, each 8 operations to hand its gradient to 4 neighbours."""
    del operand
    # The forward pass counts 8 a sample too: 7 to read it, and 1 for the mean.
    return Work(arithmetic=OPS[record.op].work(record).arithmetic)


@joint_gradient_rule("deform_conv2d")
def deformable_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """As a convolution; besides 8 a sample for the input, 14 for the offsets; bias: one addition per output.

    The samples' own gradient, as many MACs as forward, stands with the first of input and
    offsets, and takes one multiplication a sample with a mask.
    """
    weight, out = record.input_shapes[1], record.output_shape
    samples = out[0] * prod(out[2:]) * (record.input_shapes[0][1] // weight[1]) * prod(weight[1:])
    macs = OPS[record.op].work(record).macs
    masked = samples if record.attributes.get("mask") else 0
    own = {
        0: Work(arithmetic=_TO_NEIGHBOURS * samples),
        1: Work(macs=macs),
        2: Work(arithmetic=2 * _ALONG_COORDINATE * samples),
        3: Work(arithmetic=prod(out)),
    }
    first = next((operand for operand in needed if operand in (0, 2)), None)
    shared = Work(macs=macs, arithmetic=masked)
    return tuple(sum_of([own[each], shared]) if each == first else own[each] for each in needed)


# A sum over overlapping windows hands every window its gradient.
moves_gradient("col2im")
