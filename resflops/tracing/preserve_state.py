"""Preserving the user's model and the state of the process while a trace uses them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from operator import eq, is_
from typing import Any

import torch

from resflops.tracing.generators import preserve_generators
from resflops.tracing.model_copies import list_held_tensors
from resflops.tracing.modules import Attributes, Modules
from resflops.tracing.tensor_values import TensorValues

__all__ = ["preserve_state"]


@contextmanager
def preserve_state(modules: Modules, *, keep_values: bool) -> Iterator[list[str]]:
    """Give back all that a pass may change: attributes, what they hold, and the random number generators.

    A forward pass may set attributes on its modules, such as a cache of positions. After a trace these
    would hold meta tensors.

    Args:
        modules: all modules of the model.
        keep_values: whether to give back the values of all tensors, too, which a real pass may write into. A
            pass on shapes writes into none.

    Yields:
        A list that holds afterwards whose random number generators were drawn from.
    """
    contents = _Contents(modules)
    held = modules.held if modules.unusual else None
    values = TensorValues(list_held_tensors(modules)) if keep_values else None
    dtype = torch.get_default_dtype()
    try:
        with preserve_generators() as drawn:
            yield drawn
    finally:
        contents.restore()
        if held is not None:
            held.restore()
        if values is not None:
            values.restore()
        if torch.get_default_dtype() is not dtype:
            torch.set_default_dtype(dtype)


class _Contents:
    """The contents of dicts at one moment."""

    def __init__(self, modules: Modules) -> None:
        self._attributes, self._named = modules.attributes, modules.written
        self._before = list(map(dict.copy, self._attributes))
        self._names = list(map(tuple, self._named))

    def restore(self) -> None:
        """Restore every dict, in place: the module and others hold the dict itself."""
        now, before = self._attributes, self._before
        # One pass in C over all values of all modules settles the usual case. It compares identities, since
        # == on two tensors compares their elements. Where the lengths are equal, the same dicts are empty in
        # both lists, as most are, and an iterator over each would take half the time.
        if (
            all(map(eq, map(len, now), map(len, before)))
            and all(map(is_, _values(filter(None, now)), _values(filter(None, before))))
            and list(map(tuple, self._named)) == self._names
        ):
            return
        for attributes, saved in zip(now, before, strict=True):
            if list(attributes) != list(saved) or not all(map(is_, attributes.values(), saved.values())):
                attributes.clear()
                attributes.update(saved)


def _values(attributes: Iterable[Attributes]) -> Iterator[Any]:
    return chain.from_iterable(map(dict.values, attributes))
