"""Calls of torch functions, and their signatures, which are all of a call but its tensors.

Nothing here imports torch. A tensor is whatever has a shape and an element type. An element type is
passed on unchanged, or given by a name that the tracer turns into torch's own.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, Protocol

from msgspec import Struct

from resflops.records import Attribute, Shape

__all__ = [
    "Blank",
    "Call",
    "CallSignature",
    "Mismatch",
    "NotDescribed",
    "Promoted",
    "SharedWith",
    "SignedCall",
    "TensorLike",
    "broadcast",
    "is_tensor",
    "name_dtype",
    "name_parts_dtype",
    "per_dimension",
    "plain_shapes",
    "wrap_dimension",
]


class TensorLike(Protocol):
    """A tensor as far as shapes are inferred from it, or anything with the same attributes."""

    @property
    def shape(self) -> Any:
        """Sizes per dimension."""

    @property
    def dtype(self) -> Any:
        """Element type."""

    def dim(self) -> int:
        """Number of dimensions."""

    def numel(self) -> int:
        """Number of elements."""


def is_tensor(value: object) -> bool:
    """Whether an argument is a tensor."""
    # Numbers, sequences and numpy's arrays have no such attribute, and torch cannot be imported here.
    return hasattr(value, "is_meta")


class Mismatch(Exception):  # noqa: N818 - the recorder turns it into a ShapeError with the layer's name
    """The shapes of a call do not match; the message says why, without naming the layer."""


class NotDescribed(Exception):  # noqa: N818 - a signal to the recorder, never seen by a user
    """``infer`` does not cover this use of the function, so that torch itself must run it."""


class Promoted(Struct, frozen=True):
    """The element type of the result of two operands, which is ``torch.result_type`` of them."""

    left: Any
    right: Any


Blank = tuple[Shape, Any] | tuple[Shape, Any, Shape]
"""The shape and element type of a tensor to make, and its strides unless the elements lie in the order of the
shape."""


# Not frozen, because an ``infer`` may take the call that another makes and change a field of it. ``gc=False``
# because it is in no cycle, and the garbage collector need not look at it.
class Call(Struct, gc=False):
    """The op that a torch function is about to run: its inputs, outputs and attributes."""

    op: str
    inputs: tuple[Any, ...]
    """The tensors whose shapes decide the cost: data and weights, but not biases or statistics."""
    shape: Shape
    """Shape of the output."""
    attributes: dict[str, Attribute] = {}
    dtype: Any = None
    """Element type of the output; None is that of the first input. Else it is one of torch's own, the name of
    one, such as ``bool``, ``default`` for torch's default type, or ``Promoted``."""
    in_place: bool = False
    """Whether the result is the first input itself."""
    others: tuple[tuple[Shape, Any], ...] = ()
    """Shapes and element types of further outputs; None is the type of the first input."""
    pack: Callable[[tuple[Any, ...]], Any] | str | None = None
    """What several outputs are returned in: ``tuple``, or the name of one of torch's own pairs, such as
    ``max``."""
    affine: tuple[Any, ...] = ()
    """The weight and the bias that are not among ``inputs``; None stands for one that is missing."""
    once: bool = False
    """Whether the call depends on more than its arguments, such as torch's default type, so that its
    signature must not be kept for the next call."""


SharedWith = Literal["", "first", "each"]
"""In whose memory the outputs of a call lie: all in that of the ``first`` input, which they are or which they
are views of; ``each`` in that of the input in its place; ``""`` where the call makes memory."""


class CallSignature(Struct, frozen=True, gc=False):
    """A call without its tensors."""

    op: str
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    attributes: dict[str, Attribute]
    blank: Blank | None = None
    """Shape and element type of the output to make; None if the output is the first input itself."""
    others: tuple[Blank, ...] = ()
    """Shapes and element types of further outputs to make."""
    pack: Callable[[tuple[Any, ...]], Any] | None = None
    inputs: tuple[int, ...] = ()
    """Positions of the inputs among the arguments of any call with this signature."""
    affine: tuple[int, ...] = ()
    """Positions of the weight and the bias that are not among the inputs."""
    shares: SharedWith = ""

    @classmethod
    def single(
        cls,
        op: str,
        input_shapes: tuple[Shape, ...],
        shape: Shape,
        dtype: Any,
        attributes: dict[str, Attribute],
    ) -> "CallSignature":
        """Make the signature of a call with one output, whose element type is that of the inputs."""
        shapes, name = plain_shapes((shape,)), name_dtype(dtype)
        return cls(op, plain_shapes(input_shapes), shapes, name, attributes, (shape, dtype))


class SignedCall(Struct, gc=False):
    """A call whose signature is known: an op whose signatures take long to make caches them itself."""

    signature: CallSignature
    inputs: tuple[Any, ...]
    affine: tuple[Any, ...] = ()


class _NamesByDtype(dict[Any, str]):
    def __missing__(self, dtype: object) -> str:
        name = self[dtype] = str(dtype).removeprefix("torch.")
        return name


# The method of a dict, because the recorder calls it for every op and every tensor, and this way a type that
# is known takes no Python code.
name_dtype = _NamesByDtype().__getitem__
"""Name an element type: ``float32`` for ``torch.float32``."""


# Shapes that repeat share one tuple: it takes less memory, and the garbage collector comes less often.
@lru_cache(maxsize=1 << 14)
def plain_shapes(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """Turn shapes of torch's own type into plain tuples."""
    return tuple(map(tuple, shapes))


def broadcast(left: Shape, right: Shape) -> Shape:
    """Compute the shape that two shapes broadcast to.

    >>> broadcast((8, 1, 6), (7, 1))
    (8, 7, 6)

    Raises:
        Mismatch: the shapes cannot be broadcast.
    """
    # By far the usual case: the loop is for the others.
    if left == right:
        return left
    if len(left) < len(right):
        left, right = right, left
    head = len(left) - len(right)
    out = list(left)
    for place, size in enumerate(right, head):
        if out[place] == 1:
            out[place] = size
        elif size not in (1, out[place]):
            raise Mismatch(
                f"shapes {'×'.join(map(str, left))} and {'×'.join(map(str, right))} cannot be broadcast"
            )
    return tuple(out)


def wrap_dimension(place: int, dimensions: int) -> int:
    """Count a dimension from the front, given one that may count from the back.

    >>> wrap_dimension(-1, 4), wrap_dimension(2, 4)
    (3, 2)

    Raises:
        NotDescribed: there is no such dimension; torch itself gives the best message.
    """
    if not -dimensions <= place < dimensions:
        raise NotDescribed
    return place % dimensions


def name_parts_dtype(dtype: Any) -> str | None:
    """Name the element type of a complex number's two parts; None for a type that is not complex.

    A magnitude, a norm or a variance of complex numbers has it.
    """
    return _PARTS.get(name_dtype(dtype))


_PARTS = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}


def per_dimension(value: Any, dimensions: int) -> Shape:
    """Spread an argument over the dimensions: torch accepts one number, or a sequence of one or of all.

    >>> per_dimension(3, 2), per_dimension([1], 2), per_dimension((1, 2), 2)
    ((3, 3), (1, 1), (1, 2))
    """
    if isinstance(value, int):
        return (value,) * dimensions
    return tuple(value) * dimensions if len(value) == 1 else tuple(value)
