"""Norms of vectors, and functions that divide by them."""

from collections.abc import Generator
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, TensorLike, broadcast, name_parts_dtype
from resflops.ops._declaration import binding, composite, each_gradient, moved_gradient, op
from resflops.ops._rows import reduce_shape
from resflops.records import OpRecord, Shape, Work

FAMILY = "vector_norm"


def infer_norm(
    input: TensorLike,
    p: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    out: Any = None,
    dtype: Any = None,
    *,
    ord: float = 2,
) -> Call:
    """Compute the norm of vectors."""
    if out is not None or p not in (None, "fro", 2, 1) or ord not in (1, 2):
        raise NotDescribed
    order = ord if p in (None, "fro") else p
    return _infer_length(input, order, reduce_shape(tuple(input.shape), dim, keepdim=keepdim), dtype)


def _infer_length(tensor: TensorLike, order: float, shape: Shape, dtype: Any = None) -> Call:
    dtype = name_parts_dtype(dtype or tensor.dtype) or dtype
    return Call("norm", (tensor,), shape, {"ord": order}, dtype)


def _read_norm(given: dict[str, Any]) -> Call:
    """Read the aten ops that torch's functions are made of, for any order."""
    order = given.get("ord", given.get("p"))
    shape = reduce_shape(tuple(given["self"].shape), given.get("dim"), keepdim=given.get("keepdim", False))
    return _infer_length(given["self"], 2 if order is None else order, shape, given.get("dtype"))


def vector_norm(record: OpRecord) -> Work:
    """Per element: a multiplication, and an addition to fold; one root per output."""
    points, out = prod(record.input_shapes[0]), prod(record.output_shape)
    return Work(arithmetic=points + max(points - out, 0), transcendental=out)


def complex_vector_norm(record: OpRecord) -> Work:
    """Per element: 3 for the square of a magnitude, and an addition to fold; one root per output."""
    points, out = prod(record.input_shapes[0]), prod(record.output_shape)
    return Work(arithmetic=3 * points + max(points - out, 0), transcendental=out)


def vector_norm_gradient(record: OpRecord, operand: int) -> Work:
    """One division per output, one multiplication per input element: those of the Euclidean norm."""
    del operand
    return Work(arithmetic=prod(record.input_shapes[0]) + prod(record.output_shape))


NORM = op(
    "norm",
    family=FAMILY,
    bindings=binding(infer_norm, "norm", "Tensor.norm", "linalg.vector_norm"),
    aten={"norm": _read_norm, "linalg_vector_norm": _read_norm},
    work=vector_norm,
    on_complex=complex_vector_norm,
    gradient=each_gradient(vector_norm_gradient),
    saves=("input", "output"),
)

# The name that traces from elsewhere may have for it.
VECTOR_NORM = op(
    "linalg_vector_norm",
    family=FAMILY,
    work=vector_norm,
    on_complex=complex_vector_norm,
    gradient=each_gradient(vector_norm_gradient),
    saves=("input", "output"),
)


def distance(record: OpRecord) -> Work:
    """Per element a difference, a multiplication, and an addition to fold; one root."""
    points = prod(record.input_shapes[0])
    return Work(arithmetic=2 * points + max(points - 1, 0), transcendental=1)


DIST = op("dist", family=FAMILY, work=distance, saves=("input", "other", "output"))


class Limited(Attributes, frozen=True):
    """Vectors whose norms are limited."""

    dim: int
    """The dimension along which the vectors stand."""


def limited_norms(record: OpRecord, attributes: Limited) -> Work:
    """Per element a multiplication and an addition for the norm and one to scale; per vector as below.

    A root, a comparison with the limit, and an addition and a division for the scale.
    """
    shape = record.input_shapes[0]
    points, vectors = prod(shape), shape[attributes.dim]
    return Work(arithmetic=3 * points - vectors + 2 * vectors, comparisons=vectors, transcendental=vectors)


RENORM = op("renorm", family=FAMILY, attributes=Limited, work=limited_norms, saves=("input",))


def limited_rows(record: OpRecord) -> Work:
    """As ``renorm`` for every row that is looked up, once for each time its index occurs.

    Torch scales a row once; but only the values say how many different rows there are.
    """
    rows, width = prod(record.input_shapes[1]), record.input_shapes[0][-1]
    return Work(arithmetic=rows * (3 * width + 1), comparisons=rows, transcendental=rows)


EMBEDDING_RENORM = op(
    "embedding_renorm", family=FAMILY, work=limited_rows, gradient=moved_gradient((0,)), saves=()
)


@composite("nn.functional.normalize")
def infer_normalize(
    input: TensorLike, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None
) -> Generator[Call, Any, Any]:
    """Divide vectors by their norms, which a limit keeps from zero."""
    if out is not None or not isinstance(dim, int):
        raise NotDescribed
    lengths = yield _infer_length(input, p, reduce_shape(tuple(input.shape), dim, keepdim=True))
    limited = yield Call("clamp", (lengths,), tuple(lengths.shape), {"min": eps, "max": None})
    spread = yield Call("expand", (limited,), tuple(input.shape))
    return (yield Call("div", (input, spread), tuple(input.shape)))


@composite("cosine_similarity")
def infer_cosine_similarity(
    x1: TensorLike, x2: TensorLike, dim: int = 1, eps: float = 1e-8
) -> Generator[Call, Any, Any]:
    """Divide both vectors by their norms, which a limit keeps from zero, and sum their product."""
    shape = broadcast(tuple(x1.shape), tuple(x2.shape))
    x1 = yield Call("expand", (x1,), shape)
    x2 = yield Call("expand", (x2,), shape)
    folded = reduce_shape(shape, dim, keepdim=True)
    units = []
    for vectors in (x1, x2):
        lengths = yield _infer_length(vectors, 2, folded)
        limited = yield Call("clamp", (lengths,), folded, {"min": eps, "max": None})
        units.append((yield Call("div", (vectors, limited), shape)))
    product = yield Call("mul", tuple(units), shape)
    return (yield Call("sum", (product,), reduce_shape(shape, dim, keepdim=False)))
