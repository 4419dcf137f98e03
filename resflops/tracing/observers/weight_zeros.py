"""Weight zeros: which tensors of a pass are weights, so that the zeros in them can be counted.

A weight is a parameter, a buffer, or a tensor made from these alone: a pruned layer's weight is its
parameter times its mask. Products and ops that only rearrange or cut a weight are followed. The values of a
weight that is computed in another way are left unknown, so no further kernel runs.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from msgspec import Struct
from torch import Tensor, nn

from resflops.cost.sparsity import find_weight_inputs
from resflops.errors import UsageError
from resflops.ops import ALL_BUT_FIRST, OPS
from resflops.records import OpRecord, Shape, Weights
from resflops.tracing.meta import META
from resflops.tracing.observers.observer import Observer

__all__ = ["WeightZeros", "check_values"]


class _Values(Struct, frozen=True):
    """The values of a weight, computed when they are asked for, after the pass."""

    get: Callable[[], Tensor]
    in_order: bool = True
    """Whether the elements are in the order in which the model sees them. Only their number of zeros is right
    if they are not."""


_Weight = tuple[object, _Values | None]
"""A key that tells a weight from others, and its values if they are known."""


class WeightZeros(Observer):
    """Remembers the weights that each op was given."""

    def __init__(self, model: nn.Module) -> None:
        # By tensor id: parameters and buffers, which the model holds, and their meta doubles, which the
        # recorder holds until the pass is over.
        self._own = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        # By op that works on weights alone: the values of each of its outputs, None if they are not known.
        # By op and not by tensor id, since a tensor of a real run may die before the pass ends.
        self._derived: dict[int, list[_Values | None]] = {}
        self._given: dict[int, list[tuple[int, object, _Values | None]]] = {}

    def on_double(self, tensor: Tensor, double: Tensor) -> None:
        """Take a weight's double for the weight."""
        if id(tensor) in self._own:
            self._own[id(double)] = self._own[id(tensor)]

    def on_record(
        self, index: int, record: OpRecord, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """Remember the weights of an op, and what it makes of them."""
        del outputs
        # The number may have been that of an op which has left the trace.
        self._given.pop(index, None)
        self._derived.pop(index, None)
        slots = record.output_indices or (0,) * len(inputs)
        weights = [
            self._find_weight(tensor, made, slot)
            for tensor, made, slot in zip(inputs, record.producers, slots, strict=True)
        ]
        # A quantised layer's weight comes out of a packed object, and is neither parameter nor buffer. Its
        # method below holds it, so that its id stays its own.
        if record.attributes.get("quantised"):
            packed = inputs[1]
            weights[1] = (id(packed), _Values(packed.dequantize))
        if given := _select_weights(index, record, inputs, weights):
            self._given[index] = given
        if weights and None not in weights:
            values = [weight[1] for weight in weights if weight]
            self._derived[index] = _derive_values(record.op, values, inputs, record.output_shapes)

    def count_weights(self) -> dict[int, Weights]:
        """Count, for each op that has weights, their elements and how many of these are not zero."""
        known: dict[object, int] = {}
        found = {}
        for op, given in self._given.items():
            nonzero: int | None = 0
            for _, key, value in given:
                if nonzero is None or value is None:
                    nonzero = None
                    continue
                if key not in known:
                    known[key] = int(torch.count_nonzero(value.get()))
                nonzero += known[key]
            found[op] = Weights(elements=sum(elements for elements, _, _ in given), nonzero=nonzero)
        return found

    def _find_weight(self, tensor: Tensor, made: int, slot: int) -> _Weight | None:
        """Find the key and, if they are known, the values of a weight; None if the tensor is not a weight."""
        if made >= 0:
            return ((made, slot), self._derived[made][slot]) if made in self._derived else None
        own = self._own.get(id(tensor))
        return None if own is None else (id(own), _Values(lambda: own))


def _select_weights(
    index: int, record: OpRecord, inputs: Sequence[Tensor], weights: list[_Weight | None]
) -> list[tuple[int, object, _Values | None]]:
    """Select the weights that an op applies: the elements, the key and the values of each."""
    places = find_weight_inputs(record)
    chosen = [(inputs[at].numel(), *weight) for at in places if (weight := weights[at]) is not None]
    # In a product of two weights, and in an op that uses some elements more often than others, the number
    # of zeros does not tell how many products are zero.
    unlike = any(weights) if not places else len(chosen) > 1 and not _applies_several(record.op)
    return [(0, index, None)] if unlike else chosen


def _applies_several(op: str) -> bool:
    """Whether an op applies several weights, each element of each equally often."""
    known = OPS.get(op)
    return known is not None and known.weights == ALL_BUT_FIRST


_RESHAPING = frozenset(
    ("alias", "clone", "contiguous", "detach", "flatten", "identity", "ravel", "reshape", "squeeze", "to",
     "unflatten", "unsqueeze", "view", "view_as")
)  # fmt: skip
_REORDERING = frozenset(("movedim", "permute", "swapaxes", "t", "transpose"))


def _derive_values(
    op: str, values: list[_Values | None], inputs: Sequence[Tensor], shapes: tuple[Shape, ...]
) -> list[_Values | None]:
    """Derive the values of what an op makes from weights alone, for each output."""
    known = [value for value in values if value is not None]
    if len(known) == len(values) == 1 and op in _REORDERING:
        return [_Values(known[0].get, in_order=False)]
    if len(known) < len(values) or not all(value.in_order for value in known):
        return [None] * len(shapes)
    first, *others = [value.get for value in known]
    if op == "mul" and len(others) == 1:
        return [_Values(lambda: first() * others[0]())]
    if op in _RESHAPING and not others:
        return [_Values(lambda: first().reshape(shapes[0]))]
    if op in {"chunk", "split"} and _is_cut_in_rows(inputs[0], shapes):
        return [
            _Values(partial(_take_part, first, [shape[0] for shape in shapes], at))
            for at in range(len(shapes))
        ]
    return [None] * len(shapes)


def _take_part(whole: Callable[[], Tensor], sizes: list[int], at: int) -> Tensor:
    return torch.split(whole(), sizes)[at]


def _is_cut_in_rows(whole: Tensor, parts: tuple[Shape, ...]) -> bool:
    """Whether a tensor was cut along its first dimension."""
    return all(part[1:] == tuple(whole.shape[1:]) for part in parts)


def check_values(model: nn.Module) -> None:
    """Refuse a model whose weights have no values.

    Raises:
        UsageError: the model is on the meta device.
    """
    if any(tensor.device == META for tensor in model.parameters()):
        raise UsageError(
            f"non-zero MACs were asked of {type(model).__name__}, which is on the meta device, "
            "where weights have no values; build it on the CPU, as resflops.load does with device='cpu'"
        )
