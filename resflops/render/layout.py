"""How the columns of a grid share a screen: which stay, how wide they are, which give way."""

import textwrap
from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from resflops.tables import Column

__all__ = ["GAP", "Placed", "fit_columns", "wrap_text"]

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
    def least(self) -> int:
        """The width below which it cannot go, since no figure and no word is ever broken."""
        if not self.column.wraps:
            return self.width
        words = (word for text in (self.column.heading, *self.texts) for word in text.split())
        return min(self.width, max(LEAST_WRAP, *map(cell_len, words)))


def fit_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> tuple[list[Placed], list[Placed]]:
    """Choose the columns that stay in the grid, and those that go to a line of their own under each row.

    Args:
        columns: all columns.
        rows: their cells.
        width: the screen's width; None for no limit.
    """
    kept = [_place_column(column, tuple(row[place] for row in rows)) for place, column in enumerate(columns)]
    folded: list[Placed] = []
    if width is None:
        return kept, folded
    while _compute_spare(kept, width) < 0 and any(placed.column.detail for placed in kept):
        # Of equal ranks the last goes first: max() takes the first of equals, hence reversed.
        kept.remove(first := max(reversed(kept), key=lambda placed: placed.column.detail))
        folded.append(first)
    order = {column: place for place, column in enumerate(columns)}
    return _widen_wrapped(kept, _compute_spare(kept, width)), sorted(
        folded, key=lambda placed: order[placed.column]
    )


def _place_column(column: Column, texts: tuple[str, ...]) -> Placed:
    """Make a column as wide as its widest line; a long heading is wrapped over narrow values."""
    content = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
    word = max(map(cell_len, column.heading.split()), default=0)
    room = max(content, word, min(cell_len(column.heading), LONGEST_HEADING))
    width = max(content, *map(cell_len, wrap_text(column.heading, max(room, 1))), 0)
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
