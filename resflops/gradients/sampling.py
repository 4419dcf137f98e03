"""Gradients of ops that read between pixels, and of deformable convolution."""

from math import prod

from resflops.gradients.registry import gradient_rule, moves_gradient
from resflops.ops import OPS
from resflops.records import OpRecord, Work

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


# A sum over overlapping windows hands every window its gradient.
moves_gradient("col2im")
