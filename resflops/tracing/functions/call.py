"""What a torch function is about to do: a call, and its form, which is all of it but the tensors."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

from resflops.records import Attribute, Shape
from resflops.tracing.modules import DTYPE_NAMES

__all__ = ["Call", "Form", "Formed", "form_of", "plain_shapes"]

Blank = tuple[Shape, torch.dtype]
"""The shape and type of a tensor to make."""


class Call(Struct, gc=False):
    """What a torch function is about to do."""

    op: str
    inputs: tuple[Tensor, ...]
    """The tensors whose shapes decide its cost: data and weights, not biases or statistics."""
    shape: Shape
    """Of the output."""
    attributes: dict[str, Attribute] = {}
    dtype: torch.dtype | None = None
    """Of the output, where it is not the first input's."""
    in_place: bool = False
    """Whether the result is the first input itself."""
    others: tuple[tuple[Shape, torch.dtype | None], ...] = ()
    """Shapes and types of further outputs; None is the type of the first input."""
    pack: Callable[[tuple[Tensor, ...]], Any] | None = None
    """What the outputs are handed back in where they are not one tensor, such as ``tuple``."""
    affine: tuple[Tensor | None, ...] = ()
    """The weight and the bias that ``inputs`` leaves out; None where there is none."""
    once: bool = False
    """Whether it follows from more than the arguments, such as torch's default type."""


class Form(Struct, frozen=True, gc=False):
    """A call without its tensors."""

    op: str
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    attributes: dict[str, Attribute]
    blanks: tuple[Blank, ...] = ()
    """What to make for its outputs; for a call in place, for those after the first."""
    in_place: bool = False
    pack: Callable[[tuple[Tensor, ...]], Any] | None = None
    inputs: tuple[int, ...] = ()
    """Where its inputs stand among the arguments of any call of this form."""
    affine: tuple[int, ...] = ()
    """Where the weight and the bias stand that are not among the inputs."""

    @classmethod
    def single(
        cls,
        op: str,
        input_shapes: tuple[Shape, ...],
        shape: Shape,
        dtype: torch.dtype,
        attributes: dict[str, Attribute],
    ) -> "Form":
        """The form of a call with one output, of the inputs' type."""
        shapes, name = plain_shapes((shape,)), DTYPE_NAMES[dtype]
        return cls(op, plain_shapes(input_shapes), shapes, name, attributes, ((shape, dtype),))


class Formed(Struct, gc=False):
    """A call whose form is known: where a layer's description takes long, it keeps the forms it has made."""

    form: Form
    inputs: tuple[Tensor, ...]
    affine: tuple[Tensor | None, ...] = ()


# Shapes that repeat share one tuple: it takes less memory, and the garbage collector comes less often.
@lru_cache(maxsize=1 << 14)
def plain_shapes(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The shapes without torch's own type."""
    return tuple(map(tuple, shapes))


def form_of(call: Call, inputs: tuple[int, ...] = (), affine: tuple[int, ...] = ()) -> Form:
    """The form of a call; of one that serves again, with the places of its tensors."""
    kind = call.dtype or call.inputs[0].dtype
    blanks = [] if call.in_place else [(call.shape, kind)]
    for shape, other in call.others:
        blanks.append((shape, other or call.inputs[0].dtype))
    return Form(
        op=call.op,
        input_shapes=plain_shapes(tuple([tensor.shape for tensor in call.inputs])),
        output_shapes=plain_shapes((call.shape, *[shape for shape, _ in call.others])),
        dtype=DTYPE_NAMES[kind],
        attributes=call.attributes,
        blanks=tuple(blanks),
        in_place=call.in_place,
        pack=call.pack,
        inputs=inputs,
        affine=affine,
    )
