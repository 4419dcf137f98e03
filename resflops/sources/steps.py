"""A step of a longer piece of work, as those who wait for it are told."""

from typing import Self

__all__ = ["Step"]


class Step(str):
    """A line about what is being done, which also knows how much there is to do.

    >>> Step("counting vgg19", 2, of=3)
    'counting vgg19 (2 of 3)'
    """

    what: str
    """What is being done."""
    number: int
    """Which step it is, from 1 on."""
    total: int
    """How many steps there are."""

    __slots__ = ("number", "total", "what")

    def __new__(cls, what: str, number: int, *, of: int) -> Self:
        """Write the line."""
        step = super().__new__(cls, f"{what} ({number} of {of})")
        step.what, step.number, step.total = what, number, of
        return step
