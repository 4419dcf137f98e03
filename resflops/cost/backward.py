"""The backward pass of a trace: which gradients it takes, and what each of them costs.

Nothing is run: the trace tells by ``producers`` what every tensor was made from, and
the gradient rules what each op's gradients cost. A gradient is needed where the operand
was made from a trainable parameter. The caller's inputs need none, nor do frozen
parameters, buffers and constants, nor what was made from these alone; and none passes an op
that gives whole numbers or truth values, that cuts the history off, or that the model runs
inside a ``torch.no_grad()`` of its own.

The pass begins with the gradients of the model's outputs: the loss is not part of the
model, nor is the optimiser's step. Every output is taken to have a part in the loss, and so
is every tensor that no op goes on with, since a trace does not see into every container
that a model may hand back. What leads to none of them has no gradient.

A tensor that several ops use gets a gradient from each, and they are added up: one
addition per element for each use after the first, which stands with that use. So does
a parameter that is used several times.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from msgspec import Struct

from resflops.cost.convention import Convention
from resflops.cost.frames import frame_of
from resflops.cost.uncounted import UncountedOp, uncounted_ops
from resflops.errors import UsageError
from resflops.ops import OPS, Gradient
from resflops.records import MODEL_INPUT, PARAMETER, OpRecord, Shape, TensorRecord, Trace, Work, sum_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backward", "GradientRow", "OpGradient", "gradients_of", "prices_gradients"]


class OpGradient(Struct, frozen=True, kw_only=True, gc=False):
    """The backward work of one op, apart by what the gradient is for."""

    inputs: Work = Work()
    """For what was made from the model's input: activations."""
    weights: Work = Work()
    """For what was made from parameters alone: weights, biases, and views of them."""


class GradientRow(Struct, frozen=True, kw_only=True):
    """What the backward pass of one layer's op takes, over all calls on the same shapes."""

    name: str
    """Dotted path of the module; ``""`` is the model itself."""
    op: str
    calls: int
    input_shape: Shape
    output_shape: Shape
    input_macs: int
    """For the gradient of activations."""
    weight_macs: int
    """For the gradient of parameters."""
    macs: int
    """Both together."""
    input_total: int
    """Under the convention, as the next two."""
    weight_total: int
    total: int
    counted: bool
    """False where a gradient is needed and the op has no gradient rule."""


class Backward(Struct, frozen=True, kw_only=True, dict=True):
    """A backward pass, priced: what training costs beside the forward pass."""

    trace: Trace
    priced_by: Convention
    gradients: tuple[OpGradient | None, ...]
    """Op for op beside ``trace.ops``; None where a gradient is needed and there is no rule."""

    @property
    def convention(self) -> str:
        """Name of the convention that the totals are under."""
        return self.priced_by.name

    @cached_property
    def input_work(self) -> Work:
        """The work of the gradients for activations, kind by kind."""
        return sum_of(gradient.inputs for gradient in self.gradients if gradient)

    @cached_property
    def weight_work(self) -> Work:
        """The work of the gradients for parameters, kind by kind."""
        return sum_of(gradient.weights for gradient in self.gradients if gradient)

    @property
    def work(self) -> Work:
        """The work of the whole pass, kind by kind."""
        return sum_of((self.input_work, self.weight_work))

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
        """Cost under the convention by op name, the dearest first."""
        totals: dict[str, int] = {}
        for row in self.layers:
            if row.total:
                totals[row.op] = totals.get(row.op, 0) + row.total
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    @cached_property
    def uncounted(self) -> tuple[UncountedOp, ...]:
        """Ops that need a gradient and have no rule for it, the most data touched first."""
        return uncounted_ops(self.trace, self.gradients)

    @property
    def complete(self) -> bool:
        """Whether every gradient that is needed has been counted."""
        return None not in self.gradients

    @cached_property
    def layers(self) -> tuple[GradientRow, ...]:
        """One row for each layer and op that a gradient costs work in; they add up to the totals."""
        groups: dict[tuple[str, str, tuple[Shape, ...], Shape], list[OpGradient | None]] = {}
        for record, gradient in zip(self.trace.ops, self.gradients, strict=True):
            if gradient != _NOTHING:
                key = (record.layer, record.op, record.input_shapes, record.output_shape)
                groups.setdefault(key, []).append(gradient)
        return tuple(
            self._row(layer, op, shapes[0] if shapes else (), output, gradients)
            for (layer, op, shapes, output), gradients in groups.items()
        )

    def to_frame(self) -> "pd.DataFrame":
        """The layers as a pandas data frame, one row each, numbers as numbers."""
        return frame_of(GradientRow, self.layers)

    def _row(
        self, layer: str, op: str, given: Shape, output: Shape, gradients: list[OpGradient | None]
    ) -> GradientRow:
        inputs = sum_of(gradient.inputs for gradient in gradients if gradient)
        weights = sum_of(gradient.weights for gradient in gradients if gradient)
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


def prices_gradients(using: Convention) -> bool:
    """Whether a convention says what a backward pass counts: it prices kinds of work and no op's size.

    A price on the size of an op's output, or on single ops, is about the forward pass.
    """
    return not using.op_prices and not using.views and set(using.prices) <= set(Work.__struct_fields__)


def _price(work: Work, using: Convention) -> int:
    return sum(using.prices.get(kind, 0) * count for kind, count in work.kinds())


