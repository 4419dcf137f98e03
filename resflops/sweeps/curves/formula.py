"""Laws as they are read: ``9,408·⌈side/2⌉² + 512,000``."""

from fractions import Fraction

from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.records import Factor, Law, Term
from resflops.sweeps.curves.sizes import Size

__all__ = ["format_domain", "format_law", "format_number", "format_size", "format_terms"]

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_law(law: Law) -> str:
    """Write the right side of a law, piece by piece where it depends on a remainder."""
    if law.period == 1:
        return format_terms(law.pieces[0], law)
    pieces = [
        f"{format_terms(piece, law)} if {law.variable} mod {law.period} = {remainder}"
        for remainder, piece in enumerate(law.pieces)
        if piece
    ]
    return "; ".join(pieces)


def format_terms(terms: tuple[Term, ...], law: Law) -> str:
    """Write a sum of terms."""
    text = ""
    for term in terms:
        sign = "−" if term.coefficient < 0 else "+"
        text += f" {sign} " if text else sign.replace("+", "")
        text += _format_term(abs(term.coefficient), term.factors, law)
    return text or "0"


def _format_term(coefficient: Fraction, factors: tuple[Factor, ...], law: Law) -> str:
    powers = [_format_factor(factor, law) for factor in factors]
    if powers and coefficient == 1:
        return "·".join(powers)
    return "·".join([format_number(coefficient), *powers])


def _format_factor(factor: Factor, law: Law) -> str:
    size = format_size(factor.size, law)
    if factor.power == 1:
        return size
    is_bare = size.isidentifier() or size.startswith(("⌈", "⌊", "("))
    return f"{size if is_bare else f'({size})'}{str(factor.power).translate(SUPERSCRIPTS)}"


def format_number(number: Number) -> str:
    """Write a coefficient: a whole number with separators, any other as a fraction.

    >>> format_number(9408), format_number(Fraction(127, 2))
    ('9,408', '127/2')
    """
    value = Fraction(number)
    return f"{value.numerator:,}" if value.denominator == 1 else f"{value.numerator:,}/{value.denominator:,}"


def format_size(size: Size, law: Law) -> str:
    """Write a size, rounded up or down, or as it is where every value of the law is a multiple.

    >>> law = Law(figure="total", variable="side", pieces=(), fitted=3, verified=2, first=1, last=9)
    >>> [format_size(size, law) for size in (Size(32, 31), Size(2, 0), Size(28, 24), Size(1, 0))]
    ['⌈side/32⌉', '⌊side/2⌋', '⌊(side + 24)/28⌋', 'side']
    """
    name, (whole, rest) = law.variable, divmod(size.shift, size.divisor)
    if size.divisor == 1:
        return f"({name} {_format_shift(whole)})" if whole else name
    if law.stride % size.divisor == law.first % size.divisor == rest == 0:
        text = f"{name}/{size.divisor}"
    elif rest == size.divisor - 1:
        text = f"⌈{name}/{size.divisor}⌉"
    elif rest == 0:
        text = f"⌊{name}/{size.divisor}⌋"
    else:
        return f"⌊({name} {_format_shift(size.shift)})/{size.divisor}⌋"
    return f"({text} {_format_shift(whole)})" if whole else text


def _format_shift(shift: int) -> str:
    return f"{'−' if shift < 0 else '+'} {abs(shift)}"


def format_domain(law: Law) -> str:
    """Say for which values a law was held against the counted points.

    >>> law = Law(figure="total", variable="side", pieces=(), fitted=3, verified=2, first=1, last=9, stride=2)
    >>> format_domain(law)
    'side 1 to 9, multiples of 2 plus 1'
    """
    text = f"{law.variable} {format_number(law.first)} to {format_number(law.last)}"
    if law.stride in {0, 1}:
        return text
    rest = law.first % law.stride
    named = format_number(law.stride)
    return f"{text}, multiples of {named}" + (f" plus {format_number(rest)}" if rest else "")
