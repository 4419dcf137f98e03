"""Finding the law that a figure follows, and holding it against every counted point.

Three forms are tried, the plainest first. A polynomial in the variable itself. A sum of polynomials in sizes
such as ``⌈side/32⌉``, found layer by layer. And a polynomial for each remainder of the variable.

What is found from some of the points is held against all others, and given up if it is off by one at any.
"""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from msgspec import Struct

from resflops.sweeps.curves.law import Law, Term
from resflops.sweeps.curves.observations import Observation
from resflops.sweeps.curves.polynomials import Number, Polynomial, fit_polynomial
from resflops.sweeps.curves.records import Lawless, find_stride
from resflops.sweeps.curves.sizes import Size
from resflops.sweeps.curves.sums import find_sum_of_sizes, make_terms

__all__ = ["find_law"]

LONGEST_PERIOD = 32
"""The largest number that the variable is divided by to tell remainders apart."""

HELD_OUT = 5
"""Of so many points, one is kept to hold the law of several sizes against."""

MOST_PARTS = 8
"""Halves and quarters are easier to read than powers of a part of the variable; smaller parts are not."""

ITSELF = Size()
ZERO = Term(Fraction(0))


class _Form(Struct, frozen=True):
    """The terms of a law, and from how many points they were found."""

    pieces: tuple[tuple[Term, ...], ...]
    fitted: int


def find_law(observations: Sequence[Observation], *, figure: str, variable: str) -> Law | Lawless:
    """Find the law that a figure follows at all points.

    Args:
        observations: the counted points, in the order of their values.
        figure: ``total``, ``backward`` or ``params``.
        variable: what it is a law in.

    Returns:
        The law; or, where there is none or the points are too few to tell, which layers follow none.
    """
    points = [(each.value, each.figures[figure]) for each in observations]
    values = [value for value, _ in points]
    lawless = Lawless(figure=figure)
    plain = fit_polynomial(points)
    if plain is not None:
        form: _Form | Lawless | None = _Form((_write_plainly(plain, values),), plain.degree + 1)
    elif all(isinstance(value, int) for value in values):
        form = _find_from_sizes(observations, figure)
        if isinstance(form, Lawless):
            lawless, form = form, _find_by_remainder(points)
    else:
        form = None
    if not isinstance(form, _Form):
        return lawless
    law = Law(
        figure=figure,
        variable=variable,
        pieces=form.pieces,
        fitted=form.fitted,
        verified=len(points) - form.fitted,
        first=min(values),
        last=max(values),
        stride=find_stride(values),
    )
    return law if all(law.evaluate(value) == amount for value, amount in points) else lawless


def _write_plainly(polynomial: Polynomial, values: Sequence[Number]) -> tuple[Term, ...]:
    """Write a polynomial in the variable, or in a part of it if that has whole coefficients and it has not.

    An image whose side is a multiple of 16 has patches of 16 pixels: ``side/16`` of them along its side.
    """
    if all(isinstance(value, int) for value in values):
        part = gcd(*(int(value) for value in values))
        scaled = Polynomial(tuple(each * part**power for power, each in enumerate(polynomial.coefficients)))
        if _find_denominator(polynomial) > MOST_PARTS and _find_denominator(scaled) == 1:
            return make_terms(scaled, Size(part))
    return make_terms(polynomial, ITSELF)


def _find_denominator(polynomial: Polynomial) -> int:
    """Find the largest denominator of the coefficients."""
    return max(each.denominator for each in polynomial.coefficients)


def _find_from_sizes(observations: Sequence[Observation], figure: str) -> _Form | Lawless:
    """Find a law that is a sum of polynomials in sizes, from all points but every fifth.

    Where a size steps at one of these, it may be mistaken by one; then others are left out.
    """
    lawless = Lawless(figure=figure)
    for rest in reversed(range(HELD_OUT)):
        used = [each for place, each in enumerate(observations) if place % HELD_OUT != rest]
        # There must be points that are left out, and of the others two at least.
        if not 2 <= len(used) < len(observations):
            continue
        terms = find_sum_of_sizes(used, figure)
        if isinstance(terms, Lawless):
            return terms
        if all(
            sum((term.evaluate(each.value) for term in terms), Fraction(0)) == each.figures[figure]
            for each in observations
        ):
            return _Form((terms,), len(used))
    return lawless


def _find_by_remainder(points: Sequence[tuple[Number, int]]) -> _Form | None:
    """Find a polynomial for each remainder of the variable, by the least divisor for which there is one."""
    for period in range(2, min(LONGEST_PERIOD, len(points) // 3) + 1):
        classes: dict[int, list[tuple[Number, int]]] = defaultdict(list)
        for value, amount in points:
            classes[int(value) % period].append((value, amount))
        fitted = {remainder: fit_polynomial(several) for remainder, several in classes.items()}
        found = {remainder: each for remainder, each in fitted.items() if each is not None}
        if len(found) == len(classes) > 1:
            pieces = tuple(
                (make_terms(found[remainder], ITSELF) or (ZERO,)) if remainder in found else ()
                for remainder in range(period)
            )
            return _Form(pieces, sum(each.degree + 1 for each in found.values()))
    return None
