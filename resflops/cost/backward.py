"""The backward pass of a trace: which gradients it needs, and what each of them costs.

Nothing is run. The trace records in ``producers`` what every tensor was made from, and the
gradient rules say what each op's gradients cost. A gradient is needed where the operand was
made from a trainable parameter. The caller's inputs need none, nor do frozen parameters,
buffers and constants, nor anything made from these alone. No gradient passes an op that
returns integers or truth values, that cuts the history off, or that the model runs inside a
``torch.no_grad()`` of its own.

The pass begins with the gradients of the model's outputs: neither the loss nor the
optimiser's step is part of the model. Every output is assumed to contribute to the loss, and
so is every tensor that no other op uses, because a trace cannot look into every container
that a model may return. A tensor that leads to none of these has no gradient, nor has what is
written into other tensors and read by no op and no output.

A tensor used by several ops gets a gradient from each, and these are added up: one addition
per element for each use after the first, counted with that use. The same holds for a
parameter that is used several times.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import Convention
from resflops.cost.frames import make_frame
from resflops.cost.operands import Operand, Reading, Readings, read_operands
from resflops.cost.uncounted import UncountedOp, find_uncounted_ops
from resflops.errors import UsageError
from resflops.extensions import find_display
from resflops.ops import COMPLEX_TYPES, OPS, Gradient, is_complex
from resflops.records import (
    MODEL_INPUT,
    PARAMETER,
    OpRecord,
    Shape,
    TensorRecord,
    Trace,
    Work,
    add_works,
    describe_inputs,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backward", "GradientRow", "OpGradient", "count_gradients", "prices_gradients"]


class OpGradient(Struct, frozen=True, kw_only=True, gc=False):
    """The backward work of one op, split by what the gradient is for."""

    inputs: Work = Work()
    """The gradients of activations: tensors made from the model's input."""
    weights: Work = Work()
    """The gradients of parameters: weights, biases, and tensors made from these alone."""


class GradientRow(Struct, frozen=True, kw_only=True):
    """The cost of the backward pass of one layer's op, over all calls on the same shapes."""

    name: str
    """Dotted path of the module; ``""`` is the model itself."""
    op: str
    calls: int
    input_shape: Shape
    output_shape: Shape
    input_macs: int
    """Multiply-accumulates of the gradients of activations."""
    weight_macs: int
    """Multiply-accumulates of the gradients of parameters."""
    macs: int
    """The sum of ``input_macs`` and ``weight_macs``."""
    input_total: int
    """Cost of the gradients of activations, under the convention."""
    weight_total: int
    """Cost of the gradients of parameters, under the convention."""
    total: int
    """The sum of ``input_total`` and ``weight_total``."""
    counted: bool
    """False where a gradient is needed and the op has no gradient rule."""


