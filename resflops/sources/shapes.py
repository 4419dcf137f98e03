"""Shapes as people write them: ``3x224x224``."""

from resflops.errors import InputError
from resflops.records import Shape

__all__ = ["LONGEST_SIZE", "read_shape"]

LONGEST_SIZE = 18
"""The most digits that a size may have; torch can address no larger dimension."""


def read_shape(text: str) -> Shape:
    """Read a shape as it is written on the command line and in a configuration.

    >>> read_shape("3x224x224")
    (3, 224, 224)

    Raises:
        InputError: the text is not a shape, or one of its sizes is zero, negative or beyond any tensor.
    """
    sizes = text.lower().replace("×", "x").split("x")
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
