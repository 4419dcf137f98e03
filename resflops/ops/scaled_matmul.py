"""Products of matrices of eight bits or less an element, which come with scales."""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._call import Call, NotDescribed, TensorLike
from resflops.ops._declaration import QUANTISED, binding, op, stopped_gradient
from resflops.ops.matmul import FAMILY, Bias, grouped_product, matrix_product
from resflops.records import Attribute, OpRecord, Work


def _call_scaled(op: str, left: TensorLike, right: TensorLike, bias: Any, dtype: Any) -> Call:
    """Make the call of a product of scaled elements; torch's own kernel alone asks how they lie in memory."""
    if left.shape[-1] != right.shape[-2]:
        raise NotDescribed
    attributes: dict[str, Attribute] = {"bias": bias is not None}
    return Call(op, (left, right), (*left.shape[:-1], right.shape[-1]), attributes, dtype, affine=(bias,))


def infer_scaled_mm(
    input: TensorLike,
    mat2: TensorLike,
    scale_a: Any = None,
    scale_b: Any = None,
    bias: TensorLike | None = None,
    scale_result: Any = None,
    out_dtype: Any = None,
    use_fast_accum: bool = False,
) -> Call:
    """Multiply matrices of eight bits or less an element, and scale the result."""
    del scale_a, scale_b, scale_result, use_fast_accum
    return _call_scaled("_scaled_mm", input, mat2, bias, out_dtype)


def infer_scaled_grouped_mm(
    input: TensorLike,
    mat2: TensorLike,
    scale_a: Any = None,
    scale_b: Any = None,
    offs: TensorLike | None = None,
    bias: TensorLike | None = None,
    scale_result: Any = None,
    out_dtype: Any = None,
    use_fast_accum: bool = False,
) -> Call:
    """Multiply groups of rows, each group by a matrix of its own, of eight bits or less an element."""
    del scale_a, scale_b, offs, scale_result, use_fast_accum
    if input.dim() != 2 or mat2.dim() != 3:
        raise NotDescribed
    return _call_scaled("_scaled_grouped_mm", input, mat2, bias, out_dtype)


def scaled_product(record: OpRecord, attributes: Bias) -> Work:
    """The matrix product alone, and a bias: the scales are part of the product's last step."""
    macs = grouped_product(record).macs if record.op == "_scaled_grouped_mm" else matrix_product(record).macs
    return Work(macs=macs, bias_adds=prod(record.output_shape) if attributes.bias else 0)


def _read_scaled(infer: Callable[..., Call]) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of the aten ops, whose second versions have scales of several kinds and no result's."""

    def read(given: dict[str, Any]) -> Call:
        named = ("mat2", "bias", "out_dtype")
        return infer(given["self"], **{name: given[name] for name in named})

    return read


SCALED_MM = op(
    "_scaled_mm",
    family=FAMILY,
    attributes=Bias,
    bindings=binding(infer_scaled_mm, "*._scaled_mm"),
    aten=dict.fromkeys(("_scaled_mm", "_scaled_mm_v2"), _read_scaled(infer_scaled_mm)),
    work=scaled_product,
    gradient=stopped_gradient(QUANTISED),
    saves=(),
)

# Torch has this function since 2.8.
SCALED_GROUPED_MM = op(
    "_scaled_grouped_mm",
    family=FAMILY,
    attributes=Bias,
    bindings=binding(infer_scaled_grouped_mm, "*._scaled_grouped_mm"),
    aten=dict.fromkeys(
        ("_scaled_grouped_mm", "_scaled_grouped_mm_v2"), _read_scaled(infer_scaled_grouped_mm)
    ),
    work=scaled_product,
    gradient=stopped_gradient(QUANTISED),
    saves=(),
)