# ``dict=True`` because a cached property keeps its value in the instance's ``__dict__``.
class Backward(Struct, frozen=True, kw_only=True, dict=True):
    """A backward pass, priced: what training costs beside the forward pass."""

    trace: Trace
    priced_by: Convention
    gradients: tuple[OpGradient | None, ...]
    """One entry for each of ``trace.ops``; None where a gradient is needed and the op has no rule."""

    @property
    def convention(self) -> str:
        """Name of the convention that the totals are under."""
        return self.priced_by.name

    @cached_property
    def input_work(self) -> Work:
        """The work of the gradients for activations, kind by kind."""
        return add_works(gradient.inputs for gradient in self.gradients if gradient)

    @cached_property
    def weight_work(self) -> Work:
        """The work of the gradients for parameters, kind by kind."""
        return add_works(gradient.weights for gradient in self.gradients if gradient)

    @property
    def work(self) -> Work:
        """The work of the whole pass, kind by kind."""
        return add_works((self.input_work, self.weight_work))

    @property
    def input_macs(self) -> int:
        """Multiply-accumulates of the gradients for activations."""
        return self.input_work.macs

    @property
    def weight_macs(self) -> int:
        """Multiply-accumulates of the gradients for parameters."""
        return self.weight_work.macs

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole pass."""
        return self.input_macs + self.weight_macs

    @property
    def input_total(self) -> int:
        """Cost of the gradients for activations, under the convention."""
        return _price(self.input_work, self.priced_by)

    @property
    def weight_total(self) -> int:
        """Cost of the gradients for parameters, under the convention."""
        return _price(self.weight_work, self.priced_by)

    @property
    def total(self) -> int:
        """Cost of the whole pass, under the convention."""
        return self.input_total + self.weight_total

    @cached_property
    def by_op(self) -> dict[str, int]:
        """Cost under the convention by op name, the most expensive first."""
        totals: dict[str, int] = {}
        for row in self.layers:
            if row.total:
                totals[row.op] = totals.get(row.op, 0) + row.total
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    @cached_property
    def uncounted(self) -> tuple[UncountedOp, ...]:
        """Ops that need a gradient and have no rule for it, those that touch the most data first."""
        return find_uncounted_ops(self.trace, self.gradients)

    @property
    def complete(self) -> bool:
        """Whether every gradient that is needed has been counted."""
        return None not in self.gradients

    @cached_property
    def layers(self) -> tuple[GradientRow, ...]:
        """One row for each layer and op that a gradient costs work in; they add up to the totals."""
        groups: dict[tuple[str, str, tuple[Shape, ...], Shape], list[OpGradient | None]] = {}
        for record, gradient in zip(self.trace.ops, self.gradients, strict=True):
            # A missing rule (None) gets a row as well, which says that the gradient is not counted.
            if gradient != _NOTHING:
                key = (record.layer, record.op, record.input_shapes, record.output_shape)
                groups.setdefault(key, []).append(gradient)
        return tuple(
            self._make_row(layer, op, shapes[0] if shapes else (), output, gradients)
            for (layer, op, shapes, output), gradients in groups.items()
        )

    def to_frame(self) -> "pd.DataFrame":
        """Turn the layers into a pandas data frame, one row each, numbers as numbers."""
        return make_frame(GradientRow, self.layers)

    to_pandas = to_frame

    def __repr__(self) -> str:
        least = "" if self.complete else "≥ "
        return (
            f"Backward({describe_inputs(self.trace)}: {least}{self.macs:,} MACs, {self.input_macs:,} for "
            f"activations and {self.weight_macs:,} for parameters)"
        )

    def _repr_html_(self) -> str:
        html: str = find_display("html")(self)
        return html

    # msgspec gives every struct one, which would show all that it holds.
    __rich_repr__ = None  # type: ignore[assignment]

    def _make_row(
        self, layer: str, op: str, given: Shape, output: Shape, gradients: list[OpGradient | None]
    ) -> GradientRow:
        inputs = add_works(gradient.inputs for gradient in gradients if gradient)
        weights = add_works(gradient.weights for gradient in gradients if gradient)
        input_total, weight_total = _price(inputs, self.priced_by), _price(weights, self.priced_by)
        return GradientRow(
            name=layer,
            op=op,
            calls=len(gradients),
            input_shape=given,
            output_shape=output,
            input_macs=inputs.macs,
            weight_macs=weights.macs,
            macs=inputs.macs + weights.macs,
            input_total=input_total,
            weight_total=weight_total,
            total=input_total + weight_total,
            counted=None not in gradients,
        )


def prices_gradients(convention: Convention) -> bool:
    """Whether a convention defines the cost of a backward pass.

    It does if it prices kinds of work alone, the same for every op. A price on the size of an op's
    output, or a price of its own for some op, is about the forward pass.
    """
    return (
        not convention.op_prices
        and not convention.views
        and set(convention.prices) <= set(Work.__struct_fields__)
    )


def _price(work: Work, convention: Convention) -> int:
    return sum(convention.prices.get(kind, 0) * count for kind, count in work.kinds())


def count_gradients(trace: Trace) -> tuple[OpGradient | None, ...]:
    """Count the backward work of every op of a trace.

    Raises:
        UsageError: the trace does not distinguish parameters from constants.
    """
    if not trace.tells_parameters:
        raise UsageError(
            f"the trace of {trace.model} was recorded by an older resflops and does not distinguish "
            "parameters from constants, so it does not say where a gradient is needed; trace the model again"
        )
    walk = _Walk(trace)
    return tuple([walk.step(record) for record in trace.ops])


_NOTHING = OpGradient()
_FLOATING = ("float", "bfloat", "complex")


class _Walk:
    """A walk along the ops in forward order, with what is known of the tensors made so far."""

    def __init__(self, trace: Trace) -> None:
        self._ops = trace.ops
        self._readings = read_operands(trace)
        self._arrives = _find_arriving(trace, self._readings)
        self._parameters: list[TensorRecord] = [
            tensor for module in trace.modules for tensor in module.parameters
        ]
        # One entry for each op so far. A producer always stands before its users in a trace, so the
        # entry of an operand's producer exists by the time that it is looked up.
        self._needs_gradient: list[bool] = []
        # An op's output is an activation if it was made from the model's input or, like a tensor of
        # ones, in the forward pass itself; else it was made from parameters alone.
        self._activation: list[bool] = []
        self._used: set[Operand] = set()

    def step(self, record: OpRecord) -> OpGradient | None:
        """Count the backward work of the next op."""
        reading = self._readings.by_op[len(self._needs_gradient)]
        operands = reading.operands
        needed = tuple(
            [place for place in _find_passing(record, reading, self._ops) if self._needs(operands[place])]
        )
        arrives = self._arrives[len(self._needs_gradient)]
        self._needs_gradient.append(
            bool(needed) or (reading.before is not None and self._needs(reading.before))
        )
        self._activation.append(not operands or any(map(self._is_activation, operands)))
        if not needed or not arrives:
            return _NOTHING
        works = _count_each(record, needed)
        if works is None:
            return None
        parts: tuple[list[Work], list[Work]] = ([], [])
        for place, work in zip(needed, works, strict=True):
            operand = operands[place]
            part = parts[0] if self._is_activation(operand) else parts[1]
            part += [work, self._accumulate(operand)]
        return OpGradient(inputs=add_works(parts[0]), weights=add_works(parts[1]))

    def _needs(self, operand: Operand) -> bool:
        # A producer below zero is no op. Trainable parameters are numbered from PARAMETER downwards.
        if operand.producer < 0:
            return operand.producer <= PARAMETER
        return self._needs_gradient[operand.producer]

    def _is_activation(self, operand: Operand) -> bool:
        if operand.producer < 0:
            return operand.producer == MODEL_INPUT
        return self._activation[operand.producer]

    def _accumulate(self, operand: Operand) -> Work:
        """Count the additions that join this use's gradient to those of the uses before it."""
        # An operand is told apart by its output, too: uses of two outputs of one op add nothing up.
        if operand in self._used:
            return Work(arithmetic=self._count_numbers(operand))
        self._used.add(operand)
        # The first use of a view of what was written is a use of the base, from which it is taken anew.
        return self._accumulate(replace(operand, view=None)) if operand.view else Work()

    def _count_numbers(self, operand: Operand) -> int:
        """Count the numbers that a tensor holds: a complex one is two."""
        if operand.producer <= PARAMETER:
            parameter = self._parameters[PARAMETER - operand.producer]
            return parameter.elements * (1 + (parameter.dtype in COMPLEX_TYPES))
        producer, slot = operand.view or (operand.producer, operand.slot)
        maker = self._ops[producer]
        elements = prod(maker.output_shapes[slot])
        if operand.view is None:
            elements = self._readings.elements.get(producer, elements)
        return elements * (1 + (maker.dtype in COMPLEX_TYPES))


