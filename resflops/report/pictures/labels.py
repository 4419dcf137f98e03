"""Names that stand beside what they name, and not over each other."""

from matplotlib.axes import Axes

__all__ = ["name_ends"]

LEADING = 12.0
"""Points between two lines of text."""

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
            text,
            (x, y),
            xytext=(7, place - height),
            textcoords="offset points",
            va="center",
            color=colour,
        )
        lowest = place
