"""Matrix products in all their forms."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, CallSignature, Mismatch, NotDescribed, SignedCall, TensorLike, broadcast
from resflops.ops._complex import PRODUCTS, SUMS
from resflops.ops._declaration import (
    QUANTISED,
    WHOLE_NUMBERS,
    Factors,
    binding,
    each_gradient,
    op,
    stopped_gradient,
)
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "matmul"

_LEFT, _RIGHT = 0, 1
_SAVED = ("input", "other")


class Bias(Attributes, frozen=True):
    """A layer with or without a bias of its own."""

    bias: bool
    """Whether it adds a bias."""


def product_factors(record: OpRecord) -> Factors:
    """Every element of the output is a dot product along the dimension summed over."""
    left = record.input_shapes[0]
    points = tuple(size for size in record.output_shape[:-1] if size != 1) + record.output_shape[-1:]
    return points, (left[-1],)


def infer_linear(input: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> SignedCall:
    """Compute ``input · weightᵀ + bias``, over the last dimension."""
    signature = _sign_linear("linear", input.dtype, input.shape, weight.shape, bias is not None)
    return SignedCall(signature, (input, weight), (bias,))


@lru_cache(maxsize=1 << 14)
def _sign_linear(
    op: str, dtype: Any, shape: Shape, kernel: Shape, bias: bool, quantised: bool = False
) -> CallSignature:
    """Make the signature of a linear layer."""
    if shape[-1] != kernel[-1]:
        raise Mismatch(f"takes {kernel[-1]} input features, but its input has {shape[-1]}")
    attributes: dict[str, Attribute] = {"bias": bias}
    if quantised:
        attributes["quantised"] = True
    return CallSignature.single(op, (shape, kernel), (*shape[:-1], *kernel[:-1]), dtype, attributes)


def _infer_packed(op: str) -> Callable[[dict[str, Any]], SignedCall]:
    """Make the reader of a quantised layer, whose weight and bias are packed in one object."""

    def infer(given: dict[str, Any]) -> SignedCall:
        data = given["X"]
        weight, bias = given["W_prepack"].unpack()
        signature = _sign_linear(op, data.dtype, data.shape, weight.shape, bias is not None, quantised=True)
        return SignedCall(signature, (data, weight))

    return infer


def linear(record: OpRecord, attributes: Bias) -> Work:
    """One MAC per input feature and output element; one bias add per output element.

    Scripted, or recorded by ``make_fx``, a layer is the product that torch turns it into. One
    without a bias is ``mm``, to which ``formula`` adds no 1. A bias that torch adds by an op of
    its own is ``add``, whose gradient takes one addition less for each element of the bias.

    >>> from resflops.records import OpRecord
    >>> record = OpRecord(op="linear", layer="fc", input_shapes=((1, 512), (1000, 512)),
    ...     output_shapes=((1, 1000),))
    >>> linear(record, Bias(bias=True))
    Work(macs=512000, bias_adds=1000, arithmetic=0, comparisons=0, transcendental=0)
    """
    points = prod(record.output_shape)
    return Work(macs=points * record.input_shapes[0][-1], bias_adds=points if attributes.bias else 0)


def linear_factors(record: OpRecord, attributes: Bias) -> Factors:
    """Every element of the output is a dot product along the dimension summed over."""
    del attributes
    return product_factors(record)


def linear_gradient(record: OpRecord, attributes: Bias, operand: int) -> Work:
    """Either factor: as many MACs as forward; bias: one addition per output element."""
    del attributes
    return product_gradient(record, operand)


LINEAR = op(
    "linear",
    family=FAMILY,
    attributes=Bias,
    # An exported model calls the second name.
    bindings=binding(infer_linear, "nn.functional.linear", "ops.aten.linear.default"),
    aten={
        "linear": {},
        **{
            f"quantized.{name}": _infer_packed("linear")
            for name in ("linear", "linear_dynamic", "linear_dynamic_fp16")
        },
    },
    work=linear,
    on_complex=SUMS,
    factors=linear_factors,
    gradient=each_gradient(linear_gradient),
    weights=(_RIGHT,),
    saves=("input", "weight"),
)


def linear_with_relu(record: OpRecord, attributes: Bias) -> Work:
    """A quantised linear layer fused with its activation: one more comparison per output."""
    work = linear(record, attributes)
    return Work(macs=work.macs, bias_adds=work.bias_adds, comparisons=prod(record.output_shape))


LINEAR_RELU = op(
    "linear_relu",
    family=FAMILY,
    attributes=Bias,
    aten={
        f"quantized.{name}": _infer_packed("linear_relu")
        for name in ("linear_relu", "linear_relu_dynamic", "linear_relu_dynamic_fp16")
    },
    work=linear_with_relu,
    on_complex=SUMS,
    factors=linear_factors,
    gradient=stopped_gradient(QUANTISED),
    weights=(_RIGHT,),
)


def linear_with_leaky_relu(record: OpRecord, attributes: Bias) -> Work:
    """A quantised linear layer fused with its activation: one more comparison and product per output."""
    work, points = linear(record, attributes), prod(record.output_shape)
    return Work(macs=work.macs, bias_adds=work.bias_adds, comparisons=points, arithmetic=points)


def linear_with_tanh(record: OpRecord, attributes: Bias) -> Work:
    """A quantised linear layer fused with its activation: one more hyperbolic tangent per output."""
    work = linear(record, attributes)
    return Work(macs=work.macs, bias_adds=work.bias_adds, transcendental=prod(record.output_shape))


for _name, _work in (("linear_leaky_relu", linear_with_leaky_relu), ("linear_tanh", linear_with_tanh)):
    op(
        _name,
        family=FAMILY,
        attributes=Bias,
        aten={f"quantized.{_name}": _infer_packed(_name)},
        work=_work,
        factors=linear_factors,
        gradient=stopped_gradient(QUANTISED),
        weights=(_RIGHT,),
    )


def infer_matmul(input: TensorLike, other: TensorLike) -> Call:
    """Multiply vectors, matrices or broadcast batches, as ``torch.matmul`` does."""
    left, right = tuple(input.shape), tuple(other.shape)
    if not left or not right:
        raise NotDescribed
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise Mismatch(
            f"{'×'.join(map(str, left))} and {'×'.join(map(str, right))} have no common dimension to sum over"
        )
    batch = broadcast(left[:-2], right[:-2])
    return Call("matmul", (input, other), (*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())))


def matrix_product(record: OpRecord) -> Work:
    """One MAC per element of the output and of the dimension summed over.

    Broadcast batch dimensions need no term: the output already has them.
    """
    return Work(macs=prod(record.output_shape) * record.input_shapes[0][-1])


def inner_product(record: OpRecord) -> Work:
    """A scalar multiplies every element of the other operand; otherwise a matrix product like any other.

    Torch leaves the function whole in inference mode only, and takes it apart elsewhere.
    """
    if all(record.input_shapes):
        return matrix_product(record)
    return Work(arithmetic=prod(record.output_shape))


def matrix_product_gradient(record: OpRecord, operand: int) -> Work:
    """Either factor: as many MACs as forward; one whose batch was broadcast is also added up.

    A single matrix times a batch needs no such sum: the batch is folded into its rows, and the
    product itself runs over it.
    """
    forward = matrix_product(record).macs
    left, right = record.input_shapes[:2]
    if len(left) < 3 or len(right) < 3:
        return Work(macs=forward)
    return Work(macs=forward, arithmetic=_count_added_up(record.input_shapes[operand], record.output_shape))


def _count_added_up(operand: Shape, output: Shape) -> int:
    """Count the additions that fold the gradients of a batch into that of an operand broadcast to it."""
    matrix = prod(operand[-2:])
    return (prod(output[:-2]) - prod(operand[:-2])) * matrix


MATMUL = op(
    "matmul",
    family=FAMILY,
    bindings=binding(
        infer_matmul, "*.matmul", "*.__matmul__", "*.mm", "*.bmm", "*.mv", "*.dot", repeated=True
    ),
    aten={"matmul": {"input": "self"}, "quantized.matmul": {"input": "qa", "other": "qb"}},
    work=matrix_product,
    on_complex=SUMS,
    factors=product_factors,
    gradient=each_gradient(matrix_product_gradient, takes=(_LEFT, _RIGHT)),
    # Either factor may be a parameter; whether one is, the trace knows.
    weights=(_LEFT, _RIGHT),
    saves=_SAVED,
)

# The names of a product once torch knows which kind it is; the cost is the same.
for _name, _product, _on_complex in (
    *((each, matrix_product, SUMS) for each in ("mm", "bmm", "mv", "dot", "vdot")),
    ("inner", inner_product, PRODUCTS),
):
    op(
        _name,
        family=FAMILY,
        work=_product,
        on_complex=_on_complex,
        factors=product_factors,
        gradient=each_gradient(matrix_product_gradient, takes=(_LEFT, _RIGHT)),
        weights=(_LEFT, _RIGHT),
        saves=_SAVED,
    )

for _name, _reason in {
    "_int_mm": WHOLE_NUMBERS,
    **dict.fromkeys(("_weight_int8pack_mm", "_weight_int4pack_mm"), QUANTISED),
}.items():
    op(
        _name,
        family=FAMILY,
        work=matrix_product,
        on_complex=SUMS,
        factors=product_factors,
        gradient=stopped_gradient(_reason),
    )


def infer_addmm(
    input: TensorLike, mat1: TensorLike, mat2: TensorLike, *, beta: float = 1, alpha: float = 1
) -> Call:
    """Compute ``beta·input + alpha·(mat1 · mat2)``; the factors are part of the product's last step."""
    del beta, alpha
    return _call_with_bias("addmm", mat1, mat2, input)


