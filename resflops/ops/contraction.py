"""Sums over products of tensors, which torch turns into matrix products: einsum, tensordot, bilinear."""

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from resflops.ops._call import Call, Mismatch, NotDescribed, TensorLike, is_tensor, name_dtype, wrap_dimension
from resflops.ops._complex import SUMS
from resflops.ops._declaration import Factors, binding, composite, each_gradient, op
from resflops.ops._elementwise import is_inexact
from resflops.ops._steps import Steps
from resflops.ops.matmul import FAMILY, Bias, infer_matmul
from resflops.records import OpRecord, Shape, Work

_LEFT, _RIGHT, _WEIGHT = 0, 1, 2


@composite("einsum")
def infer_einsum(equation: Any, *operands: Any) -> Steps:
    """Sum one operand, or turn two into one batched matrix product, as torch does.

    Three and more are contracted two by two, in an order that depends on whether opt_einsum is
    installed; these torch runs itself. So it does equations with an ellipsis or a diagonal, and
    the form without an equation.
    """
    if len(operands) == 1 and not is_tensor(operands[0]):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or not 1 <= len(operands) <= 2 or "." in equation:
        raise NotDescribed
    labels, result = _parse_equation(equation, operands)
    sizes = _match_sizes(labels, operands)
    left = yield from _sum_out(operands[0], labels[0], {*result, *"".join(labels[1:])}, sizes)
    if len(operands) == 1:
        return (yield Call("permute", (left,), tuple([sizes[label] for label in result])))
    right = yield from _sum_out(operands[1], labels[1], {*result, *labels[0]}, sizes)
    return (yield from _multiply(left, right, labels, result, sizes, equation))


def _parse_equation(equation: str, operands: Sequence[TensorLike]) -> tuple[list[str], str]:
    """Split an equation into the labels of every operand and those of the result."""
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if not arrow:
        counts = Counter(inputs.replace(",", ""))
        result = "".join(sorted(label for label, count in counts.items() if count == 1))
    if len(labels) != len(operands) or any(len(set(each)) < len(each) for each in (*labels, result)):
        raise NotDescribed
    if any(len(each) != tensor.dim() for each, tensor in zip(labels, operands, strict=True)):
        raise NotDescribed
    return labels, result


