"""Cost against parameters, with latency as the size of the mark where it was measured."""

from math import floor, log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from msgspec import Struct

from resflops.report.pictures.labels import Mark, label, name_marks
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
        families_key = axes.legend(loc="upper left", handletextpad=0.2, labelcolor="linecolor")
        if data.measured:
            axes.add_artist(families_key)
            axes.legend(
                handles=_list_area_keys(data, theme), loc="lower right", title="latency", labelspacing=0.9
            )
            axes.set_title(
                f"area of a mark: latency, {label(data.measured, longest=70)}; hollow: not measured",
                fontweight="normal",
                fontsize=8,
            )
        figure.draw_without_rendering()
        name_marks(
            axes,
            [
                Mark(name=each.model, x=each.params, y=each.total, area=_area(each, data), colour=theme.ink)
                for each in data.points
            ],
        )
        return figure


def _list_area_keys(data: Scatter, theme: Theme) -> list[Line2D]:
    """List marks of round latencies, for a reader to measure the others by."""
    slowest = max((point.seconds or 0 for point in data.points), default=0)
    largest = _round_down(slowest)
    return [
        Line2D([], [], linestyle="", marker="o", color=theme.muted, markersize=_scale(part, slowest) ** 0.5,
               label=f"{part * 1000:g} ms" if part < 1 else f"{part:g} s")
        for part in dict.fromkeys((_round_down(largest / 10), _round_down(largest / 2), largest))
        if part > 0
    ]  # fmt: skip


def _round_down(amount: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above an amount.

    >>> _round_down(0.73), _round_down(0.2), _round_down(0.0)
    (0.5, 0.2, 0.0)
    """
    if amount <= 0:
        return 0.0
    power = 10.0 ** floor(log10(amount) + 1e-9)
    return max(unit * power for unit in (1, 2, 5) if unit * power <= amount * (1 + 1e-9))


def _area(point: Point, data: Scatter) -> float:
    """In square points; the least that can still be seen for what was not measured or is very fast."""
    slowest = max((other.seconds or 0 for other in data.points), default=0)
    return 45 if not slowest else _scale(point.seconds or 0, slowest)


def _scale(latency: float, slowest: float) -> float:
    return max(300 * latency / slowest, 20)


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