def infer_baddbmm(
    input: TensorLike, batch1: TensorLike, batch2: TensorLike, *, beta: float = 1, alpha: float = 1
) -> Call:
    """Compute ``addmm`` for a batch of matrices."""
    del beta, alpha
    return _call_with_bias("baddbmm", batch1, batch2, input)


def infer_addmv(
    input: TensorLike, mat: TensorLike, vec: TensorLike, *, beta: float = 1, alpha: float = 1
) -> Call:
    """Compute ``addmm`` for a matrix and a vector."""
    del beta, alpha
    if mat.shape[-1] != vec.shape[0]:
        raise NotDescribed
    return Call("addmv", (mat, vec, input), tuple(mat.shape[:-1]))


def infer_addbmm(
    input: TensorLike, batch1: TensorLike, batch2: TensorLike, *, beta: float = 1, alpha: float = 1
) -> Call:
    """Compute ``beta·input + alpha·Σ(batch1 · batch2)``, summed over the batch."""
    del beta, alpha
    if batch1.shape[0] != batch2.shape[0] or batch1.shape[-1] != batch2.shape[-2]:
        raise NotDescribed
    return Call("addbmm", (batch1, batch2, input), (batch1.shape[-2], batch2.shape[-1]))


def _call_with_bias(op: str, left: TensorLike, right: TensorLike, bias: TensorLike) -> Call:
    if left.shape[-1] != right.shape[-2]:
        raise NotDescribed
    return Call(op, (left, right, bias), (*left.shape[:-1], right.shape[-1]))


