"""One message for a file that is damaged, whatever goes wrong when it is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from resflops.errors import ModelError, describe_error

__all__ = ["explain_damage"]


_RAISED = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)


@contextmanager
def explain_damage(where: str) -> Iterator[None]:
    """Explain what a damaged file makes Python or onnx raise: anything in it may be missing.

    Args:
        where: the file and the part of it that is read, in words.

    Raises:
        ModelError: something went wrong that is not explained yet.
    """
    try:
        yield
    except _RAISED as error:
        raise ModelError(
            f"{where} cannot be read ({describe_error(error)}); the file is damaged, or newer than the "
            "installed package onnx"
        ) from error
