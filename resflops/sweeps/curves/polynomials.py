"""Polynomials with exact coefficients, found from the points that they go through.

Everything is a Fraction: a coefficient such as 127/2 is exact, and a fit that is off by one at a single point
is no fit.
"""

from collections.abc import Sequence
from fractions import Fraction

from msgspec import Struct

__all__ = ["HIGHEST_DEGREE", "Number", "Polynomial", "fit_polynomial", "interpolate"]

Number = int | Fraction

HIGHEST_DEGREE = 6
"""The highest degree that is looked for. Attention on patches of an image is of the fourth in the side."""


class Polynomial(Struct, frozen=True):
    """A polynomial in one variable."""

    coefficients: tuple[Fraction, ...]
    """From the constant on; the last is not zero, unless it is the only one."""

    @property
    def degree(self) -> int:
        """The highest power in it."""
        return len(self.coefficients) - 1

    def evaluate(self, value: Number) -> Fraction:
        """Give its value at a point.

        >>> Polynomial((Fraction(1), Fraction(0), Fraction(3))).evaluate(2)
        Fraction(13, 1)
        """
        result = Fraction(0)
        for coefficient in reversed(self.coefficients):
            result = result * value + coefficient
        return result

    def compose(self, inner: "Polynomial") -> "Polynomial":
        """Put another polynomial in the place of the variable.

        >>> square, rise = Polynomial((Fraction(0), Fraction(0), Fraction(1))), Polynomial((Fraction(1),) * 2)
        >>> square.compose(rise).coefficients
        (Fraction(1, 1), Fraction(2, 1), Fraction(1, 1))
        """
        points = [
            (place, self.evaluate(inner.evaluate(place))) for place in range(self.degree * inner.degree + 1)
        ]
        return interpolate(points)


def interpolate(points: Sequence[tuple[Number, Number]]) -> Polynomial:
    """Find the polynomial of the least degree through some points, by Newton's divided differences.

    >>> interpolate([(0, 1), (1, 3), (2, 7)]).coefficients
    (Fraction(1, 1), Fraction(1, 1), Fraction(1, 1))

    Args:
        points: at least one, no two of them at one value.
    """
    places = [Fraction(value) for value, _ in points]
    differences = [Fraction(result) for _, result in points]
    for order in range(1, len(points)):
        for place in range(len(points) - 1, order - 1, -1):
            rise = differences[place] - differences[place - 1]
            differences[place] = rise / (places[place] - places[place - order])
    # Newton's form is turned into powers from its innermost bracket out.
    coefficients = [differences[-1]]
    for place in range(len(points) - 2, -1, -1):
        coefficients = [
            low - places[place] * high
            for low, high in zip([Fraction(0), *coefficients], [*coefficients, Fraction(0)], strict=True)
        ]
        coefficients[0] += differences[place]
    while len(coefficients) > 1 and not coefficients[-1]:
        coefficients.pop()
    return Polynomial(tuple(coefficients))


def fit_polynomial(points: Sequence[tuple[Number, Number]]) -> Polynomial | None:
    """Find the polynomial of the least degree that goes through all points, if there is one.

    One of degree d is found from d + 1 points, and at least one more must lie on it: a polynomial that goes
    through the points that it was made from says nothing.

    >>> fit_polynomial([(1, 5), (2, 8), (3, 11)]).coefficients
    (Fraction(2, 1), Fraction(3, 1))
    >>> fit_polynomial([(1, 5), (2, 8), (3, 12)]) is None
    True

    Args:
        points: no two of them at one value.
    """
    for degree in range(min(HIGHEST_DEGREE, len(points) - 2) + 1):
        found = interpolate(points[: degree + 1])
        if all(found.evaluate(value) == result for value, result in points[degree + 1 :]):
            return found
    return None
