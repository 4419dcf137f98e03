"""A model that a spec has found: what it is called, what it takes, how it is built."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from resflops.records import Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FoundModel"]


class FoundModel(Struct, frozen=True, kw_only=True):
    """What a source knows of a model before it is built."""

    spec: str
    """The spec that found it."""
    name: str
    """The name that its published figures stand under; ``""`` where options make it another network."""
    summary: str
    variant: str
    """Which network it is, where the name means different ones to different people."""
    input_shape: Shape
    """Channels and spatial sizes of its usual input."""
    make: "Callable[[], nn.Module]"
    """Builds it, on whatever device is the default one."""
