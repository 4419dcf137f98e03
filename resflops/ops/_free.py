"""Declare ops that do no arithmetic, with the gradients that several families of them share."""

from collections.abc import Mapping
from math import prod

from resflops.ops._attributes import Attributes
from resflops.ops._declaration import AtenBinding, Binding, Gradient, Shares, Window, each_gradient, op
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
    shares: Shares = "",
) -> None:
    """Declare ops that do no arithmetic, all for one reason.

    Args:
        names: the ops; several at once if they differ in nothing but their names.
        family: the kind of work, as for :func:`resflops.ops.op`.
        reason: why they are free.
        gradient: how gradients pass them.
        attributes: what the gradient depends on beside shapes.
        bindings: the torch functions that are the op.
        runs: whether torch itself runs these functions where ``infer`` does not cover a use of them.
        whole: further functions that torch runs itself, and that have no ``infer``.
        factories: functions that torch runs itself, too, and that make a tensor from no other tensor.
        aten: aten ops that are the op under another name, or that are read by a function.
        window: what they do to receptive fields.
        saves: what autograd keeps for the backward pass.
        shares: whether the outputs are views of the first input.
    """
    bound = (bindings,) if isinstance(bindings, Binding) else bindings
    run_by_torch = tuple(name for binding in bound for name in binding.functions) if runs else ()
    for name in names:
        op(
            name,
            family=family,
            attributes=attributes,
            bindings=bound,
            whole=(*run_by_torch, *whole),
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
"""The gradient of an op that repeats its first input."""
SPREAD_OUT = each_gradient(broadcast_gradient)
"""The gradient of an op that repeats each of its inputs into an output of its own."""
LOOKED_UP = each_gradient(lookup_gradient, takes=(0,))
"""The gradient of an op that reads elements of its first input, some of them perhaps more than once."""
