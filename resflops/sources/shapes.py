"""Shapes as people write them: ``3x224x224``."""

import re

from resflops.errors import InputError
from resflops.records import Shape

__all__ = ["LONGEST_SIZE", "format_shape", "read_shape", "split_shapes"]

LONGEST_SIZE = 18
"""The most digits that a size may have; torch can address no larger dimension."""


def read_shape(text: str) -> Shape:
    """Read a shape as it is written on the command line and in a configuration.

    >>> read_shape("3x224x224"), read_shape("3,224,224"), read_shape("(3, 224, 224)")
    ((3, 224, 224), (3, 224, 224), (3, 224, 224))

    Raises:
        InputError: the text is not a shape, or one of its sizes is zero, negative or beyond any tensor.
    """
    plain = text.lower().strip()
    # As Python prints a tuple or a torch.Size, too.
    bare = plain.removeprefix("torch.size(").strip("()[] ").removesuffix(",")
    sizes = [size.strip() for size in re.split("[x×*,]", bare)]
    for size in sizes:
        if not (size.isascii() and size.isdigit()):
            raise InputError(
                f"input {text!r}: {size!r} is not a size; "
                "give whole numbers with x between them, as in 3x224x224"
            )
        if len(size) > LONGEST_SIZE:
            raise InputError(
                f"input {text!r}: a size of {len(size)} digits is beyond any tensor; give a smaller one"
            )
        if int(size) == 0:
            raise InputError(f"input {text!r}: a size is 0; every size must be at least 1")
    return tuple(map(int, sizes))


def split_shapes(text: str) -> list[str]:
    """Split a text at the commas between shapes, which have none themselves if their sizes have an x.

    >>> split_shapes("3x224x224,3x256x256"), split_shapes("3,224,224")
    (['3x224x224', '3x256x256'], ['3,224,224'])
    """
    return text.split(",") if re.search("[x×*]", text.lower()) else [text]


def format_shape(shape: Shape) -> str:
    """Write a shape as it is given on the command line.

    >>> format_shape((3, 224, 224))
    '3x224x224'
    """
    return "x".join(map(str, shape))