def _match_sizes(labels: Sequence[str], operands: Sequence[TensorLike]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for each, tensor in zip(labels, operands, strict=True):
        for label, size in zip(each, tensor.shape, strict=True):
            if sizes.setdefault(label, size) != size:
                # Torch broadcasts a size of one to any other.
                if 1 in (size, sizes[label]):
                    raise NotDescribed
                raise Mismatch(f"label {label!r} stands for a size of {sizes[label]} and for one of {size}")
    return sizes


def _sum_out(tensor: TensorLike, labels: str, kept: set[str], sizes: dict[str, int]) -> Steps:
    """Sum an operand over the labels that neither the result nor another operand has."""
    left = tuple([sizes[label] for label in labels if label in kept])
    if len(left) == len(labels):
        return tensor
    if not is_inexact(tensor) and name_dtype(tensor.dtype) != "int64":
        # The sum of small integers is of long ones, to which torch may then refuse the other operand.
        raise NotDescribed
    return (yield Call("sum", (tensor,), left))


def _multiply(
    left: TensorLike,
    right: TensorLike,
    labels: Sequence[str],
    result: str,
    sizes: dict[str, int],
    equation: str,
) -> Steps:
    first, second = set(labels[0]), set(labels[1])
    shape = tuple([sizes[label] for label in result])
    # Torch ignores sizes of one: with nothing to sum it multiplies element by element.
    inner = prod([sizes[label] for label in first & second if label not in result])
    if not any(sizes[label] != 1 for label in first & second if label not in result):
        return (yield Call("mul", (left, right), shape))
    batch = prod([sizes[label] for label in first & second if label in result])
    rows = prod([sizes[label] for label in first - second if label in result])
    columns = prod([sizes[label] for label in second - first if label in result])
    left = yield Call("reshape", (left,), (batch, rows, inner))
    right = yield Call("reshape", (right,), (batch, inner, columns))
    # Other counters charge an einsum otherwise than the product that it turns into.
    product = yield Call("matmul", (left, right), (batch, rows, columns), {"einsum": equation})
    return (yield Call("reshape", (product,), shape))


@composite("tensordot")
def infer_tensordot(a: TensorLike, b: TensorLike, dims: Any = 2, out: TensorLike | None = None) -> Steps:
    """Make both tensors matrices, and multiply these."""
    if out is not None or is_tensor(dims):
        raise NotDescribed
    left, right = tuple(a.shape), tuple(b.shape)
    if isinstance(dims, int):
        over: tuple[Sequence[int], ...] = (range(len(left) - dims, len(left)), range(dims))
    else:
        over = tuple([(each,) if isinstance(each, int) else tuple(each) for each in dims])
    folded = [
        [wrap_dimension(place, len(shape)) for place in places]
        for places, shape in zip(over, (left, right), strict=True)
    ]
    inner = prod([left[place] for place in folded[0]])
    if [left[place] for place in folded[0]] != [right[place] for place in folded[1]]:
        raise NotDescribed
    rows, columns = (
        _drop_dimensions(shape, places) for shape, places in zip((left, right), folded, strict=True)
    )
    a = yield Call("reshape", (a,), (prod(rows), inner))
    b = yield Call("reshape", (b,), (inner, prod(columns)))
    product = yield infer_matmul(a, b)
    return (yield Call("reshape", (product,), (*rows, *columns)))


def _drop_dimensions(shape: Shape, places: Sequence[int]) -> Shape:
    return tuple([size for place, size in enumerate(shape) if place not in places])


def infer_bilinear(
    input1: TensorLike, input2: TensorLike, weight: TensorLike, bias: TensorLike | None = None
) -> Call:
    """Compute every output as a bilinear form of both inputs."""
    if input1.shape[:-1] != input2.shape[:-1]:
        raise Mismatch("its two inputs differ in more than their last dimension")
    if (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise Mismatch(
            f"takes inputs of {weight.shape[1]} and {weight.shape[2]} features, but they have "
            f"{input1.shape[-1]} and {input2.shape[-1]}"
        )
    shape = (*input1.shape[:-1], weight.shape[0])
    return Call("bilinear", (input1, input2, weight), shape, {"bias": bias is not None}, affine=(bias,))


def _infer_trilinear(given: dict[str, Any]) -> Call:
    """Read the aten op inside ``bilinear``, after which the bias is added by another op."""
    return infer_bilinear(given["i1"], given["i3"], given["i2"])


def bilinear_factors(record: OpRecord, attributes: Bias) -> Factors:
    """Every output, times both of its products."""
    del attributes
    first, second = record.input_shapes[:2]
    return tuple(size for size in record.output_shape if size != 1) or (1,), (first[-1] + 1, second[-1])


def count_activation_macs(record: OpRecord) -> int:
    """Count the multiply-accumulates of the second product, which is of two activations."""
    return prod(record.output_shape) * record.input_shapes[1][-1]


def bilinear(record: OpRecord, attributes: Bias) -> Work:
    """Per output: input 1 by its matrix, N1·N2 MACs, and that by input 2, N2 more; a bias add.

    ``y_o = x1 · W_o · x2`` from left to right, the order in which torch runs it
    (``at::_trilinear``). Scripted, the bias is an ``add`` of its own, as that of a linear layer.
    """
    first, second = record.input_shapes[:2]
    points = prod(record.output_shape)
    return Work(macs=points * (first[-1] + 1) * second[-1], bias_adds=points if attributes.bias else 0)


def complex_bilinear(record: OpRecord, attributes: Bias) -> Work:
    """Four times the MACs of real numbers, and twice the bias."""
    work = bilinear(record, attributes)
    return Work(macs=SUMS.macs * work.macs, bias_adds=SUMS.bias_adds * work.bias_adds)


def bilinear_gradient(record: OpRecord, attributes: Bias, operand: int) -> Work:
    """Per output, an input: its product with the matrix, N1·N2 MACs, and its own size more; weight: N1·N2.

    ``y_o = x1·W_o·x2`` gives ``x1' = Σ y_o'·W_o·x2`` and ``x2' = Σ y_o'·x1·W_o``, and the weight's
    gradient is the outer product of ``y_o'·x1`` (N1 multiplications) and x2. Bias: one
    addition per output element.
    """
    del attributes
    first, second = record.input_shapes[:2]
    points, matrix = prod(record.output_shape), first[-1] * second[-1]
    if operand in (_LEFT, _RIGHT):
        return Work(macs=points * (matrix + record.input_shapes[operand][-1]))
    if operand == _WEIGHT:
        return Work(macs=points * matrix, arithmetic=points * first[-1])
    return Work(arithmetic=points)


BILINEAR = op(
    "bilinear",
    family=FAMILY,
    attributes=Bias,
    # An exported model calls the second name.
    bindings=binding(infer_bilinear, "bilinear", "ops.aten.bilinear.default"),
    aten={"bilinear": {}, "_trilinear": _infer_trilinear},
    work=bilinear,
    on_complex=complex_bilinear,
    factors=bilinear_factors,
    gradient=each_gradient(bilinear_gradient),
    weights=(_WEIGHT,),
    weightless_macs=count_activation_macs,
    saves=("input", "other", "weight"),
)
