"""How the columns of a printed table share the width of a page or of a column of text.

LaTeX alone knows how wide a text is. The widths here are those of Computer Modern, the font that it takes
unless told otherwise and one of the wider ones, so that a table that fits by them fits.
"""

import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from resflops.render.formats import RIGHT, format_heading
from resflops.render.layout import wrap_text
from resflops.tables import Column

__all__ = ["COLUMN_WIDTH", "PAGE_WIDTH", "Printed", "fit_printed_columns", "measure_text"]

COLUMN_WIDTH = 215
"""Points that a column of text has in the narrowest of the usual two-column classes (ACL's 219, article's 221
on A4, CVPR's 237, IEEEtran's 252)."""

PAGE_WIDTH = 340
"""Points that the text of a page has in an article at 10 points: 345, the fewest of the usual classes."""

_WIDTHS = {
    **dict.fromkeys("ijl,.:;'!I|", 278), **dict.fromkeys("frst-()[] ", 392), **dict.fromkeys("ceaz", 450),
    **dict.fromkeys("0123456789goS/*", 500), **dict.fromkeys("bdhnpuvxykq?", 556),
    "_": 350,
    **dict.fromkeys("ABCDEFGHJKLNOPQRTUVXYZ+=<>×−–·≈≥w", 780), **dict.fromkeys("mM%&@W", 1030),
}  # fmt: skip
"""Thousandths of the size of the font, each rounded up to that of the widest in its group."""

WIDEST = 1030


class FontSize(Struct, frozen=True):
    """A size that a table may be set in, largest first."""

    command: str
    points: float
    """The size, with what smaller fonts are wider by in proportion."""
    gap: int
    """Half of the space between two columns, in points: LaTeX's own is 6."""


SIZES = (
    FontSize("", 10, 6),
    FontSize(r"\small", 9.3, 6),
    FontSize(r"\small", 9.3, 4),
    FontSize(r"\footnotesize", 8.6, 4),
)


class Printed(Struct, frozen=True, kw_only=True):
    """The columns of a printed table, and how it is set."""

    columns: tuple[int, ...]
    """The places of the columns that are shown."""
    left_out: tuple[int, ...]
    size: FontSize
    fits: bool
    """Whether it is no wider than there is room; otherwise a text has to be broken."""
    wrapped: int
    """The place, among those that are shown, of the column whose text is broken if the table does not fit."""
    others: float
    """The width of all other columns, with the space between them."""


def fit_printed_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, room: int, keep_all: bool
) -> Printed:
    """Choose the columns that fit, and the largest size in which they do.

    Args:
        columns: all columns.
        rows: their cells.
        room: the width, in points.
        keep_all: whether every column has been asked for.
    """
    ems = [_measure_column(column, [row[place] for row in rows]) for place, column in enumerate(columns)]
    kept = list(range(len(columns)))
    while True:
        for size in SIZES:
            if _add_up(kept, ems, size) <= room:
                return _make_printed(columns, kept, ems, size, fits=True)
        expendable = [place for place in kept[1:] if columns[place].detail]
        if keep_all or not expendable:
            return _make_printed(columns, kept, ems, SIZES[-1], fits=False)
        # Of equal ranks the last goes first.
        kept.remove(max(reversed(expendable), key=lambda place: columns[place].detail))


def _make_printed(
    columns: Sequence[Column], kept: list[int], ems: list[float], size: FontSize, *, fits: bool
) -> Printed:
    # A figure is never broken; of the texts the widest has most to give.
    texts = [place for place in kept if columns[place].kind not in RIGHT] or kept[:1]
    widest = max(texts, key=lambda place: ems[place])
    return Printed(
        columns=tuple(kept),
        left_out=tuple(place for place in range(len(ems)) if place not in kept),
        size=size,
        fits=fits,
        wrapped=kept.index(widest),
        others=_add_up(kept, ems, size) - ems[widest] * size.points,
    )


def _add_up(kept: Sequence[int], ems: Sequence[float], size: FontSize) -> float:
    return sum(ems[place] for place in kept) * size.points + 2 * size.gap * (len(kept) - 1)


def _measure_column(column: Column, texts: Sequence[str]) -> float:
    heading = wrap_heading(format_heading(column), texts)
    return max(map(measure_text, (*texts, *heading)), default=0.0)


def wrap_heading(heading: str, texts: Sequence[str]) -> list[str]:
    """Break a heading that is wider than its figures at its spaces."""
    longest = max(map(len, (*texts, *heading.split())), default=0)
    return wrap_text(heading, max(longest, 1)) or [""]


def measure_text(text: str) -> float:
    """Measure a text, in sizes of its font.

    >>> measure_text("3,663,761,408")
    5.834
    """
    return round(sum(map(_measure_sign, unicodedata.normalize("NFKD", text))) / 1000, 3)


def _measure_sign(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return _WIDTHS.get(sign, WIDEST)
