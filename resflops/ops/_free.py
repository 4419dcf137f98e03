"""Ops that do no arithmetic: how they are declared, and the gradients that several families of them share."""

from collections.abc import Mapping
from math import prod
from typing import Literal

from resflops.ops._attributes import Attributes
from resflops.ops._declaration import AtenBinding, Binding, Gradient, Window, each_gradient, op
from resflops.records import OpRecord, Work

__all__ = ["ADDED_UP", "COPY", "LOOKED_UP", "SPREAD_OUT", "VIEW", "declare_free"]

VIEW = "a view: the same memory under another shape"
COPY = "data movement: elements are copied, none is computed"


def declare_free(
    *names: str,
    family: str,
    reason: str,
    gradient: Gradient,
    attributes: type[Attributes] | None = None,
    bindings: tuple[Binding, ...] | Binding = (),
    runs: bool = False,
    whole: tuple[str, ...] = (),
    factories: tuple[str, ...] = (),
    aten: Mapping[str, AtenBinding] | tuple[str, ...] = (),
    window: Window = "",
    saves: tuple[str, ...] | None = None,
    shares: Literal["", "always", "sometimes"] = "",
) -> None:
    """Declare ops that do no arithmetic, all for one reason.

    Args:
        names: the ops. Several at once are those that nothing tells apart but their name.
        family: as of :func:`resflops.ops.op`, as are the others that are not explained here.
        reason: why they are free.
        gradient: how gradients pass them.
        attributes: what that depends on beside shapes.
        bindings: the torch functions that are the op.
        runs: whether these run as they are, in a use of them that ``infer`` does not cover.
        whole: further functions that do, and have no ``infer``.
        factories: as ``whole``, functions that make a tensor out of nothing.
        aten: aten ops that are the op under another name, or that are read by a function.
        window: what they do to receptive fields.
        saves: what autograd keeps.
        shares: whether the output lies in the first input's memory.
    """
    bound = (bindings,) if isinstance(bindings, Binding) else bindings
    running = tuple(function for each in bound for function in each.functions) if runs else ()
    for name in names:
        op(
            name,
            family=family,
            attributes=attributes,
            bindings=bound,
            whole=(*running, *whole),
            factories=factories,
            aten=aten,
            free=reason,
            gradient=gradient,
            window=window,
            saves=saves,
            shares=shares,
        )


def repetition_gradient(record: OpRecord, operand: int) -> Work:
    """n-1 additions where one element was repeated n times."""
    return Work(arithmetic=max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0))


def broadcast_gradient(record: OpRecord, operand: int) -> Work:
    """n-1 additions where one element was repeated n times."""
    return Work(arithmetic=prod(record.output_shapes[operand]) - prod(record.input_shapes[operand]))


def lookup_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per output element: the same element may have been looked up more than once."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


ADDED_UP = each_gradient(repetition_gradient, takes=(0,))
"""Of what repeats its first input."""
SPREAD_OUT = each_gradient(broadcast_gradient)
"""Of what repeats each of its inputs, for an output each."""
LOOKED_UP = each_gradient(lookup_gradient, takes=(0,))
"""Of what reads elements of its first input, some perhaps more than once."""
