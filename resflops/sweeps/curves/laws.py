"""Finding the law that a figure follows, and holding it against every counted point.

Three forms are tried, the plainest first. A polynomial in the variable itself. A sum of polynomials in sizes
such as ``⌈side/32⌉``, found layer by layer: what one layer costs depends on the size of the one feature map
that it works on, and the sizes stand in the trace. And a polynomial for each remainder of the variable.

What is found from some of the points is held against all others, and given up if it is off by one at any.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import gcd

from msgspec import Struct

from resflops.sweeps.curves.observations import Observation
from resflops.sweeps.curves.polynomials import Number, Polynomial, fit_polynomial
from resflops.sweeps.curves.records import Factor, Law, Lawless, Term, find_stride
from resflops.sweeps.curves.sizes import Size, find_size

__all__ = ["find_law"]

LONGEST_PERIOD = 32
"""The largest number that the variable is divided by to tell remainders apart."""

HELD_OUT = 5
"""Of so many points, one is kept to hold the law of several sizes against."""

ITSELF = Size()


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
        form = _find_sum_of_sizes(observations, figure)
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
        if not _is_whole(polynomial) and _is_whole(scaled):
            return _make_terms(scaled, Size(part))
    return _make_terms(polynomial, ITSELF)


def _is_whole(polynomial: Polynomial) -> bool:
    return all(each.denominator == 1 for each in polynomial.coefficients)


def _make_terms(polynomial: Polynomial, size: Size) -> tuple[Term, ...]:
    """Write a polynomial in a size as terms, the highest power first."""
    terms = [
        Term(coefficient, (Factor(size, power),) if power else ())
        for power, coefficient in enumerate(polynomial.coefficients)
        if coefficient
    ]
    return tuple(reversed(terms))


def _find_sum_of_sizes(observations: Sequence[Observation], figure: str) -> _Form | Lawless:
    """Find a law that is a sum of polynomials in the sizes that stand in the traces."""
    used = [each for place, each in enumerate(observations) if place % HELD_OUT != HELD_OUT - 1]
    if len(used) == len(observations) or figure not in observations[0].parts:
        return Lawless(figure=figure)
    sizes = list(_find_sizes(used))
    coefficients: dict[tuple[Factor, ...], Fraction] = defaultdict(Fraction)
    layers: list[str] = []
    for amounts, units in _list_amounts(used, figure).items():
        terms = _fit_amounts(amounts, sizes)
        if terms is None:
            layers += (layer for layer, _ in units)
            continue
        for term in terms:
            coefficients[term.factors] += len(units) * term.coefficient
    if layers:
        return Lawless(figure=figure, layers=tuple(dict.fromkeys(layers)))
    summed = [Term(coefficient, factors) for factors, coefficient in coefficients.items() if coefficient]
    return _Form((tuple(sorted(summed, key=_order)),), len(used))


def _order(term: Term) -> tuple[bool, list[tuple[int, int, int]]]:
    """Order terms as they are read: the finest sizes first, of each the highest power, the constant last."""
    return not term.factors, [(each.size.divisor, each.size.shift, -each.power) for each in term.factors]


def _find_sizes(observations: Sequence[Observation]) -> Iterator[tuple[Size, tuple[int, ...]]]:
    """Find the sizes in the traces that depend on the variable, with their values, the plainest first."""
    values = [int(each.value) for each in observations]
    shared = set(observations[0].sizes).intersection(*(each.sizes for each in observations))
    sequences = {tuple(each.sizes[place] for each in observations) for place in shared}
    found = {find_size(values, sequence): sequence for sequence in sequences}
    yield from sorted(
        ((size, sequence) for size, sequence in found.items() if size is not None),
        key=lambda pair: (pair[0].divisor, abs(pair[0].shift)),
    )


def _list_amounts(
    observations: Sequence[Observation], figure: str
) -> dict[tuple[int, ...], list[tuple[str, str]]]:
    """List what the ops of the layers cost at each point, with those that cost the same everywhere."""
    units = dict.fromkeys(unit for each in observations for unit in each.parts[figure])
    amounts: dict[tuple[int, ...], list[tuple[str, str]]] = defaultdict(list)
    for unit in units:
        # What is not there at some point costs nothing there.
        amounts[tuple(each.parts[figure].get(unit, 0) for each in observations)].append(unit)
    return amounts


def _fit_amounts(
    amounts: tuple[int, ...], sizes: Sequence[tuple[Size, tuple[int, ...]]]
) -> tuple[Term, ...] | None:
    """Find the polynomial of the least degree, in any one size, that gives what a layer costs."""
    if len(set(amounts)) == 1:
        return (Term(Fraction(amounts[0])),) if amounts[0] else ()
    best: tuple[int, tuple[Term, ...]] | None = None
    for size, sequence in sizes:
        by_size = dict(zip(sequence, amounts, strict=True))
        if any(by_size[place] != amount for place, amount in zip(sequence, amounts, strict=True)):
            continue
        fitted = _fit_power(by_size) or fit_polynomial(list(by_size.items()))
        if fitted is not None and (best is None or fitted.degree < best[0]):
            best = fitted.degree, _make_terms(fitted, size)
    return best[1] if best else None


def _fit_power(by_size: dict[int, int]) -> Polynomial | None:
    """Find a single power that goes through all points: one finds it, and another checks it."""
    (size, amount), *others = by_size.items()
    if not others or not size:
        return None
    for power in range(1, 5):
        coefficient = Fraction(amount, size**power)
        if all(coefficient * other**power == result for other, result in others):
            return Polynomial((*[Fraction(0)] * power, coefficient))
    return None


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
                _make_terms(found[remainder], ITSELF) if remainder in found else ()
                for remainder in range(period)
            )
            return _Form(pieces, sum(each.degree + 1 for each in found.values()))
    return None
