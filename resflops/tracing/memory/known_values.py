"""Input values that keep no tensor alive, so that memory is released when it would be without them."""

import weakref
from typing import Any

from torch import Tensor

from resflops.tracing.observers import InputValues

__all__ = ["forget_dead_tensors"]


class _Dying(list[Tensor]):
    """In the place of the list of kept tensors: each is forgotten as it dies."""

    def __init__(self, values: InputValues) -> None:
        super().__init__()
        self._known, self._assumed = values._known, values._assumed
        self._references: dict[int, weakref.ref[Any]] = {}

    def append(self, tensor: Tensor) -> None:
        key = id(tensor)

        def forget(reference: object) -> None:
            if self._references.get(key) is reference:
                del self._references[key]
                self._known.pop(key, None)
                self._assumed.pop(key, None)

        self._references[key] = weakref.ref(tensor, forget)


def forget_dead_tensors(values: InputValues) -> InputValues:
    """Let an observer of input values keep no tensor alive."""
    kept = _Dying(values)
    for tensor in values._kept:
        kept.append(tensor)
    values._kept = kept
    return values
