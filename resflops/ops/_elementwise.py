"""Declare an op that does the same to every element, in one line.

Its work and that of its gradients are given per element of the output.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Literal

from msgspec.structs import replace

from resflops.ops._call import (
    Call,
    NotDescribed,
    Promoted,
    TensorLike,
    broadcast,
    is_tensor,
    name_parts_dtype,
)
from resflops.ops._declaration import AtenBinding, Binding, Gradient, Op, binding, each_gradient, op
from resflops.records import OpRecord, Work

__all__ = [
    "ADD",
    "COMPARE",
    "EVALUATE",
    "MULTIPLY",
    "PASS",
    "SELECT",
    "SELF",
    "bind_function",
    "bind_two",
    "count_added_up",
    "elementwise",
    "infer_two",
    "is_inexact",
]

ADD = Work(arithmetic=1)
COMPARE = Work(comparisons=1)
EVALUATE = Work(transcendental=1)
"""One exponential, logarithm, root or the like."""

# Gradients: passed on as they arrive; times a factor or negated; or passed where the input is in range.
PASS = Work()
MULTIPLY = Work(arithmetic=1)
SELECT = Work(comparisons=1)

SELF = {"input": "self"}
"""The name that the schemas of aten ops have for the first operand."""


def elementwise(
    name: str,
    per_element: Work,
    *,
    family: str,
    on_complex: Work | None = None,
    gradient: Work | tuple[Work, ...] | Gradient | None = None,
    complex_gradient: Work | tuple[Work, ...] | None = None,
    bindings: tuple[Binding, ...] = (),
    aten: Mapping[str, AtenBinding] | tuple[str, ...] = (),
    saves: tuple[str, ...] | None = None,
) -> Op:
    """Declare an op by what one element of its output takes.

    Args:
        name: the name of the op.
        per_element: the work for one element of the output.
        family: the kind of work.
        on_complex: the work for one element if it is complex, or an input is; None if that is not known.
        gradient: the work for one element of the gradient, of the only input or of each input; or any other
            gradient.
        complex_gradient: the work for one complex element of it.
        bindings: the torch functions that are this op.
        aten: the aten ops that are this op.
        saves: what autograd keeps for the backward pass.
    """
    return op(
        name,
        family=family,
        bindings=bindings,
        aten=aten,
        work=_price_elements(per_element),
        summary=f"Per element: {_summarise(per_element)}.",
        on_complex=None if on_complex is None else _price_elements(on_complex),
        gradient=_price_gradient(gradient, complex_gradient)
        if isinstance(gradient, (Work, tuple))
        else gradient,
        saves=saves,
    )


def _price_elements(per_element: Work) -> Callable[[OpRecord], Work]:
    def work(record: OpRecord) -> Work:
        points = prod(record.output_shape)
        return Work(
            arithmetic=points * per_element.arithmetic,
            comparisons=points * per_element.comparisons,
            transcendental=points * per_element.transcendental,
        )

    return work


def count_added_up(record: OpRecord, operand: int) -> int:
    """Count the additions that fold the output's gradient into that of an input broadcast to it."""
    return max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0)


def _price_gradient(
    per_element: Work | tuple[Work, ...], per_complex: Work | tuple[Work, ...] | None
) -> Gradient:
    real = each_gradient(
        _price_operands(per_element, per_addition=1), summary=_summarise_gradient(per_element)
    )
    if per_complex is None:
        return real
    return replace(real, on_complex=each_gradient(_price_operands(per_complex, per_addition=2)).work)


def _price_operands(
    per_element: Work | tuple[Work, ...], *, per_addition: int
) -> Callable[[OpRecord, int], Work]:
    def gradient(record: OpRecord, operand: int) -> Work:
        if isinstance(per_element, Work):
            price = per_element
        else:
            price = per_element[min(operand, len(per_element) - 1)]
        work = price.times(prod(record.output_shape))
        return Work(
            arithmetic=work.arithmetic + per_addition * count_added_up(record, operand),
            comparisons=work.comparisons,
            transcendental=work.transcendental,
        )

    return gradient