def matrix_product_with_bias(record: OpRecord) -> Work:
    """The matrix product of the first two inputs, and one bias add per output element."""
    points = prod(record.output_shape)
    return Work(macs=points * record.input_shapes[0][-1], bias_adds=points)


def summed_products(record: OpRecord) -> Work:
    """One MAC per element of each product in the batch and of the dimension summed over; then the bias.

    The products of the batch are summed as one longer dimension, which takes no further additions.
    """
    left, right = record.input_shapes[:2]
    return Work(macs=prod(left) * right[-1], bias_adds=prod(record.output_shape))


def product_gradient(record: OpRecord, operand: int) -> Work:
    """Either factor: as many MACs as forward; bias: one addition per output element.

    ``Y = X·W`` gives ``X' = Y'·Wᵀ`` and ``W' = Xᵀ·Y'``, over the same three sizes. A bias of
    the output's own shape takes nothing: its gradient is the output's.
    """
    if operand in (_LEFT, _RIGHT):
        return Work(macs=matrix_product(record).macs)
    return _bias_gradient(record, operand)


def _bias_gradient(record: OpRecord, operand: int) -> Work:
    own = operand < len(record.input_shapes) and record.input_shapes[operand] == record.output_shape
    return Work() if own else Work(arithmetic=prod(record.output_shape))


def summed_products_gradient(record: OpRecord, operand: int) -> Work:
    """Either factor: as many MACs as forward; bias: one addition per output element."""
    if operand in (_LEFT, _RIGHT):
        return Work(macs=summed_products(record).macs)
    return _bias_gradient(record, operand)


ADDMM = op(
    "addmm",
    family=FAMILY,
    bindings=binding(infer_addmm, "*.addmm"),
    aten={"addmm": {"input": "self"}, "_addmm_activation": {"input": "self"}},
    work=matrix_product_with_bias,
    on_complex=SUMS,
    factors=product_factors,
    gradient=each_gradient(product_gradient),
    weights=(_LEFT, _RIGHT),
    saves=_SAVED,
)

