"""A model that a spec has found: its name, its inputs, and how to build it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from resflops.errors import InputError, pluralize
from resflops.records import Shape, TensorSpec, Trace

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

__all__ = ["FoundModel", "Inputs", "ReadRequest", "TensorSpec", "WithInputs", "take_one_tensor"]


class Inputs(Struct, frozen=True):
    """The arguments of a model: any nesting of containers, with a TensorSpec for each tensor.

    The inputs that a factory returns may hold tensors, too, which are used as they are.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class WithInputs(Struct, frozen=True):
    """A module, and the inputs that its factory returned with it."""

    module: "nn.Module"
    inputs: "Inputs | Callable[[Shape | None, int | None], Inputs]"
    """A function, of a module that says what it takes: it gives them from the shape of the main one, with the
    batch in front or without, and from the batch to put into it; None stands for the usual ones."""


def take_one_tensor(shape: Shape) -> Inputs:
    """Give the inputs of a model that takes one tensor, of its own floating-point type."""
    return Inputs((TensorSpec(shape),))


class ReadRequest(Struct, frozen=True, kw_only=True):
    """What a trace that is read from a file is to be of."""

    inputs: tuple[Shape, ...] = ()
    """Shapes of its inputs from the main one on, with the batch in front; the rest are as in the file."""
    keyword_inputs: dict[str, Shape] = {}
    """Shapes of inputs by their names."""
    batch: int | None = None
    """The batch in place of that of the input; None keeps that one."""
    dtype: str | None = None
    """Type to convert its floating-point parameters and inputs to; None keeps theirs."""
    nonzero: bool = False
    """Whether to count the zeros in the weights."""


class FoundModel(Struct, frozen=True, kw_only=True):
    """What a source knows of a model before it is built."""

    spec: str
    """The spec that found it."""
    name: str = ""
    """The name that its published figures have; ``""`` for other sources than the built-in networks."""
    summary: str = ""
    variant: str = ""
    """Which network it is, where the name means different ones to different people."""
    family: str = ""
    """The kind of model, as its source calls it, such as ``detection`` or ``text``."""
    input_shape: Shape = ()
    """Sizes of its usual input without the batch, such as channels, height and width, or the
    length of a text; ``()`` if only its factory knows."""
    inputs: Callable[[Shape], Inputs] = take_one_tensor
    """Gives all its inputs from the shape of the main one, with the batch in front."""
    notes: tuple[str, ...] = ()
    """What a reader of its figures should know."""
    by_name: bool = False
    """Whether its spec alone says what it is: a model that an installed package has by name, which depends on
    no file and no code of the user's. Only the trace of such a model may be stored."""
    unknown_inputs: tuple[str, ...] = ()
    """Parameters that its forward cannot do without and of which nothing is known."""
    make: "Callable[[], nn.Module | WithInputs]"
    """Builds it, on torch's default device."""
    read: "Callable[[ReadRequest], Trace] | None" = None
    """Reads its trace from a file that holds a graph and no module; None if it is built and traced. ``make``
    then only says why it cannot be built."""
    graph: "Path | ModelProto | None" = None
    """The ONNX file that it is read from, or the loaded graph; None if it is none."""

    def resolve_inputs(self, shape: Shape | None = None) -> Inputs | None:
        """Give the inputs to call it with; None if only the built model knows them.

        Args:
            shape: shape of its main input, with the batch in front or without, in which case the batch is
                one; None for its usual shape.

        Raises:
            InputError: the shape has another number of sizes than the model takes, or a size below one,
                or the model takes inputs that nothing is known of.
        """
        if self.unknown_inputs:
            first, named = self.unknown_inputs[0], ", ".join(self.unknown_inputs)
            raise InputError(
                f"{self.spec}: {self.variant or 'its model'} requires inputs whose sizes do not follow from "
                f"its config ({named}); count it from Python, as in "
                f"resflops.count(resflops.load({self.spec!r}), {first}=...)"
            )
        whole = self.complete_shape(shape)
        if whole is None:
            return self.inputs((1, *self.input_shape)) if self.input_shape else None
        return self.inputs(whole) if self.input_shape else take_one_tensor(whole)

    def complete_inputs(self, *shapes: Shape | None) -> tuple[Shape, ...]:
        """Complete the shape of the main input, and leave those of others as they are; None is as usual.

        Raises:
            InputError: the main one does not fit.
        """
        main, *others = shapes or (None,)
        whole = self.complete_shape(main)
        given = [shape for shape in others if shape is not None]
        return () if whole is None else (whole, *given)

    def complete_shape(self, shape: Shape | None, batch: int | None = None) -> Shape | None:
        """Complete the shape of the main input with what was left out: the batch, and of an image the rest.

        Args:
            shape: with the batch in front or without; of an image, its height and width or one for both will
                do. If only the built model knows its inputs, the shape is the whole one; but three sizes of
                which the first is 3 are an image without its batch wherever a batch is given.
            batch: the batch in place of that of the shape; None keeps that one.

        Returns:
            The whole shape; None for the usual input, or if only the built model knows it.

        Raises:
            InputError: the shape has another number of sizes than the model takes, or a size below one.
        """
        usual = self.input_shape
        if shape is not None and min(shape, default=0) < 1:
            raise InputError(f"input shape {_format_shape(shape)}: every size must be at least 1")
        if shape is None:
            return None if batch is None or not usual else (batch, *usual)
        if not usual:
            if batch is None:
                return shape
            return (batch, *(shape if _is_colour_image(shape) else shape[1:]))
        if len(shape) == len(usual) + 1:
            return (batch or shape[0], *shape[1:])
        if self._is_height_and_width(shape):
            shape = (*usual[:-2], shape[0], shape[-1])
        if len(shape) == len(usual):
            return (batch or 1, *shape)
        raise InputError(
            f"input shape {_format_shape(shape)} has {len(shape)} {pluralize('size', len(shape))}, "
            f"but {self.spec} takes {len(usual)}, as in {_format_shape(usual)}, "
            f"or with a batch {len(usual) + 1}, as in 4x{_format_shape(usual)}"
        )

    def _is_height_and_width(self, shape: Shape) -> bool:
        """Tell whether a shape is that of an image without its channels: ``224`` or ``224x224``."""
        usual = self.input_shape
        if self.family in _NOT_IMAGES or len(usual) < 3:
            return False
        # 3x224 is more likely an image with a side left out than one three pixels high.
        return len(shape) == 1 or (len(shape) == 2 and shape[0] != usual[0])


def _is_colour_image(shape: Shape) -> bool:
    """Tell whether a shape is that of one image rather than of a batch of something: ``3x160x160``."""
    return len(shape) == 3 and shape[0] == 3


_NOT_IMAGES = ("", "audio", "series", "text")
"""Families of models whose inputs have no height and width."""


def _format_shape(shape: Shape) -> str:
    return "x".join(map(str, shape))