def _summarise_gradient(per_element: Work | tuple[Work, ...]) -> str:
    if isinstance(per_element, Work):
        return f"per element: {_summarise(per_element)}"
    each = (f"input {place}: {_summarise(work)}" for place, work in enumerate(per_element))
    return f"per element: {'; '.join(each)}"


def _summarise(work: Work) -> str:
    return ", ".join(f"{count} {_name_work(kind, count)}" for kind, count in work.kinds()) or "nothing"


def _name_work(kind: str, count: int) -> str:
    return "comparison" if (kind, count) == ("comparisons", 1) else kind


def is_inexact(tensor: TensorLike) -> bool:
    """Whether a tensor holds real or complex numbers, rather than integers or truth values."""
    return bool(tensor.dtype.is_floating_point or tensor.dtype.is_complex)


def bind_function(
    name: str, *more: str, floating: bool = False, magnitude: bool = False
) -> tuple[Binding, ...]:
    """Bind the functions of one tensor that have a name, and those of that name that write into the tensor.

    Args:
        name: the name of the op and of the functions.
        more: further functions that do the same.
        floating: whether integers give a result of torch's default type.
        magnitude: whether complex numbers give real ones.
    """

    # Slopes, thresholds and limits change no shape; among the positional arguments that
    # follow, a bool can only be `inplace`.
    def infer(
        input: TensorLike, *more: Any, inplace: bool = False, out: Any = None, **named_more: Any
    ) -> Call:
        if out is not None:
            raise NotDescribed
        in_place = inplace or (bool(more) and more[-1] is True)
        if floating and not is_inexact(input):
            return Call(name, (input,), tuple(input.shape), {}, "default", in_place, once=True)
        dtype = name_parts_dtype(input.dtype) if magnitude else None
        return Call(name, (input,), tuple(input.shape), {}, dtype, in_place)

    def infer_in_place(input: TensorLike, *more: Any, **named_more: Any) -> Call:
        if magnitude and input.dtype.is_complex:
            raise NotDescribed
        return Call(name, (input,), tuple(input.shape), in_place=True)

    return (
        binding(infer, f"*.{name}", *more, repeated=True),
        binding(infer_in_place, f"*.{name}_", repeated=True),
    )


Result = Literal["promoted", "inexact", "bool"]
"""The element type of a result. ``promoted`` is what the operands promote to; ``inexact`` is the same, but
torch's default type for integers; ``bool`` is truth values."""


def infer_two(op: str, *, result: Result = "promoted", in_place: bool = False) -> Callable[..., Call]:
    """Make the ``infer`` of a function of two tensors, or of a tensor and a number."""

    def infer(input: Any, other: Any, *, alpha: float = 1) -> Call:
        if alpha != 1:
            raise NotDescribed
        dtype: Any
        if is_tensor(input) and is_tensor(other):
            inputs: tuple[TensorLike, ...] = (input, other)
            shape = broadcast(tuple(input.shape), tuple(other.shape))
            dtype = None if input.dtype is other.dtype else Promoted(input, other)
        else:
            tensor, number = (input, other) if is_tensor(input) else (other, input)
            # Two numbers, as in torch.div(512, 256), are computed where they stand.
            if not isinstance(number, (int, float)) or not is_tensor(tensor):
                raise NotDescribed
            inputs, shape = (tensor,), tuple(tensor.shape)
            dtype = None if is_inexact(tensor) else Promoted(tensor, number)
        if result == "bool":
            dtype = "bool"
        elif result == "inexact" and not any(map(is_inexact, inputs)):
            dtype = "default"
        # The result of integers may have torch's default type, which the next call may find changed.
        once = not inputs[0].dtype.is_floating_point
        return Call(op, inputs, shape, {}, dtype, in_place, once=once)

    return infer


def bind_two(
    op: str,
    functions: tuple[str, ...],
    in_place: tuple[str, ...] = (),
    *,
    result: Result = "promoted",
) -> tuple[Binding, ...]:
    """Bind functions of two operands by their names, wherever torch offers them."""
    pure = binding(infer_two(op, result=result), *[f"*.{name}" for name in functions], repeated=True)
    if not in_place:
        return (pure,)
    written = infer_two(op, result=result, in_place=True)
    return pure, binding(written, *[f"*.{name}" for name in in_place], repeated=True)
