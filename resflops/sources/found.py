"""A model that a spec has found: what it is called, what it takes, how it is built."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from resflops.records import Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FoundModel", "Inputs", "TensorSpec", "WithInputs", "one_tensor"]


class TensorSpec(Struct, frozen=True):
    """A tensor that a model takes, before there is one."""

    shape: Shape
    dtype: str = "float32"
    fill: int = 0
    """What its elements are where they must exist: a mask of zeros would hide everything."""


class Inputs(Struct, frozen=True):
    """What a model is called with: any nesting of containers, with a TensorSpec for each tensor.

    What a factory gives beside its module may hold tensors too; they are taken as they are.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class WithInputs(Struct, frozen=True):
    """A module, and what its factory wants it to be called with."""

    module: "nn.Module"
    inputs: Inputs


def one_tensor(shape: Shape) -> Inputs:
    """The inputs of a model that takes one float32 tensor."""
    return Inputs((TensorSpec(shape),))


class FoundModel(Struct, frozen=True, kw_only=True):
    """What a source knows of a model before it is built."""

    spec: str
    """The spec that found it."""
    name: str = ""
    """The name that its published figures stand under; ``""`` where options make it another network."""
    summary: str = ""
    variant: str = ""
    """Which network it is, where the name means different ones to different people."""
    family: str = ""
    """What kind of model its source says it is, such as ``detection`` or ``text``."""
    input_shape: Shape = ()
    """Sizes of its usual input without the batch, such as channels, height and width, or the
    length of a text; ``()`` where only its factory knows."""
    inputs: Callable[[Shape], Inputs] = one_tensor
    """What it is called with, when its usual input has this shape, the batch in front."""
    notes: tuple[str, ...] = ()
    """What a reader of its figures should know."""
    make: "Callable[[], nn.Module | WithInputs]"
    """Builds it, on whatever device is the default one."""
