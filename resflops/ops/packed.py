"""Quantised layers of other libraries: products of packed weights, and what unpacks them.

Their kernels are torch ops, which the tracer knows by name; the libraries are not imported. Names and schemas
are those of bitsandbytes 0.45 to 0.50 and of torchao 0.9 to 0.18.
"""

from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call
from resflops.ops._declaration import QUANTISED, Factors, op, stopped_gradient
from resflops.records import OpRecord, Work

FAMILY = "packed"


class PackedProduct(Attributes, frozen=True):
    """The sizes of a product, which a packed weight's own shape does not tell."""

    rows: int
    inner: int
    columns: int
    bias: bool


def _read_product(rows_of: str, columns: Any, bias: str = "bias", inputs: tuple[str, ...] = ()) -> Any:
    """Make a reader of a product.

    Args:
        rows_of: the parameter that holds the rows.
        columns: says from the arguments how many columns come out.
        bias: the parameter of the bias.
        inputs: the tensors to record, the rows and the weight if not given.
    """

    def read(given: dict[str, Any]) -> Call:
        left = given[rows_of]
        width, has_bias = columns(given), given.get(bias) is not None
        *rows, inner = left.shape
        attributes = {"rows": prod(rows), "inner": inner, "columns": width, "bias": has_bias}
        tensors = tuple(given[name] for name in inputs or (rows_of, "B"))
        return Call("packed_product", tensors, (*rows, width), attributes)

    return read


def _count_rows_of(name: str) -> Any:
    return lambda given: given[name].shape[0]


def packed_product(record: OpRecord, attributes: PackedProduct) -> Work:
    """One MAC per row, input feature and column, and one bias add per output element.

    Unpacking and scaling the weight is part of the kernel and not counted, as in torch's own layers.
    """
    del record
    points = attributes.rows * attributes.columns
    return Work(macs=points * attributes.inner, bias_adds=points if attributes.bias else 0)


def packed_product_factors(record: OpRecord, attributes: PackedProduct) -> Factors:
    """Every element of the output is a dot product along the dimension summed over."""
    del record
    return (attributes.rows, attributes.columns), (attributes.inner,)


PACKED_PRODUCT = op(
    "packed_product",
    family=FAMILY,
    attributes=PackedProduct,
    aten={
        "bitsandbytes.int8_linear_matmul": _read_product("A", _count_rows_of("B")),
        "bitsandbytes.int8_scaled_mm": _read_product("A", _count_rows_of("B")),
        # The weight CB is (columns, inner), and CA is A in eight bits.
        "bitsandbytes.int8_mixed_scaled_mm": _read_product("A", _count_rows_of("CB"), inputs=("A", "CB")),
        "bitsandbytes.gemv_4bit": _read_product("A", lambda given: given["shapeB"][0]),
        "bitsandbytes.gemm_4bit": _read_product("A", lambda given: given["shapeB"][0]),
        # (rows, inner) by a weight packed over its columns, whose scales tell how many there are.
        "torchao.rowwise_scaled_linear_cutlass_s8s4": _read_product(
            "Xq", _count_rows_of("Wq"), inputs=("Xq", "Wq")
        ),
        "torchao.rowwise_scaled_linear_cutlass_s4s4": _read_product(
            "Xq", _count_rows_of("Wq"), inputs=("Xq", "Wq")
        ),
    },
    work=packed_product,
    factors=packed_product_factors,
    gradient=stopped_gradient(QUANTISED),
)


def scale_each(record: OpRecord) -> Work:
    """One multiplication per element, by a scale that several elements share."""
    return Work(arithmetic=max(prod(shape) for shape in (*record.output_shapes, *record.input_shapes)))


def look_scaled_up(record: OpRecord) -> Work:
    """One multiplication per output element: a code is looked up and scaled."""
    return Work(arithmetic=prod(record.output_shape))


for _name in (
    "int8_vectorwise_quant", "int8_vectorwise_dequant", "int8_mm_dequant", "int8_double_quant",
    "quantize_4bit", "quantize_blockwise",
):  # fmt: skip
    op(f"bitsandbytes.{_name}", family=FAMILY, work=scale_each, gradient=stopped_gradient(QUANTISED))
for _name in ("dequantize_4bit", "dequantize_blockwise"):
    op(f"bitsandbytes.{_name}", family=FAMILY, work=look_scaled_up, gradient=stopped_gradient(QUANTISED))
