"""Names as a picture can show them, and beside what they name, not over each other."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise, product
from math import hypot

from matplotlib.axes import Axes
from matplotlib.font_manager import findfont, get_font
from matplotlib.legend import Legend
from matplotlib.transforms import Bbox
from msgspec import Struct

__all__ = ["SIDES", "Mark", "label", "name_ends", "name_marks"]

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


class Mark(Struct, frozen=True, kw_only=True):
    """A mark on a picture, and its name; ``""`` for a mark that only keeps others' names away."""

    name: str = ""
    x: float
    y: float
    area: float
    """In square points, as matplotlib has it."""
    colour: str = ""


SIDES = tuple(product((3, 8, 16, 24), ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))))
"""Where a name may stand: so many points from the mark, to which side; the first free one is taken."""


def name_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """Put each name beside its mark where it covers nothing and stands nearer to no other mark.

    The axes must have their limits, and their figure must have been drawn once.
    """
    places = [tuple(map(float, place)) for place in axes.transData.transform([(m.x, m.y) for m in marks])]
    radii = [mark.area**0.5 / 2 + 1 for mark in marks]
    # On the screen that marks are looked for on, a point is dpi / 72 pixels.
    pixels = axes.get_figure(root=True).dpi / 72  # type: ignore[union-attr]  # axes are on a figure
    solid = [_around(place, radius * pixels) for place, radius in zip(places, radii, strict=True)]
    solid += [text.get_window_extent() for text in axes.texts]
    solid += [child.get_window_extent() for child in axes.get_children() if isinstance(child, Legend)]
    lines = [_around(place, 2) for place in _walk_lines(axes)]
    for mark, place, radius in zip(marks, places, radii, strict=True):
        if mark.name:
            nearest = partial(_is_nearest, place, places)
            solid.append(_place_name(axes, mark, radius, solid, lines, nearest))


def _place_name(
    axes: Axes,
    mark: Mark,
    radius: float,
    solid: list[Bbox],
    lines: list[Bbox],
    nearest: Callable[[Bbox], bool],
) -> Bbox:
    """Put a name at the first free place around its mark, at worst over a line; return where it stands."""
    for avoided in (solid + lines, solid):
        for away, (right, up) in SIDES:
            text = axes.annotate(
                label(mark.name),
                (mark.x, mark.y),
                xytext=(right * (away + radius), up * (away + radius)),
                textcoords="offset points",
                ha=("center", "left", "right")[right],
                va=("center", "bottom", "top")[up],
                fontsize=8,
                color=mark.colour,
            )
            # A name is decoration to the layout, which must not shrink the axes for it.
            text.set_in_layout(False)
            box = text.get_window_extent()
            inside = axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
            if inside and nearest(box) and not any(box.overlaps(other) for other in avoided):
                return box
            if (away, (right, up)) != SIDES[-1] or avoided is not solid:
                text.remove()
    return box


def _is_nearest(place: tuple[float, ...], places: Sequence[tuple[float, ...]], box: Bbox) -> bool:
    return min(places, key=partial(_measure_distance, box)) == place


def _walk_lines(axes: Axes) -> Iterator[tuple[float, float]]:
    """Walk along the lines between the marks in small steps, as the screen has them."""
    for line in axes.get_lines():
        corners = axes.transData.transform(line.get_xydata())
        for (left, low), (right, high) in pairwise(corners):
            yield from ((left + (right - left) * n / 40, low + (high - low) * n / 40) for n in range(41))


def _around(place: tuple[float, ...], radius: float) -> Bbox:
    x, y = place
    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)


def _measure_distance(box: Bbox, place: tuple[float, ...]) -> float:
    x, y = place
    return hypot(max(box.x0 - x, x - box.x1, 0), max(box.y0 - y, y - box.y1, 0))
