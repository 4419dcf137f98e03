"""What a block of the explorer page says of an op: what it is in a few words, and its kind for the colour."""

import re

from resflops.ops import OPS, is_of_family
from resflops.records import Attribute, OpRecord, Shape
from resflops.render.formats import format_stride, shape

__all__ = ["KINDS", "classify_op", "describe_attributes", "describe_op"]

KINDS = (
    "convolution", "1×1 convolution", "grouped convolution", "linear, matrix product", "attention",
    "recurrent", "normalization", "activation", "pooling", "arithmetic", "other",
)  # fmt: skip
"""What blocks are coloured by, in the order of the page's colours."""

_KIND_OF_FAMILY = {
    "matmul": "linear, matrix product",
    "packed": "linear, matrix product",
    "attention": "attention",
    "recurrent": "recurrent",
    "normalization": "normalization",
    "activation": "activation",
    "softmax": "activation",
    "pooling": "pooling",
    "arithmetic": "arithmetic",
    "elementwise": "arithmetic",
    "reduction": "arithmetic",
    "comparison": "arithmetic",
}

_SHORT = {"scaled_dot_product_attention": "attention"}


def classify_op(record: OpRecord) -> str:
    """Find the kind that an op is coloured as.

    >>> shapes = {"input_shapes": ((1, 512), (10, 512)), "output_shapes": ((1, 10),)}
    >>> classify_op(OpRecord(op="linear", layer="fc", **shapes))
    'linear, matrix product'
    """
    if is_of_family(record.op, "convolution"):
        if _count_groups(record) > 1:
            return "grouped convolution"
        kernel = _read_kernel(record)
        return "1×1 convolution" if kernel and set(kernel) == {1} else "convolution"
    declared = OPS.get(record.op)
    return _KIND_OF_FAMILY.get(declared.family if declared else "", "other")


def describe_op(record: OpRecord) -> str:
    """Describe an op in a few words: what it is, its window, and the features that it maps.

    >>> shapes = {"input_shapes": ((1, 512), (10, 512)), "output_shapes": ((1, 10),)}
    >>> describe_op(OpRecord(op="linear", layer="fc", **shapes))
    'linear, 512→10'
    """
    name = _SHORT.get(record.op) or re.sub(r"[123]d$", "", record.op).replace("_", " ")
    kernel = _read_kernel(record)
    stride = record.attributes.get("stride")
    head = [name]
    if is_of_family(record.op, "convolution"):
        head = ["transposed", "conv"] if name == "conv transpose" else head
        if _is_depthwise(record):
            head.insert(0, "depthwise")
    if kernel:
        head.append(shape(kernel))
    if isinstance(stride, tuple) and set(stride) - {1} and (kernel is None or stride != kernel):
        head.append(f"/{format_stride(stride)}")
    return ", ".join([" ".join(head), *_describe_features(record)])


def describe_attributes(record: OpRecord) -> str:
    """Write what else decides what an op costs, as ``kernel 3×3, stride 1×1, bias no``."""
    return ", ".join(f"{name.replace('_', ' ')} {_write(value)}" for name, value in record.attributes.items())


def _describe_features(record: OpRecord) -> list[str]:
    found = _find_features(record)
    if found is None:
        return []
    taken, given = found
    features = str(given) if _is_depthwise(record) and taken == given else f"{taken}→{given}"
    groups = _count_groups(record)
    return [features, *([f"{groups} groups"] if groups > 1 and not _is_depthwise(record) else [])]


def _find_features(record: OpRecord) -> tuple[int, int] | None:
    """Find the channels or features that an op with a weight takes and gives."""
    if len(record.input_shapes) < 2:
        return None
    weight = record.input_shapes[1]
    if is_of_family(record.op, "convolution") and len(weight) > 2:
        groups = _count_groups(record)
        if "transpose" in record.op:
            return weight[0], weight[1] * groups
        return weight[1] * groups, weight[0]
    if record.op.startswith("linear") and len(weight) == 2:
        return weight[1], weight[0]
    if record.op == "addmm" and len(weight) == 2:
        return weight[0], weight[1]
    return None


def _is_depthwise(record: OpRecord) -> bool:
    found = _find_features(record)
    return found is not None and _count_groups(record) > 1 and _count_groups(record) == found[0]


def _count_groups(record: OpRecord) -> int:
    groups = record.attributes.get("groups")
    # A normalization has an attribute of the same name, which counts its statistics.
    return groups if isinstance(groups, int) and is_of_family(record.op, "convolution") else 1


def _read_kernel(record: OpRecord) -> Shape | None:
    kernel = record.attributes.get("kernel")
    return kernel if isinstance(kernel, tuple) else None


def _write(value: Attribute) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shape(value) if isinstance(value, tuple) else str(value)
