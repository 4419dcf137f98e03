"""Figures that papers and packages have printed, and whether an exact count agrees with them.

A printed figure is a text whose digits say how precise it is: "3.6×10⁹" stands for every number that rounds
to 3.6, or is cut off to it, in units of its last place.
"""

import re
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import floor
from pathlib import Path
from typing import Literal

from msgspec import DecodeError, Struct, json

from resflops.errors import SchemaError

__all__ = [
    "Agreement",
    "PublishedFigure",
    "Quantity",
    "judge_agreement",
    "load_figures",
    "select_figures",
]

Quantity = Literal["macs", "params", "params+buffers"]
"""What a figure counts: multiply-accumulates, trainable parameters, or these and all buffers."""

Agreement = Literal["exact", "rounded", "truncated", "approximate", "differs"]
"""How a printed figure relates to the exact one: the closest relation that holds."""

APPROXIMATELY = Fraction(5, 100)
"""How far a figure printed with ``~`` may be off, as a share of itself."""

SCALES = {
    "": Decimal(1),
    "%": Decimal("0.01"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "million": Decimal(10**6),
    "millions": Decimal(10**6),
    "billion": Decimal(10**9),
    "billions": Decimal(10**9),
    "×10⁹": Decimal(10**9),
}
"""The words and signs after a number, and the factor that each stands for."""

PRINTED = re.compile(r"(?P<about>~?)(?P<number>[0-9,]+(?:\.[0-9]+)?) ?(?P<scale>.*)")


class PublishedFigure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure as it was printed, and where it was printed."""

    model: str
    """The spec of the built-in network that it is about."""
    quantity: Quantity
    printed: str
    """Exactly as printed, such as ``3.6×10⁹``."""
    unit: str = ""
    """The scale in the heading of the table, if the figure itself has none."""
    source: str
    reference: str
    scope: str = ""
    """What part of the network it covers: ``convolutions``, or the dotted path of a module."""
    relative_to: str = ""
    """The model of whose figure it is a fraction; ``""`` for a figure that is no fraction."""
    reason: str = ""
    """Why the exact count differs, if it does."""

    @property
    def is_approximate(self) -> bool:
        """Whether it was printed with a ``~``."""
        return self.printed.startswith("~")

    @property
    def value(self) -> Decimal:
        """The number that the text stands for.

        >>> figure = PublishedFigure(model="vgg19", quantity="macs", printed="19.6 billion",
        ...                          source="He et al. 2015", reference="Section 3.3")
        >>> f"{figure.value:,f}"
        '19,600,000,000.0'
        """
        number, scale = self._parts
        return number * scale

    @property
    def place(self) -> Decimal:
        """One unit of the last printed place: a hundred million for "19.6 billion"."""
        number, scale = self._parts
        # A Decimal keeps zeros at the end, so 3.60 has another last place than 3.6.
        return Decimal(1).scaleb(int(number.as_tuple().exponent)) * scale

    @property
    def _parts(self) -> tuple[Decimal, Decimal]:
        match = PRINTED.fullmatch(self.printed)
        scale = SCALES.get(self.unit or match["scale"]) if match else None
        if match is None or scale is None:
            raise SchemaError(
                f"{self.model} has the published figure {self.printed!r} in {self.unit or 'units'}, "
                "which cannot be read as a number; "
                f"write digits and one of {', '.join(filter(None, SCALES))}"
            )
        return Decimal(match["number"].replace(",", "")), scale


@cache
def load_figures() -> tuple[PublishedFigure, ...]:
    """Load all published figures, in the order of their papers."""
    # Not by importlib.resources, whose import takes longer than the rest of a table.
    text = Path(__file__).with_name("published.json").read_bytes()
    try:
        return json.decode(text, type=tuple[PublishedFigure, ...])
    except DecodeError as error:
        raise SchemaError(f"published.json is damaged: {error}; reinstall resflops") from error


def select_figures(model: str) -> tuple[PublishedFigure, ...]:
    """Select the figures printed for one model.

    >>> [figure.printed for figure in select_figures("resnet34")]
    ['3.6×10⁹', '18%']
    """
    return tuple(figure for figure in load_figures() if figure.model == model)


def judge_agreement(figure: PublishedFigure, exact: int | Fraction) -> Agreement:
    """Judge whether, and how, the exact count agrees with a figure as printed.

    The paper cuts 3,663,761,408 to 3.6×10⁹ where 3.7×10⁹ is nearer:

    >>> printed, share = select_figures("resnet34")
    >>> judge_agreement(printed, 3_663_761_408)
    'truncated'
    >>> judge_agreement(share, Fraction(3_663_761_408, 19_632_062_464))
    'truncated'

    "Exact" is only what was printed to the last digit:

    >>> printed = [figure for figure in select_figures("vgg19") if figure.quantity == "params"]
    >>> [judge_agreement(figure, 143_667_240) for figure in printed]
    ['rounded', 'exact']
    """
    value, place = Fraction(figure.value), Fraction(figure.place)
    if place == 1 and exact == value:
        return "exact"
    # Not by round(), which takes a half to the even neighbour; papers round it up.
    if floor(exact / place + Fraction(1, 2)) * place == value:
        return "rounded"
    if floor(exact / place) * place == value:
        return "truncated"
    if figure.is_approximate and abs(exact - value) <= value * APPROXIMATELY:
        return "approximate"
    return "differs"
