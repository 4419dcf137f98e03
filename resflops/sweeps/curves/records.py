"""A curve: what a model costs at each value of one variable, and the law that the figures follow."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from typing import TYPE_CHECKING

from msgspec import Struct

from resflops.cost.convention import Convention
from resflops.cost.uncounted import UncountedOp
from resflops.extensions import find_display
from resflops.records import Shape
from resflops.sweeps.curves.law import Law
from resflops.sweeps.curves.polynomials import Number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from resflops.tables import Table

__all__ = ["Curve", "Lawless", "Point", "Step", "find_stride"]


class Lawless(Struct, frozen=True, kw_only=True):
    """A figure for which no law was found."""

    figure: str
    layers: tuple[str, ...] = ()
    """The layers whose cost follows no law; ``()`` if the points are too few to tell, or no layer stands
    out."""


class Point(Struct, frozen=True, kw_only=True):
    """One value of the variable, and what the model costs there, or why that is not known."""

    value: Number
    spec: str
    """The model that was counted."""
    input_shapes: tuple[Shape, ...] = ()
    total: int | None = None
    """The cost of the forward pass under the convention; None if the model could not be counted."""
    macs: int | None = None
    params: int | None = None
    backward: int | None = None
    """The cost of the backward pass; None if it was not asked for."""
    uncounted: tuple[UncountedOp, ...] = ()
    """Ops that did work and have no rule, so that the cost is only a lower bound."""
    complete: bool = True
    error: str = ""
    """Why it could not be counted."""


class Step(Struct, frozen=True, kw_only=True):
    """A rise from one counted point to the next."""

    value: Number
    """The value at which the figure is another."""
    before: Number
    """The value before it."""
    rise: int


class Curve(Struct, frozen=True, kw_only=True):
    """What a model costs at each value of one variable."""

    model: str
    variable: str
    convention: Convention
    points: tuple[Point, ...]
    """In the order of the values."""
    laws: tuple[Law, ...] = ()
    """One for each figure that follows one."""
    lawless: tuple[Lawless, ...] = ()
    """The figures for which no law was found."""
    size_option: str = ""
    """The option by which the model was built for each side, such as ``image_size``; ``""`` if it takes
    any."""
    left: int = 0
    """How many values were not counted yet when Ctrl-C was pressed."""

    @property
    def counted(self) -> tuple[Point, ...]:
        """The points at which the model could be counted."""
        return tuple(point for point in self.points if point.total is not None)

    @property
    def law(self) -> Law | None:
        """The law of the cost of the forward pass; None if none was found."""
        return self.find_law("total")

    def find_law(self, figure: str) -> Law | None:
        """Find the law of a figure; None if none was found."""
        return next((law for law in self.laws if law.figure == figure), None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Where the cost of the forward pass changes from one counted point to the next, and by how much."""
        counted = self.counted
        return tuple(
            Step(value=point.value, before=before.value, rise=(point.total or 0) - (before.total or 0))
            for before, point in pairwise(counted)
            if point.total != before.total
        )

    def __repr__(self) -> str:
        law = self.law or "no law"
        return f"Curve({self.model} over {self.variable}, {len(self.counted):,} points counted: {law})"

    # msgspec gives every struct one, which would show every point.
    __rich_repr__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        html: str = find_display("html")(self)
        return html

    def summary(self, *, everything: bool = False) -> "Table":
        """Show the points, the laws and the steps; the table prints itself.

        Args:
            everything: show every point rather than some of many.
        """
        table: Table = find_display("curve")(self, everything=everything)
        return table

    def plot(self, *, dark: bool = False) -> "Figure":
        """Draw the cost along the variable; a notebook shows the figure.

        Elsewhere, save it with its ``savefig``.

        Args:
            dark: for a dark background.
        """
        figure: Figure = find_display("points")(self, dark=dark)
        return figure

    def to_frame(self) -> "pd.DataFrame":
        """Turn the points into a pandas data frame, a row each, numbers as numbers."""
        from resflops.cost.frames import make_frame

        return make_frame(Point, self.points)

    to_pandas = to_frame


def find_stride(values: Sequence[Number]) -> Number:
    """Find the greatest number by multiples of which values differ."""
    fractions = [Fraction(value) for value in values]
    unit = lcm(*(each.denominator for each in fractions))
    step = Fraction(gcd(*(int((each - fractions[0]) * unit) for each in fractions)), unit)
    return step.numerator if step.denominator == 1 else step
