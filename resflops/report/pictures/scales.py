"""Axes of counts and sizes, written as the tables write them."""

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter

from resflops.render.formats import rounded

__all__ = ["counts"]


def counts(axis: Axis) -> None:
    """Write ticks with the prefixes k, M, G: ``5 G`` and not ``5.00 G``."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """A round number without the zeros that say how precise it is.

    >>> short(5e9), short(2.5e9), short(0), short(0.5)
    ('5 G', '2.5 G', '0', '0.5')
    """
    if 0 < abs(value) < 1000:
        return f"{value:g}"
    number, _, prefix = rounded(round(value)).partition(" ")
    plain = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{plain} {prefix}".rstrip()
