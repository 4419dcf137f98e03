"""Ops that no gradient passes, one reason a group.

An op that gives whole numbers or truth values passes none either, whatever its name.
"""

from resflops.gradients.registry import stops_gradient

stops_gradient(
    "it answers a question, and its result does not change with small changes of the input",
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit",
    "argmax", "argmin", "argsort", "all", "any", "count_nonzero", "searchsorted",
    "bucketize", "histc", "bincount", "heaviside", "nextafter", "unique", "unique_consecutive",
    "torchvision.nms",
)  # fmt: skip
stops_gradient(
    "it is defined for whole numbers or truth values only, or gives such",
    "_int_mm",
)
stops_gradient(
    "it is a quantised layer or product, which torch has no backward pass for",
    "conv1d_relu", "conv2d_relu", "conv3d_relu", "linear_relu", "_scaled_mm",
    "_weight_int4pack_mm", "_weight_int8pack_mm",
)  # fmt: skip
