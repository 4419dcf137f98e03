"""Finding a law that is a sum of polynomials in sizes such as ``⌈side/32⌉``, layer by layer.

What an op of one layer costs depends on the size of the one feature map that it works on, and the sizes
stand in the trace. So each op is fitted alone, in the size in which the degree is least, and the terms are
added up.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct

from resflops.sweeps.curves.law import Factor, Term
from resflops.sweeps.curves.observations import Observation
from resflops.sweeps.curves.polynomials import Polynomial, fit_polynomial
from resflops.sweeps.curves.records import Lawless
from resflops.sweeps.curves.sizes import Size, find_size

__all__ = ["find_sum_of_sizes", "make_terms"]

HIGHEST_POWER = 4
"""The highest single power that is looked for: two points find it and check it."""

HIGHEST_LENGTH = 2
"""The highest degree in a size of a length that follows from it, as that of the patches of an image does."""


class _Length(Struct, frozen=True, kw_only=True):
    """A length in the traces that depends on the variable."""

    size: Size
    """The size that it follows from."""
    follows: Polynomial
    """How it does."""
    values: tuple[int, ...]
    """At each point."""


ITSELF = Polynomial((Fraction(0), Fraction(1)))


def find_sum_of_sizes(observations: Sequence[Observation], figure: str) -> tuple[Term, ...] | Lawless:
    """Find a law that is a sum of polynomials in the sizes that stand in the traces.

    Args:
        observations: the points to find it from, with whole values.
        figure: ``total``, ``backward`` or ``params``.

    Returns:
        The terms; or the layers for which there are none.
    """
    lengths = list(_find_lengths(observations))
    coefficients: dict[tuple[Factor, ...], Fraction] = defaultdict(Fraction)
    layers: list[str] = []
    for amounts, units in _list_amounts(observations, figure).items():
        terms = _fit_amounts(amounts, lengths)
        if terms is None:
            layers += (layer for layer, _ in units)
            continue
        for term in terms:
            coefficients[term.factors] += len(units) * term.coefficient
    if layers:
        return Lawless(figure=figure, layers=tuple(dict.fromkeys(layers)))
    summed = [Term(coefficient, factors) for factors, coefficient in coefficients.items() if coefficient]
    return tuple(sorted(summed, key=_order))


def _order(term: Term) -> tuple[bool, list[tuple[int, int, int]]]:
    """Order terms as they are read: the finest sizes first, of each the highest power, the constant last."""
    return not term.factors, [(each.size.divisor, each.size.shift, -each.power) for each in term.factors]


def make_terms(polynomial: Polynomial, size: Size) -> tuple[Term, ...]:
    """Write a polynomial in a size as terms, the highest power first."""
    terms = [
        Term(coefficient, (Factor(size, power),) if power else ())
        for power, coefficient in enumerate(polynomial.coefficients)
        if coefficient
    ]
    return tuple(reversed(terms))


def _find_lengths(observations: Sequence[Observation]) -> Iterator[_Length]:
    """Find the lengths in the traces that depend on the variable, the plainest first.

    First those that are sizes themselves, and then those that follow from one, such as the number of patches.
    """
    values = [int(each.value) for each in observations]
    shared = set(observations[0].sizes).intersection(*(each.sizes for each in observations))
    sequences = {tuple(each.sizes[place] for each in observations) for place in shared}
    found = {sequence: find_size(values, sequence) for sequence in sequences if len(set(sequence)) > 1}
    sizes = sorted(
        (_Length(size=size, follows=ITSELF, values=each) for each, size in found.items() if size is not None),
        key=lambda length: (length.size.divisor, abs(length.size.shift)),
    )
    yield from sizes
    for sequence in sorted(each for each, size in found.items() if size is None):
        for length in sizes:
            by_size = _pair(length.values, sequence)
            fitted = fit_polynomial(list(by_size.items())) if by_size else None
            if fitted is not None and fitted.degree <= HIGHEST_LENGTH:
                yield _Length(size=length.size, follows=fitted, values=sequence)
                break


def _pair(lengths: Sequence[int], amounts: Sequence[int]) -> dict[int, int] | None:
    """Pair each length with the amount there; None if one length has several."""
    by_length = dict(zip(lengths, amounts, strict=True))
    same = all(by_length[each] == amount for each, amount in zip(lengths, amounts, strict=True))
    return by_length if same else None


def _list_amounts(
    observations: Sequence[Observation], figure: str
) -> Mapping[tuple[int, ...], list[tuple[str, str]]]:
    """List what the ops of the layers cost at each point, with those that cost the same everywhere."""
    units = dict.fromkeys(unit for each in observations for unit in each.parts[figure])
    amounts: dict[tuple[int, ...], list[tuple[str, str]]] = defaultdict(list)
    for unit in units:
        # What is not there at some point costs nothing there.
        amounts[tuple(each.parts[figure].get(unit, 0) for each in observations)].append(unit)
    return amounts


def _fit_amounts(amounts: tuple[int, ...], lengths: Sequence[_Length]) -> tuple[Term, ...] | None:
    """Find the polynomial of the least degree, in any one size, that gives what an op costs."""
    if len(set(amounts)) == 1:
        return (Term(Fraction(amounts[0])),) if amounts[0] else ()
    best: tuple[int, tuple[Term, ...]] | None = None
    for length in lengths:
        by_length = _pair(length.values, amounts)
        if by_length is None:
            continue
        fitted = _fit_power(by_length) or fit_polynomial(list(by_length.items()))
        if fitted is not None:
            whole = fitted.compose(length.follows)
            if best is None or whole.degree < best[0]:
                best = whole.degree, make_terms(whole, length.size)
    return best[1] if best else None


def _fit_power(by_length: dict[int, int]) -> Polynomial | None:
    """Find a single power that goes through all points: one finds it, and another checks it."""
    (length, amount), *others = by_length.items()
    if not others or not length:
        return None
    for power in range(1, HIGHEST_POWER + 1):
        coefficient = Fraction(amount, length**power)
        if all(coefficient * other**power == result for other, result in others):
            return Polynomial((*[Fraction(0)] * power, coefficient))
    return None
