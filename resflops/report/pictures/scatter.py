"""Cost against parameters, with latency as the size of the mark where it was measured."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise, product
from math import hypot

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from msgspec import Struct

from resflops.report.pictures.labels import label
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Point", "Scatter", "draw"]


class Point(Struct, frozen=True, kw_only=True):
    """One network."""

    model: str
    family: str
    params: int
    total: int
    seconds: float | None = None
    """Latency; None where none was measured."""


class Scatter(Struct, frozen=True, kw_only=True):
    """The networks; those of a family are joined by a line in the order given."""

    unit: str
    points: tuple[Point, ...]
    measured: str = ""
    """What the latency was measured on."""


def draw(data: Scatter, theme: Theme) -> Figure:
    """Both axes logarithmic; every mark is named beside it."""
    families = list(dict.fromkeys(point.family for point in data.points))
    with drawing(theme, height=5.2) as figure:
        figure.suptitle(f"{data.unit} against parameters")
        axes = figure.subplots()
        bare(axes, grid="both")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for family, colour, mark in zip(families, theme.series, "os^Dvp", strict=False):
            points = [point for point in data.points if point.family == family]
            places = [point.params for point in points], [point.total for point in points]
            axes.plot(*places, color=colour, linewidth=1, alpha=0.6)
            axes.scatter(
                *places,
                s=[_area(point, data) for point in points],
                c=[colour if _is_filled(point, data) else theme.paper for point in points],
                marker=mark,
                edgecolors=colour,
                linewidths=1.2,
                zorder=3,
            )
            # A legend of its own: the marks there are filled and of one size.
            axes.plot([], [], mark, color=colour, label=label(family))
        axes.margins(0.14)
        axes.set_xlabel("parameters")
        axes.set_ylabel(f"{data.unit}, one image")
        _ticks(axes)
        axes.legend(loc="upper left", handletextpad=0.2, labelcolor="linecolor")
        if data.measured:
            axes.set_title(
                f"area of a mark: latency, {label(data.measured, longest=70)}; hollow: not measured",
                fontweight="normal",
                fontsize=8,
            )
        figure.draw_without_rendering()
        _name(axes, data, theme)
        return figure


def _area(point: Point, data: Scatter) -> float:
    """In square points; the least that can still be seen for what was not measured or is very fast."""
    slowest = max((other.seconds or 0 for other in data.points), default=0)
    return 45 if not slowest else max(300 * (point.seconds or 0) / slowest, 20)


def _is_filled(point: Point, data: Scatter) -> bool:
    return point.seconds is not None or not data.measured


def _ticks(axes: Axes) -> None:
    for axis, low, high in ((axes.xaxis, *axes.get_xlim()), (axes.yaxis, *axes.get_ylim())):
        for units in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
            ticks = [
                unit * 10**power for power in range(16) for unit in units if low <= unit * 10**power <= high
            ]
            # A narrow range has few of the roundest numbers.
            if len(ticks) >= 3:
                break
        axis.set_ticks(ticks)
        counts(axis)


def _along(axes: Axes) -> Iterator[tuple[float, float]]:
    """Places on the lines between the marks, close to each other, as the screen has them."""
    for line in axes.get_lines():
        corners = axes.transData.transform(line.get_xydata())
        for (left, low), (right, high) in pairwise(corners):
            yield from ((left + (right - left) * n / 40, low + (high - low) * n / 40) for n in range(41))


SIDES = tuple(product((3, 8, 16), ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))))
"""Where a name may stand: so many points from the mark, to which side; the first free one is taken."""


def _name(axes: Axes, data: Scatter, theme: Theme) -> None:
    """Put each name beside its mark where it covers nothing and stands nearer to no other mark."""
    points = data.points
    marks = [(float(x), float(y)) for x, y in axes.transData.transform([(p.params, p.total) for p in points])]
    radii = [_area(point, data) ** 0.5 / 2 + 1 for point in points]
    # On the screen that marks are looked for on, a point is dpi / 72 pixels.
    pixels = axes.get_figure(root=True).dpi / 72  # type: ignore[union-attr]  # axes are on a figure
    taken = [_around(mark, radius * pixels) for mark, radius in zip(marks, radii, strict=True)]
    taken += [_around(place, 2) for place in _along(axes)]
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
    for point, mark, radius in zip(points, marks, radii, strict=True):
        for away, (right, up) in SIDES:
            text = axes.annotate(
                label(point.model),
                (point.params, point.total),
                xytext=(right * (away + radius), up * (away + radius)),
                textcoords="offset points",
                ha=("center", "left", "right")[right],
                va=("center", "bottom", "top")[up],
                fontsize=8,
                color=theme.ink,
            )
            # A name is decoration to the layout, which must not shrink the axes for it.
            text.set_in_layout(False)
            box = text.get_window_extent()
            free = not any(box.overlaps(other) for other in taken)
            if free and min(marks, key=partial(_distance, box)) == mark:
                taken.append(box)
                break
            if (away, (right, up)) != SIDES[-1]:
                text.remove()


def _around(place: tuple[float, float], radius: float) -> Bbox:
    x, y = place
    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)


def _distance(box: Bbox, place: tuple[float, float]) -> float:
    x, y = place
    return hypot(max(box.x0 - x, x - box.x1, 0), max(box.y0 - y, y - box.y1, 0))
