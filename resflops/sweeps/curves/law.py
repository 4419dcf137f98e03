"""A law of a figure: its terms, what it was held against, and how it reads: ``9,408·⌈side/2⌉² + 512,000``."""

from fractions import Fraction

from msgspec import Struct

from resflops.errors import UsageError
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.sizes import Size

__all__ = [
    "Factor",
    "Law",
    "Term",
    "format_domain",
    "format_law",
    "format_number",
    "format_size",
    "format_terms",
]

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Factor(Struct, frozen=True, order=True):
    """A power of a size in a term."""

    size: Size
    power: int = 1


class Term(Struct, frozen=True):
    """One term of a law: a coefficient and what it multiplies, such as ``384·⌈side/4⌉²``."""

    coefficient: Fraction
    factors: tuple[Factor, ...] = ()
    """``()`` for the constant."""

    def evaluate(self, value: Number) -> Fraction:
        """Give its value at a value of the variable."""
        result = self.coefficient
        for factor in self.factors:
            result *= factor.size.evaluate(value) ** factor.power
        return result


class Law(Struct, frozen=True, kw_only=True):
    """An exact law of one figure, which every point that was counted has been held against."""

    figure: str
    """What it gives: ``total``, ``backward`` or ``params``."""
    variable: str
    pieces: tuple[tuple[Term, ...], ...]
    """Its terms; where it depends on the remainder of the variable, those of each remainder from 0 on, with
    none for a remainder of which no point was counted. What costs nothing has a zero."""
    fitted: int
    """How many points it was found from."""
    verified: int
    """How many other points were counted, on all of which it is exact, too."""
    first: Number
    """The least value that it was held against."""
    last: Number
    """The greatest one."""
    stride: Number = 1
    """The greatest number of which all their differences are multiples: nothing is claimed of what lies
    between."""

    @property
    def period(self) -> int:
        """What the variable is divided by to tell the pieces apart; 1 for a law of one piece."""
        return len(self.pieces)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes in its terms, each once."""
        return tuple(
            sorted({factor.size for piece in self.pieces for term in piece for factor in term.factors})
        )

    def __str__(self) -> str:
        """Write its terms, as in ``9,408·⌈side/2⌉² + 512,000``."""
        return format_law(self)

    def tells(self, value: Number) -> bool:
        """Tell whether it says anything of a value: a point with its remainder was counted."""
        return self.period == 1 or bool(self._find_piece(value))

    def evaluate(self, value: Number) -> Number:
        """Give the figure that it predicts for a value, an int wherever that is whole.

        Raises:
            UsageError: it says nothing of that value.
        """
        if not self.tells(value):
            raise UsageError(
                f"the law says nothing of {self.variable} = {format_number(value)}: no point was counted "
                f"where {self.variable} mod {self.period} = {int(value) % self.period}"
            )
        result = sum((term.evaluate(value) for term in self._find_piece(value)), Fraction(0))
        return result.numerator if result.denominator == 1 else result

    def _find_piece(self, value: Number) -> tuple[Term, ...]:
        return self.pieces[int(value) % self.period]


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
    is_bare = size.isidentifier() or size.startswith(("⌈", "⌊", "("))
    power = "" if factor.power == 1 else str(factor.power).translate(SUPERSCRIPTS)
    return f"{size if is_bare else f'({size})'}{power}"


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
