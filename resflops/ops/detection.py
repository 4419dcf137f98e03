"""Detection: ops on the boxes of objects."""

from math import prod

from resflops.ops._attributes import Attributes
from resflops.ops._declaration import ANSWERS, op, stopped_gradient
from resflops.records import OpRecord, Work

FAMILY = "detection"


def non_maximum_suppression(record: OpRecord) -> Work:
    """At most n(n-1)/2 overlaps of two boxes, 9 operations and 5 comparisons each; n for the areas.

    How many pairs are looked at depends on the boxes; this is the most that can be. The
    overlap takes 4 extrema and a threshold; two widths and heights cut at zero are 4
    subtractions; area, union (2), quotient, and the areas' sum make 5.
    """
    boxes = record.input_shapes[0][0]
    pairs = boxes * (boxes - 1) // 2
    return Work(arithmetic=9 * pairs + 3 * boxes, comparisons=5 * pairs)


NMS = op(
    "torchvision.nms",
    family=FAMILY,
    work=non_maximum_suppression,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)


class Limited(Attributes, frozen=True):
    """How many boxes are kept."""

    most: int
    """The most that are kept of each class."""


def suppression_by_class(record: OpRecord, attributes: Limited) -> Work:
    """For each class, a box meets the boxes kept before it, 9 operations and 5 comparisons each; 3 an area.

    As above, it is the most that can be: all boxes but one are kept at once that may be, and each of the
    others meets them.
    """
    batch, boxes = record.input_shapes[0][:2]
    if not attributes.most:
        return Work()
    kept = min(attributes.most, boxes) - 1
    pairs = prod(record.input_shapes[1][:2]) * (kept * (kept - 1) // 2 + (boxes - kept) * kept)
    return Work(arithmetic=9 * pairs + 3 * batch * boxes, comparisons=5 * pairs)


# ONNX's own: the boxes of a batch with scores for several classes, and a limit to how many are kept.
NMS_BY_CLASS = op(
    "non_max_suppression",
    family=FAMILY,
    attributes=Limited,
    work=suppression_by_class,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)
