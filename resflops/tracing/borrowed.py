"""The user's model and process state, borrowed for a trace and given back as they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from operator import eq, is_
from typing import Any

import torch

from resflops.generators import same_generators
from resflops.tracing.modules import Attributes, Modules

__all__ = ["borrowed"]

@contextmanager
def borrowed(modules: Modules, *, keep_values: bool) -> Iterator[None]:
    """Give back every attribute, parameter and buffer slot, and the random number generators.

    A forward pass may set attributes on its modules, such as a cache of positions; after
    a trace these would hold meta tensors.

    Args:
        modules: all modules of the model.
        keep_values: also give back the values of the buffers, which a real forward pass
            in training mode changes.
    """
    held = _Held(modules.attributes)
    values = [(buffer, buffer.clone()) for buffer in modules.model.buffers()] if keep_values else []
    try:
        with same_generators():
            yield
    finally:
        held.give_back()
        for buffer, value in values:
            with torch.no_grad():
                buffer.copy_(value)


class _Held:
    """What dicts hold. Three flat lists: a copy of every dict takes longer to make and to compare."""

    def __init__(self, attributes: list[Attributes]) -> None:
        self._attributes = attributes
        self._sizes = list(map(len, attributes))
        self._names = list(chain.from_iterable(attributes))
        self._values = list(self._values_now())

    def give_back(self) -> None:
        """Make every dict hold again what it held."""
        # One pass in C over all values of all modules settles the usual case.
        sizes = map(len, self._attributes)
        if all(map(eq, sizes, self._sizes)) and all(map(is_, self._values_now(), self._values)):
            return
        names, values = iter(self._names), iter(self._values)
        for attributes, size in zip(self._attributes, self._sizes, strict=True):
            before = dict(zip(islice(names, size), islice(values, size), strict=True))
            if len(attributes) != size or not all(map(is_, attributes.values(), before.values())):
                attributes.clear()
                attributes.update(before)

    def _values_now(self) -> Iterator[Any]:
        return chain.from_iterable(map(dict.values, self._attributes))