ADDMV = op(
    "addmv",
    family=FAMILY,
    bindings=binding(infer_addmv, "*.addmv"),
    aten={"addmv": {"input": "self"}},
    work=matrix_product_with_bias,
    on_complex=SUMS,
    factors=product_factors,
    gradient=each_gradient(product_gradient),
    weights=(_LEFT, _RIGHT),
    saves=_SAVED,
)

BADDBMM = op(
    "baddbmm",
    family=FAMILY,
    bindings=binding(infer_baddbmm, "*.baddbmm"),
    aten={"baddbmm": {"input": "self"}},
    work=matrix_product_with_bias,
    on_complex=SUMS,
    factors=product_factors,
    gradient=each_gradient(product_gradient),
    weights=(_LEFT, _RIGHT),
    saves=_SAVED,
)

ADDBMM = op(
    "addbmm",
    family=FAMILY,
    bindings=binding(infer_addbmm, "*.addbmm"),
    aten={"addbmm": {"input": "self"}},
    work=summed_products,
    on_complex=SUMS,
    gradient=each_gradient(summed_products_gradient),
    saves=_SAVED,
)


def _infer_addr(given: dict[str, Any]) -> Call:
    """Read the aten op alone, because only torch knows the element type that ``addr`` returns."""
    left, right = given["vec1"], given["vec2"]
    return Call("addr", (left, right, given["self"]), (left.shape[0], right.shape[0]))


def outer_product_with_bias(record: OpRecord) -> Work:
    """Per element a product and an addition: an outer product accumulates nothing."""
    return Work(arithmetic=2 * prod(record.output_shape))


def complex_outer_product(record: OpRecord) -> Work:
    """Per element 8 arithmetic: a product of complex numbers, and an addition."""
    return Work(arithmetic=(6 + 2) * prod(record.output_shape))


def outer_product_gradient(record: OpRecord, operand: int) -> Work:
    """A factor: one MAC per output element; what is added to: nothing, or a sum if it is smaller.

    The factors stand first and the bias last, as in every product with a bias.
    """
    points = prod(record.output_shape)
    if operand in (_LEFT, _RIGHT):
        return Work(macs=points)
    return Work(arithmetic=points - prod(record.input_shapes[operand]))


ADDR = op(
    "addr",
    family=FAMILY,
    aten={"addr": _infer_addr},
    work=outer_product_with_bias,
    on_complex=complex_outer_product,
    gradient=each_gradient(outer_product_gradient),
    saves=_SAVED,
)


def infer_grouped_mm(
    input: TensorLike,
    mat2: TensorLike,
    offs: TensorLike | None = None,
    bias: TensorLike | None = None,
    out_dtype: Any = None,
) -> Call:
    """Multiply groups of rows, each group by a matrix of its own."""
    del offs
    if input.dim() != 2 or mat2.dim() != 3 or bias is not None or input.shape[-1] != mat2.shape[-2]:
        raise NotDescribed
    return Call("_grouped_mm", (input, mat2), (input.shape[0], mat2.shape[-1]), {}, out_dtype)


def grouped_product(record: OpRecord) -> Work:
    """Every row is multiplied by the matrix of its group only, as in a mixture of experts.

    Rows (tokens, inner) and one matrix a group (groups, inner, columns) give (tokens, columns).
    Two matrices are cut along the dimension summed over: each part has a product of its own, and
    together the parts are as long as that dimension.
    """
    left, right = record.input_shapes[:2]
    points = record.output_shape
    if len(left) == len(right) == 2:
        points = points[1:]
    return Work(macs=prod(points) * left[-1])


def grouped_product_gradient(record: OpRecord, operand: int) -> Work:
    """Either factor: as many MACs as forward."""
    del operand
    return Work(macs=grouped_product(record).macs)


# Torch has this function since 2.8.
GROUPED_MM = op(
    "_grouped_mm",
    family=FAMILY,
    bindings=binding(infer_grouped_mm, "*._grouped_mm"),
    aten={
        "_grouped_mm": {"input": "self"},
        # Transformers runs this in its place if this torch or machine does not have it.
        "transformers.grouped_mm_fallback": {"mat2": "weight"},
    },
    work=grouped_product,
    on_complex=SUMS,
    gradient=each_gradient(grouped_product_gradient, takes=(_LEFT, _RIGHT)),
    saves=_SAVED,
)
