"""The user's model and process state, borrowed for a trace and given back as they were."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from typing import Any

import torch
from torch import nn

__all__ = ["borrowed"]


@contextmanager
def borrowed(modules: list[nn.Module], *, keep_values: bool) -> Iterator[None]:
    """Give back every attribute, parameter and buffer slot, and the random number generators.

    Args:
        modules: all modules of the model.
        keep_values: also give back the values of the buffers, which a real forward pass
            in training mode changes.
    """
    # A forward pass may set attributes on its modules, such as a cache of positions;
    # after a trace these would hold meta tensors.
    dicts = [
        attributes
        for module in modules
        for attributes in (module.__dict__, module._parameters, module._buffers, module._modules)
        if attributes
    ]
    saved = [attributes.copy() for attributes in dicts]
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    # A buffer is only ever written where it lies, so clones bring it back.
    values = _buffer_values(modules) if keep_values else []
    try:
        yield
    finally:
        for attributes, before in zip(dicts, saved, strict=True):
            if len(attributes) != len(before) or not all(map(is_, attributes.values(), before.values())):
                attributes.clear()
                attributes.update(before)
        for buffer, value in values:
            with torch.no_grad():
                buffer.copy_(value)
        if not torch.equal(torch_state, torch.get_rng_state()):
            torch.set_rng_state(torch_state)
        if python_state != random.getstate():
            random.setstate(python_state)


def _buffer_values(modules: list[nn.Module]) -> list[tuple[Any, Any]]:
    return [
        (buffer, buffer.clone())
        for module in modules
        for buffer in module._buffers.values()
        if buffer is not None
    ]