def gradients_of(trace: Trace) -> tuple[OpGradient | None, ...]:
    """The backward work of every op of a trace.

    Raises:
        UsageError: the trace was recorded without telling parameters from constants.
    """
    if not trace.tells_parameters:
        raise UsageError(
            f"the trace of {trace.model} does not tell parameters from constants, so nothing says where a "
            "gradient is needed; it was recorded by an older resflops: trace the model anew"
        )
    walk = _Walk(trace)
    return tuple([walk.step(record) for record in trace.ops])


_NOTHING = OpGradient()
_FLOATING = ("float", "bfloat", "complex")
_WITH_INDICES = frozenset(
    ("max", "min", "sort", "topk", "median", "nanmedian", "kthvalue", "mode", "cummax", "cummin",
     "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
     "adaptive_max_pool3d", "fractional_max_pool2d", "fractional_max_pool3d")
)  # fmt: skip
"""Ops whose outputs after the first are indices, which have no gradient."""


class _Operand(Struct, frozen=True):
    """A tensor that an op takes: who made it, and which of that op's outputs it is."""

    producer: int
    slot: int


class _Walk:
    """The state of a walk along the ops: what is known of the tensors made so far."""

    def __init__(self, trace: Trace) -> None:
        self._ops = trace.ops
        self._arriving = _arriving(trace)
        self._parameters: list[TensorRecord] = [
            tensor for module in trace.modules for tensor in module.parameters
        ]
        # Op for op, whether its output needs a gradient, and whether it was made from the
        # model's input or, as a tensor of ones is, in the forward pass itself.
        self._needing: list[bool] = []
        self._activation: list[bool] = []
        self._used: set[_Operand] = set()

    def step(self, record: OpRecord) -> OpGradient | None:
        """The backward work of the next op."""
        operands = list(_operands(record))
        needed = tuple(
            [place for place in _passing(record, operands, self._ops) if self._needs(operands[place])]
        )
        arrives = self._arriving[len(self._needing)]
        self._needing.append(bool(needed))
        self._activation.append(not operands or any(map(self._is_activation, operands)))
        if not needed or not arrives:
            return _NOTHING
        works = _works(record, needed)
        if works is None:
            return None
        parts: tuple[list[Work], list[Work]] = ([], [])
        for place, work in zip(needed, works, strict=True):
            operand = operands[place]
            part = parts[0] if self._is_activation(operand) else parts[1]
            part += [work, self._joined(operand)]
        return OpGradient(inputs=sum_of(parts[0]), weights=sum_of(parts[1]))

    def _needs(self, operand: _Operand) -> bool:
        if operand.producer < 0:
            return operand.producer <= PARAMETER
        return self._needing[operand.producer]

    def _is_activation(self, operand: _Operand) -> bool:
        if operand.producer < 0:
            return operand.producer == MODEL_INPUT
        return self._activation[operand.producer]

    def _joined(self, operand: _Operand) -> Work:
        """Adding this use's gradient to those of the uses before."""
        if operand not in self._used:
            self._used.add(operand)
            return Work()
        return Work(arithmetic=self._elements(operand))

    def _elements(self, operand: _Operand) -> int:
        if operand.producer <= PARAMETER:
            return self._parameters[PARAMETER - operand.producer].elements
        return prod(self._ops[operand.producer].output_shapes[operand.slot])


def _operands(record: OpRecord) -> Iterator[_Operand]:
    slots = record.output_indices or (0,) * len(record.producers)
    for producer, slot in zip(record.producers, slots, strict=True):
        yield _Operand(producer, slot)
    for producer in record.affine_producers:
        yield _Operand(producer, 0)


def _arriving(trace: Trace) -> list[bool]:
    """Op for op, whether a gradient comes back to its output: it leads to what the model gives back."""
    outputs = set(trace.outputs)
    used, arriving = [False] * len(trace.ops), [False] * len(trace.ops)
    for place in reversed(range(len(trace.ops))):
        record = trace.ops[place]
        operands = list(_operands(record))
        arriving[place] |= place in outputs or not used[place]
        for operand in operands:
            if operand.producer >= 0:
                used[operand.producer] = True
        if arriving[place]:
            for passing in _passing(record, operands, trace.ops):
                if operands[passing].producer >= 0:
                    arriving[operands[passing].producer] = True
    return arriving


def _passing(record: OpRecord, operands: Sequence[_Operand], ops: Sequence[OpRecord]) -> Iterator[int]:
    """The operands that a gradient of the op's output passes on to."""
    takes = _takes(record)
    for place, operand in enumerate(operands):
        if takes is not None and place not in takes:
            continue
        if not (operand.slot and ops[operand.producer].op in _WITH_INDICES):
            yield place


def _takes(record: OpRecord) -> frozenset[int] | None:
    """The operands that can have a gradient at all; None is every one."""
    if not record.records_gradient or not record.dtype.startswith(_FLOATING):
        return frozenset()
    if record.attributes.get("quantised"):
        # A layer quantised on the fly gives floats, and has no backward pass even so.
        return frozenset()
    gradient = _gradient(record)
    return gradient.takes if gradient else None


def _works(record: OpRecord, needed: tuple[int, ...]) -> tuple[Work, ...] | None:
    """The work of each gradient that is needed; None where there is no rule."""
    gradient = _gradient(record)
    if gradient is None:
        return None
    return (Work(),) * len(needed) if gradient.work is None else gradient.work(record, needed)


def _gradient(record: OpRecord) -> Gradient | None:
    known = OPS.get(record.op)
    return known.gradient if known else None
