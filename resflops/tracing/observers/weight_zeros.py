"""Weight zeros: which tensors of a pass are weights, so that the zeros in them can be counted.

A weight is a parameter or a buffer, or what was made from these alone: a pruned layer's is its
parameter times its mask. Products of the two, and what only looks at a weight in another
way, are followed; no other kernel is run, and the values of a weight that is computed in another
way are left unknown.
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
    """A weight's values, had when they are asked for, after the pass."""

    get: Callable[[], Tensor]
    in_order: bool = True
    """Whether its elements lie where the model sees them, and not only are the same."""


_Weight = tuple[object, _Values | None]
"""What tells a weight from others, and its values if they are known."""


class WeightZeros(Observer):
    """Remembers the weights that each op was given."""

    def __init__(self, model: nn.Module) -> None:
        # By tensor id: parameters and buffers, which the model holds, and their meta doubles, which
        # who makes them holds until the pass is over.
        self._own = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        # What an op made from weights alone, by op, for each output: None if its values are not known.
        self._derived: dict[int, list[_Values | None]] = {}
        self._given: dict[int, list[tuple[int, object, _Values | None]]] = {}

    def on_double(self, tensor: Tensor, double: Tensor) -> None:
        """A weight's double stands for the weight."""
        if id(tensor) in self._own:
            self._own[id(double)] = self._own[id(tensor)]

    def on_record(
        self, index: int, record: OpRecord, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """Remember an op's weights, and what it makes of them."""
        del outputs
        # An op that was taken back has left its number to this one.
        self._given.pop(index, None)
        self._derived.pop(index, None)
        slots = record.output_indices or (0,) * len(inputs)
        weights = [
            self._find_weight(tensor, made, slot)
            for tensor, made, slot in zip(inputs, record.producers, slots, strict=True)
        ]
        if record.attributes.get("quantised"):
            packed = inputs[1]
            weights[1] = (id(packed), _Values(packed.dequantize))
        if given := _select_weights(index, record, inputs, weights):
            self._given[index] = given
        if weights and None not in weights:
            values = [weight[1] for weight in weights if weight]
            self._derived[index] = _derive_values(record.op, values, inputs, record.output_shapes)

    def weights(self) -> dict[int, Weights]:
        """Op for op, how many elements its weights have, and how many of them are not zero."""
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
        """What tells a weight from others, and its values if they are known; None for no weight."""
        if made >= 0:
            return ((made, slot), self._derived[made][slot]) if made in self._derived else None
        own = self._own.get(id(tensor))
        return None if own is None else (id(own), _Values(lambda: own))


def _select_weights(
    index: int, record: OpRecord, inputs: Sequence[Tensor], weights: list[_Weight | None]
) -> list[tuple[int, object, _Values | None]]:
    """An op's weights: how many elements each has, what tells it from others, and its values."""
    places = find_weight_inputs(record)
    chosen = [(inputs[at].numel(), *weight) for at in places if (weight := weights[at]) is not None]
    # Of a product of two weights, and of ops that do not apply every element alike, numbers
    # alone do not tell which zeros count.
    unlike = any(weights) if not places else len(chosen) > 1 and not _applies_several(record.op)
    return [(0, index, None)] if unlike else chosen


def _applies_several(op: str) -> bool:
    """Whether an op applies several weights, each of them alike."""
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
    """The values of what an op makes from weights alone, one for each output."""
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
    """Whether parts are cut along the first dimension."""
    return all(part[1:] == tuple(whole.shape[1:]) for part in parts)


def check_values(model: nn.Module) -> None:
    """Refuse a model whose weights have no values.

    Raises:
        UsageError: it lies on the meta device.
    """
    if any(tensor.device == META for tensor in model.parameters()):
        raise UsageError(
            f"non-zero MACs were asked of {type(model).__name__}, which is on the meta device, where weights "
            "have no values; build it on the CPU, as resflops.load does with device='cpu'"
        )
