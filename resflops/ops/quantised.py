"""Torch's quantised ops: each counts as its twin on the numbers that its integers stand for.

That the result is scaled to integers again is part of the kernel and not counted, as in quantised layers. A
sum or product with a number only moves the zero point or the scale of the tensor, and counts as its twin even
so: a model's cost is to be comparable with that of the one that it was quantised from. Torch has no backward
pass for any of them.
"""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops import activation, arithmetic, comparison, softmax
from resflops.ops._attributes import Attributes
from resflops.ops._call import Call
from resflops.ops._declaration import OPS, QUANTISED, op, stopped_gradient
from resflops.ops._free import COPY
from resflops.records import Attribute, OpRecord, Work, add_works

FAMILY = "quantised"

_TWINS = {
    **dict.fromkeys(("add", "add_scalar"), (arithmetic, "add")),
    **dict.fromkeys(("mul", "mul_scalar"), (arithmetic, "mul")),
    **{
        name: (activation, name)
        for name in ("relu6", "leaky_relu", "elu", "celu", "prelu", "hardswish", "sigmoid", "threshold")
    },
    "softmax": (softmax, "softmax"),
    "clamp": (comparison, "clamp"),
}
"""The module that declares each op's twin, imported before this one asks for it, and the twin's name."""


def _count_as(twin: str, *, rectified: bool) -> Callable[[OpRecord], Work]:
    """Make the rule of a twin, with one comparison per element more where a ReLU is fused to it."""
    work: Any = OPS[twin].work

    def count(record: OpRecord) -> Work:
        own = work(record)
        return add_works([own, Work(comparisons=prod(record.output_shape))]) if rectified else own

    return count


for _name, (_, _twin) in _TWINS.items():
    for _suffix in ("", "_relu") if _twin in ("add", "mul") else ("",):
        op(
            f"quantized.{_name}{_suffix}",
            family=FAMILY,
            work=_count_as(_twin, rectified=bool(_suffix)),
            summary=f"As {_twin}{', and a comparison per element' if _suffix else ''}.",
            gradient=stopped_gradient(QUANTISED),
            saves=(),
        )


def folded_normalisation(record: OpRecord) -> Work:
    """2 per element: as in eval mode, scale and shift are folded; and a comparison for a ReLU."""
    points = prod(record.output_shape)
    return Work(arithmetic=2 * points, comparisons=points if record.op.endswith("_relu") else 0)


def rectified(record: OpRecord) -> Work:
    """One comparison per element: the ReLU of what was joined."""
    return Work(comparisons=prod(record.output_shape))


for _name in ("batch_norm", "batch_norm1d", "batch_norm2d", "batch_norm3d"):
    for _suffix in ("", "_relu"):
        op(
            f"quantized.{_name}{_suffix}",
            family=FAMILY,
            work=folded_normalisation,
            gradient=stopped_gradient(QUANTISED),
            saves=(),
        )
# What lays a layer's weight out for its kernel, and back.
for _name in (
    "linear_prepack", "linear_prepack_fp16", "linear_unpack", "linear_unpack_fp16", "conv_prepack",
    "conv_unpack",
    *(f"conv{_kind}{_step}"
      for _kind in ("1d", "2d", "3d", "_transpose1d", "_transpose2d", "_transpose3d")
      for _step in ("_prepack", "_unpack")),
):  # fmt: skip
    op(f"quantized.{_name}", family=FAMILY, free=COPY, gradient=stopped_gradient(QUANTISED), saves=())
op("quantized.dropout", family=FAMILY, free=COPY, gradient=stopped_gradient(QUANTISED), saves=())
op("quantized.cat_relu", family=FAMILY, work=rectified, gradient=stopped_gradient(QUANTISED), saves=())


class Rows(Attributes, frozen=True):
    """Rows of a quantised table that are looked up."""

    bagged: bool
    """Whether the rows of a bag are added up."""
    weighted: bool
    """Whether each is first multiplied by a weight."""


def _infer_rows(name: str) -> Callable[[dict[str, Any]], Call]:
    def infer(given: dict[str, Any]) -> Call:
        weighted = given.get("per_sample_weights") is not None
        attributes: dict[str, Attribute] = {"bagged": "bag" in name, "weighted": weighted}
        return Call(name, (given["indices"],), (), attributes)

    return infer


def look_up(record: OpRecord, attributes: Rows) -> Work:
    """Per element of a row a scale, an offset and a product with its weight; the rows of a bag are added."""
    width, bags = record.output_shape[-1], prod(record.output_shape[:-1])
    rows = prod(record.input_shapes[0])
    folds = rows - min(bags, rows) if attributes.bagged else 0
    return Work(arithmetic=width * (2 * rows + folds + (rows if attributes.weighted else 0)))


for _name in (
    f"quantized.embedding{_kind}"
    for _kind in (
        "_byte", "_4bit", "_bag_byte", "_bag_4bit", "_bag_2bit_rowwise_offsets",
        "_bag_byte_rowwise_offsets", "_bag_4bit_rowwise_offsets",
    )
):  # fmt: skip
    op(
        _name,
        family=FAMILY,
        attributes=Rows,
        aten={_name: _infer_rows(_name)},
        work=look_up,
        gradient=stopped_gradient(QUANTISED),
        saves=(),
    )
