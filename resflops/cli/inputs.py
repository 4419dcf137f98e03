"""The inputs that models are called with: ``--input`` and ``--batch``."""

import argparse
from itertools import product

from msgspec import Struct

from resflops.cli.arrange import Values
from resflops.cli.parser import Parser
from resflops.cli.readers import make_number_reader, split_list
from resflops.errors import UsageError
from resflops.records import Shape
from resflops.sources.shapes import format_shape, read_shape, split_shapes

__all__ = ["SHAPES", "GivenInput", "add_input", "list_inputs", "require_one_input"]

SHAPES = Values(belong=lambda word: word[:1] in tuple("0123456789(["), split=split_shapes)
"""Shapes after ``--input``."""


class GivenInput(Struct, frozen=True, kw_only=True):
    """An input as the user gave it."""

    shape: Shape | None = None
    """With the batch in front or without; None for the usual one of each model."""
    batch: int | None = None
    """The batch in place of that of the shape; None keeps that one."""

    def describe(self) -> str:
        """The input as it is written on the command line."""
        parts = [] if self.shape is None else [format_shape(self.shape)]
        parts += [] if self.batch is None else [f"batch {self.batch}"]
        return ", ".join(parts)


def add_input(parser: Parser, *, text: str | None = None) -> None:
    """Add the options of a command that calls models."""
    shapes = parser.add_argument(
        "-i",
        "--input",
        metavar="SHAPE",
        nargs="+",
        type=read_shape,
        help=text
        or "shape of the input, such as 3x224x224, or 4x3x224x224 with a batch, or 224 for an image of that "
        "size; the usual one of each network if not given; several give a row each",
    )
    parser.tell_values(shapes, SHAPES)
    batches = parser.add_argument(
        "--batch",
        metavar="N",
        nargs="+",
        type=make_number_reader("--batch"),
        help="how many inputs at once, in place of the batch of the input; several give a row each",
    )
    parser.tell_values(batches, Values(belong=str.isdigit, split=split_list))


def list_inputs(args: argparse.Namespace) -> tuple[GivenInput, ...]:
    """List the inputs that the user gave, each once and in the order given; the usual one if none was."""
    return tuple(
        GivenInput(shape=shape, batch=batch)
        for shape, batch in dict.fromkeys(product(args.input or [None], args.batch or [None]))
    )


def require_one_input(args: argparse.Namespace) -> GivenInput:
    """Return the input of a command that takes one.

    Raises:
        UsageError: the user gave several.
    """
    inputs = list_inputs(args)
    if len(inputs) > 1:
        several = "; ".join(each.describe() for each in inputs)
        raise UsageError(
            f"one input can be given here, got {len(inputs)}: {several}; "
            "resflops table shows models on several inputs"
        )
    return inputs[0]
