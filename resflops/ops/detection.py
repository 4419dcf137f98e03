"""Detection: torchvision's own ops on the boxes of objects."""

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
