"""What a torch function is about to do: a call, and its signature, which is all of it but the tensors.

Nothing here imports torch. A tensor is what has a shape and an element type, and an element type is
handed on as it came, or named by a word that the tracer turns into torch's own.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from msgspec import Struct

from resflops.records import Attribute, Shape

__all__ = [
    "Call",
    "CallSignature",
    "Mismatch",
    "NotDescribed",
    "Promoted",
    "SignedCall",
    "TensorLike",
    "broadcast",
    "dimension",
    "is_tensor",
    "name_dtype",
    "per_dimension",
    "plain_shapes",
]


class TensorLike(Protocol):
    """What a shape is worked out from: a tensor, or anything that says as much of itself."""

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
    """Whether an argument is a tensor: numbers, sequences and numpy's arrays have no such attribute."""
    return hasattr(value, "is_meta")


class Mismatch(Exception):  # noqa: N818 - the recorder turns it into a ShapeError with the layer's name
    """These shapes do not go together; the message says why, without naming the layer."""


class NotDescribed(Exception):  # noqa: N818 - a signal to the recorder, never seen by a user
    """This use of the function has no description; torch itself must run it."""


class Promoted(Struct, frozen=True):
    """The element type that torch gives the result of two operands: ``torch.result_type``."""

    left: Any
    right: Any


Blank = tuple[Shape, Any]
"""The shape and element type of a tensor to make."""


class Call(Struct, gc=False):
    """What a torch function is about to do."""

    op: str
    inputs: tuple[Any, ...]
    """The tensors whose shapes decide its cost: data and weights, not biases or statistics."""
    shape: Shape
    """Of the output."""
    attributes: dict[str, Attribute] = {}
    dtype: Any = None
    """Of the output, where it is not the first input's: torch's own, the name of one such as ``bool``,
    ``default`` for torch's default type, or ``Promoted``."""
    in_place: bool = False
    """Whether the result is the first input itself."""
    others: tuple[tuple[Shape, Any], ...] = ()
    """Shapes and types of further outputs; None is the type of the first input."""
    pack: Callable[[tuple[Any, ...]], Any] | str | None = None
    """What the outputs are handed back in where they are not one tensor: ``tuple``, or the name of one of
    torch's own pairs, such as ``max``."""
    affine: tuple[Any, ...] = ()
    """The weight and the bias that ``inputs`` leaves out; None where there is none."""
    once: bool = False
    """Whether it follows from more than the arguments, such as torch's default type."""


class CallSignature(Struct, frozen=True, gc=False):
    """A call without its tensors."""

    op: str
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    attributes: dict[str, Attribute]
    blank: Blank | None = None
    """What to make for its output; None where that is the first input itself."""
    others: tuple[Blank, ...] = ()
    """What to make for further outputs."""
    pack: Callable[[tuple[Any, ...]], Any] | None = None
    inputs: tuple[int, ...] = ()
    """Where its inputs stand among the arguments of any call of this signature."""
    affine: tuple[int, ...] = ()
    """Where the weight and the bias stand that are not among the inputs."""

    @classmethod
    def single(
        cls,
        op: str,
        input_shapes: tuple[Shape, ...],
        shape: Shape,
        dtype: Any,
        attributes: dict[str, Attribute],
    ) -> "CallSignature":
        """The signature of a call with one output, of the inputs' type."""
        shapes, name = plain_shapes((shape,)), name_dtype(dtype)
        return cls(op, plain_shapes(input_shapes), shapes, name, attributes, (shape, dtype))


class SignedCall(Struct, gc=False):
    """A call whose signature is known: where making one takes long, an op keeps those it has made."""

    signature: CallSignature
    inputs: tuple[Any, ...]
    affine: tuple[Any, ...] = ()


class _DtypeNames(dict[Any, str]):
    def __missing__(self, dtype: object) -> str:
        name = self[dtype] = str(dtype).removeprefix("torch.")
        return name


# A dict, since it is asked for every op and every tensor.
name_dtype = _DtypeNames().__getitem__
"""``float32`` for ``torch.float32``."""


# Shapes that repeat share one tuple: it takes less memory, and the garbage collector comes less often.
@lru_cache(maxsize=1 << 14)
def plain_shapes(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The shapes without torch's own type."""
    return tuple(map(tuple, shapes))


def broadcast(left: Shape, right: Shape) -> Shape:
    """The shape that two shapes broadcast to.

    >>> broadcast((8, 1, 6), (7, 1))
    (8, 7, 6)

    Raises:
        Mismatch: they do not go together.
    """
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
                f"shapes {'×'.join(map(str, left))} and {'×'.join(map(str, right))} do not go together"
            )
    return tuple(out)


def dimension(place: int, dimensions: int) -> int:
    """A place counted from the front, from one that may count from the back.

    >>> dimension(-1, 4), dimension(2, 4)
    (3, 2)

    Raises:
        NotDescribed: there is no such dimension; torch says so best.
    """
    if not -dimensions <= place < dimensions:
        raise NotDescribed
    return place % dimensions


def per_dimension(value: Any, dimensions: int) -> Shape:
    """One number a dimension, from one number or a sequence, as torch's arguments allow.

    >>> per_dimension(3, 2), per_dimension([1], 2), per_dimension((1, 2), 2)
    ((3, 3), (1, 1), (1, 2))
    """
    if isinstance(value, int):
        return (value,) * dimensions
    return tuple(value) * dimensions if len(value) == 1 else tuple(value)
