"""Names as a picture can show them, and beside what they name, not over each other."""

from functools import cache

from matplotlib.axes import Axes
from matplotlib.font_manager import findfont, get_font

__all__ = ["label", "name_ends"]

LEADING = 12.0
"""Points between two lines of text."""

LONGEST = 40
"""Signs of a name that a picture has room for."""


def label(name: str, *, longest: int = LONGEST) -> str:
    r"""A name in one line, cut where it is long; a sign that the font lacks becomes a question mark.

    >>> label("conv2_x"), label("a" * 50 + "\n" + "b" * 50), label("\x1b[31m")
    ('conv2_x', 'aaaaaaaaaaaaaaaaaaa…bbbbbbbbbbbbbbbbbbbb', '?[31m')
    """
    if len(name) > longest:
        # Both ends, for paths that differ only there.
        half = longest // 2
        name = f"{name[: half - 1]}…{name[-half:]}"
    return "".join(sign if ord(sign) in _signs() else "?" for sign in name)


@cache
def _signs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


End = tuple[str, float, float, str]
"""A text, where its line ends, and its colour."""


def name_ends(axes: Axes, ends: list[End]) -> None:
    """Put each text to the right of its line's end, moved up where another stands there.

    The axes must have their limits, for what is far apart is known on paper alone.
    """
    scale = 72 / axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # axes are on a figure
    axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    lowest = float("-inf")
    for text, x, y, colour in sorted(ends, key=lambda end: end[2]):
        height = axes.transData.transform((x, y))[1] * scale
        place = max(height, lowest + LEADING)
        axes.annotate(
            label(text),
            (x, y),
            xytext=(7, place - height),
            textcoords="offset points",
            va="center",
            color=colour,
        )
        lowest = place
