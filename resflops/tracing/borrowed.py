"""The user's model and process state, borrowed for a trace and given back as they were."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from resflops.generators import same_generators

__all__ = ["borrowed"]

Attributes = dict[str, Any]


@contextmanager
def borrowed(modules: Iterable[nn.Module], *, keep_values: bool) -> Iterator[None]:
    """Give back every attribute, parameter and buffer slot, and the random number generators.

    Args:
        modules: all modules of the model.
        keep_values: also give back the values of the buffers, which a real forward pass
            in training mode changes.
    """
    modules = list(modules)
    attributes = _attributes(modules)
    saved = [each.copy() for each in attributes]
    values = _buffer_values(modules) if keep_values else []
    try:
        with same_generators():
            yield
    finally:
        _restore_attributes(attributes, saved)
        for buffer, value in values:
            with torch.no_grad():
                buffer.copy_(value)


def _attributes(modules: list[nn.Module]) -> list[Attributes]:
    """Every dict in which a module keeps something.

    A forward pass may set attributes on its modules, such as a cache of positions; after
    a trace these would hold meta tensors.
    """
    return [
        attributes
        for module in modules
        for own in (module.__dict__,)
        for attributes in (own, own.get("_parameters"), own.get("_buffers"), own.get("_modules"))
        # A scripted module keeps its own in C++, behind something that is no dict.
        if attributes and type(attributes) is dict
    ]


def _restore_attributes(attributes: list[Attributes], saved: list[Attributes]) -> None:
    # One pass in C over all values of all modules settles the usual case.
    if list(map(len, attributes)) == list(map(len, saved)) and all(
        map(is_, _values_of(attributes), _values_of(saved))
    ):
        return
    for now, before in zip(attributes, saved, strict=True):
        if len(now) != len(before) or not all(map(is_, now.values(), before.values())):
            now.clear()
            now.update(before)


def _values_of(attributes: list[Attributes]) -> Iterator[Any]:
    return chain.from_iterable(map(dict.values, attributes))


def _buffer_values(modules: list[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    return [(buffer, buffer.clone()) for module in modules for buffer in module.buffers(recurse=False)]
