"""Preserving the user's model and the state of the process while a trace uses them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from operator import eq, is_
from typing import Any

import torch

from resflops.tracing.generators import preserve_generators
from resflops.tracing.modules import Attributes, Modules

__all__ = ["preserve_state"]


@contextmanager
def preserve_state(modules: Modules, *, keep_values: bool) -> Iterator[list[str]]:
    """Give every attribute, parameter and buffer back as it was, and the random number generators.

    A forward pass may set attributes on its modules, such as a cache of positions. After a trace these
    would hold meta tensors.

    Args:
        modules: all modules of the model.
        keep_values: whether to give back the values of the buffers, too, which a real forward pass in
            training mode changes.

    Yields:
        A list that holds afterwards whose random number generators were drawn from.
    """
    contents = _Contents(modules.attributes)
    values = [(buffer, buffer.clone()) for buffer in modules.model.buffers()] if keep_values else []
    try:
        with preserve_generators() as drawn:
            yield drawn
    finally:
        contents.restore()
        for buffer, value in values:
            with torch.no_grad():
                buffer.copy_(value)


class _Contents:
    """The contents of dicts at one moment."""

    def __init__(self, attributes: list[Attributes]) -> None:
        self._attributes = attributes
        self._before = list(map(dict.copy, attributes))

    def restore(self) -> None:
        """Restore every dict, in place: the module and others hold the dict itself."""
        now, before = self._attributes, self._before
        # One pass in C over all values of all modules settles the usual case. It compares identities, since
        # == on two tensors compares their elements. Where the lengths are equal, the same dicts are empty in
        # both lists, as most are, and an iterator over each would take half the time.
        if all(map(eq, map(len, now), map(len, before))) and all(
            map(is_, _values(filter(None, now)), _values(filter(None, before)))
        ):
            return
        for attributes, saved in zip(now, before, strict=True):
            if len(attributes) != len(saved) or not all(map(is_, attributes.values(), saved.values())):
                attributes.clear()
                attributes.update(saved)


def _values(attributes: Iterable[Attributes]) -> Iterator[Any]:
    return chain.from_iterable(map(dict.values, attributes))
