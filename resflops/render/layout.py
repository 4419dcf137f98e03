"""How the columns of a grid share a screen: which stay, how wide they are, which give way and to where."""

import textwrap
from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from resflops.render.formats import format_heading
from resflops.tables import Column

__all__ = ["GAP", "Layout", "Placed", "fit_columns", "wrap_text"]

GAP = 2
"""Spaces between columns."""

LEAST_WRAP = 30
"""A text wrapped to fewer characters reads worse than one on a line of its own."""

LONGEST_HEADING = 14
"""A longer heading is wrapped where its column is narrower."""


class Placed(Struct, frozen=True, kw_only=True):
    """A column with its cells and the width that it was given."""

    column: Column
    texts: tuple[str, ...]
    width: int

    @property
    def heading(self) -> str:
        """Its heading, with the unit of its figures."""
        return format_heading(self.column)

    @property
    def least(self) -> int:
        """The width below which it cannot go, since no figure and no word is ever broken."""
        if not self.column.wraps:
            return self.width
        words = (word for text in (self.heading, *self.texts) for word in text.split())
        return min(self.width, max(LEAST_WRAP, *map(cell_len, words)))


class Layout(Struct, frozen=True, kw_only=True):
    """Where each column has its place."""

    kept: list[Placed]
    """In the grid."""
    folded: list[Placed]
    """On a line of its own under each row, its value with its heading."""
    left_out: list[Placed]
    """Nowhere; a note names them."""


def fit_columns(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Layout:
    """Choose the columns that stay in the grid, those that fold, and those that are left out.

    Args:
        columns: all columns.
        rows: their cells.
        width: the screen's width; None for no limit.
    """
    kept = [_place_column(column, tuple(row[place] for row in rows)) for place, column in enumerate(columns)]
    gone: list[Placed] = []
    if width is None:
        return Layout(kept=kept, folded=[], left_out=[])
    while _compute_spare(kept, width) < 0 and any(placed.column.detail for placed in kept):
        # Of equal ranks the last goes first: max() takes the first of equals, hence reversed.
        kept.remove(first := max(reversed(kept), key=lambda placed: placed.column.detail))
        gone.append(first)
    # What gave way for a column that gave way itself may have room again.
    for placed in reversed(gone.copy()):
        if _compute_spare([*kept, placed], width) >= 0:
            gone.remove(placed)
            kept.append(placed)
    order = {column: place for place, column in enumerate(columns)}
    kept.sort(key=lambda placed: order[placed.column])
    gone.sort(key=lambda placed: order[placed.column])
    if _compute_spare(kept, width) < 0:
        # Narrower than what always stays: the first column names the row, and the others stand below it.
        gone = sorted([*kept[1:], *gone], key=lambda placed: order[placed.column])
        kept = kept[:1]
    return Layout(
        kept=_widen_wrapped(kept, _compute_spare(kept, width)),
        folded=[placed for placed in gone if placed.column.folds],
        left_out=[placed for placed in gone if not placed.column.folds],
    )


def _place_column(column: Column, texts: tuple[str, ...]) -> Placed:
    """Make a column as wide as its widest line; a long heading is wrapped over narrow values."""
    content = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
    heading = format_heading(column)
    word = max(map(cell_len, heading.split()), default=0)
    room = max(content, word, min(cell_len(heading), LONGEST_HEADING))
    width = max(content, *map(cell_len, wrap_text(heading, max(room, 1))), 0)
    return Placed(column=column, texts=texts, width=width)


def wrap_text(text: str, width: int) -> list[str]:
    """Break a text at its spaces: neither a number nor a name is ever cut."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _compute_spare(kept: Sequence[Placed], width: int) -> int:
    return width - sum(placed.least for placed in kept) - GAP * (len(kept) - 1)


def _widen_wrapped(kept: Sequence[Placed], spare: int) -> list[Placed]:
    """Share spare width evenly among the wrapped columns; what one does not need goes to the others."""
    room = max(spare, 0)
    widths = [placed.least for placed in kept]
    # Those that need least come first, so that what they leave over reaches the others.
    growing = sorted(range(len(kept)), key=lambda place: kept[place].width - kept[place].least)
    for number, place in enumerate(growing):
        more = min(kept[place].width - kept[place].least, room // (len(growing) - number))
        widths[place] += more
        room -= more
    return [
        Placed(column=placed.column, texts=placed.texts, width=width)
        for placed, width in zip(kept, widths, strict=True)
    ]