def _find_arriving(trace: Trace, readings: Readings) -> list[bool]:
    """Find, for each op, whether a gradient arrives at its output, which then leads to one of the model's."""
    used, arriving = [False] * len(trace.ops), [False] * len(trace.ops)
    # Backwards, so that all users of an op's output have been seen before the op itself.
    for place in reversed(range(len(trace.ops))):
        record, reading = trace.ops[place], readings.by_op[place]
        # An output that no op uses may be in a container that the trace could not look into. What is written
        # and not read again is not: the tensor that holds it had been there before.
        ends = not used[place] and not (reading.writes and readings.outputs)
        arriving[place] |= place in readings.outputs or ends
        for producer in (*record.producers, *[operand.producer for operand in reading.operands]):
            if producer >= 0:
                used[producer] = True
        if arriving[place]:
            passing = [reading.operands[at] for at in _find_passing(record, reading, trace.ops)]
            # Around what was written through a view, the gradient passes on to the base as it was.
            for operand in (*passing, *([reading.before] if reading.before else ())):
                if operand.producer >= 0:
                    arriving[operand.producer] = True
    return arriving


def _find_passing(record: OpRecord, reading: Reading, ops: Sequence[OpRecord]) -> Iterator[int]:
    """Find the operands to which a gradient of the op's output passes on."""
    takes = _find_takes(record)
    for place, operand in enumerate(reading.operands):
        if takes is not None and place not in takes:
            continue
        if not (operand.slot and _gives_indices(ops[operand.producer])):
            yield place


def _gives_indices(record: OpRecord) -> bool:
    """Whether the outputs of an op after the first are indices, which have no gradient."""
    declared = OPS.get(record.op)
    return declared is not None and declared.gives_indices


def _find_takes(record: OpRecord) -> frozenset[int] | None:
    """Find the operands that can have a gradient at all; None stands for every one."""
    if not record.records_gradient or not record.dtype.startswith(_FLOATING):
        return frozenset()
    if record.attributes.get("quantised"):
        # A layer quantised on the fly gives floats, and has no backward pass even so.
        return frozenset()
    gradient = _find_gradient(record)
    return gradient.takes if gradient else None


def _count_each(record: OpRecord, needed: tuple[int, ...]) -> tuple[Work, ...] | None:
    """Count the work of each gradient that is needed; None where there is no rule."""
    gradient = _find_gradient(record)
    if gradient is None:
        return None
    if gradient.work is None:
        return (Work(),) * len(needed)
    rule = gradient.on_complex if is_complex(record) else gradient.work
    return None if rule is None else rule(record, needed)


def _find_gradient(record: OpRecord) -> Gradient | None:
    declared = OPS.get(record.op)
    return declared.gradient if declared else None
