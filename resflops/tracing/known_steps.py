"""Functions that are several ops, such as multi-head attention: calls that look like an earlier one.

A description of such a function goes through its ops one by one, each of which takes the results of others.
Where the ops of a call are known, they are recorded at once: what each works on is known by its place.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from torch import Tensor

from resflops.ops import CallSignature, SignedCall
from resflops.tracing.call_cache import Key
from resflops.tracing.meta import list_outputs

__all__ = ["KnownSteps", "StepsInTheMaking", "find_steps"]

Place = tuple[int, int]
"""Where a tensor comes from: the number of the step, and of its result; the arguments are step -1."""

_ARGUMENTS = -1


class _Step(Struct, frozen=True, gc=False):
    signature: CallSignature
    inputs: tuple[Place, ...]
    affine: tuple[Place, ...]


class KnownSteps(Struct, frozen=True, gc=False):
    """The ops of all calls of one look."""

    steps: tuple[_Step, ...]
    result: Place | list[Place | None]
    """Where the result comes from; a list for a tuple of tensors and None."""

    def perform(self, perform: Callable[..., Any], values: Sequence[Any], layer: str) -> Any:
        """Record the ops of one call, and give what it returns."""
        found: list[Sequence[Any]] = [values]
        for step in self.steps:
            inputs = [found[number + 1][place] for number, place in step.inputs]
            affine = [found[number + 1][place] for number, place in step.affine]
            found.append(list_outputs(perform(step.signature, inputs, affine, layer)))
        if isinstance(self.result, list):
            return tuple([None if each is None else found[each[0] + 1][each[1]] for each in self.result])
        number, place = self.result
        return found[number + 1][place]


_CAPACITY = 1 << 12
# As for signatures, threads share it without a lock.
_STEPS: dict[Key, KnownSteps] = {}


def find_steps(key: Key | None, values: Sequence[Any]) -> KnownSteps | None:
    """Find the ops of the calls with a key, on arguments of which the same are one tensor."""
    return None if key is None else _STEPS.get(_identify(key, values))


def _identify(key: Key, values: Sequence[Any]) -> Key:
    # Attention of a tensor to itself is other ops than attention to one that looks the same.
    firsts: dict[int, int] = {}
    return (
        *key,
        *[
            firsts.setdefault(id(each), place)
            for place, each in enumerate(values)
            if isinstance(each, Tensor)
        ],
    )


class StepsInTheMaking:
    """The ops of a call that is being described, and where their tensors come from.

    Args:
        key: the key of the call.
        values: the arguments that it is made of.
    """

    def __init__(self, key: Key, values: Sequence[Any]) -> None:
        self._places: dict[int, Place] = {}
        self._steps: list[_Step] = []
        # Held, so that no other tensor is given an id among the places.
        self._held: list[Any] = [values]
        self._lasting = True
        self._enter(values, _ARGUMENTS)
        self._key = _identify(key, values)

    def add(self, call: Any, signature: CallSignature, result: Any) -> None:
        """Add an op of the call, and what it gave."""
        places = self._places
        try:
            inputs = tuple([places[id(tensor)] for tensor in call.inputs])
            affine = tuple([places[id(tensor)] for tensor in call.affine if tensor is not None])
        except KeyError:
            # It works on a tensor that comes from elsewhere.
            self._lasting = False
            return
        self._lasting &= isinstance(call, SignedCall) or not call.once
        self._steps.append(_Step(signature, inputs, affine))
        self._held.append(result)
        self._enter(list_outputs(result), len(self._steps) - 1)

    def keep(self, result: Any) -> None:
        """Keep the ops for calls that look the same, if all that they work on has a place."""
        places = self._places
        known: Place | list[Place | None]
        try:
            if type(result) is tuple:
                known = [None if each is None else places[id(each)] for each in result]
            else:
                known = places[id(result)]
        except KeyError:
            return
        if self._lasting:
            if len(_STEPS) >= _CAPACITY:
                _STEPS.clear()
            _STEPS[self._key] = KnownSteps(tuple(self._steps), known)

    def _enter(self, tensors: Sequence[Any], step: int) -> None:
        for place, tensor in enumerate(tensors):
            if isinstance(tensor, Tensor):
                # The first of its places, where a function takes a tensor twice or gives back what it took.
                self._places.setdefault(id(tensor), (step, place))
