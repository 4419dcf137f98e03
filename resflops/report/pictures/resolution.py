"""Cost against the size of the image."""

from matplotlib.figure import Figure
from msgspec import Struct

from resflops.render.formats import rounded
from resflops.report.pictures.labels import name_ends
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Resolutions", "Series", "draw"]


class Series(Struct, frozen=True, kw_only=True):
    """One network at every size."""

    model: str
    totals: tuple[int, ...]


class Resolutions(Struct, frozen=True, kw_only=True):
    """Networks on square images."""

    unit: str
    sides: tuple[int, ...]
    """Sides of the images, in pixels."""
    usual: int
    """The side that papers print figures for."""
    series: tuple[Series, ...]


def draw(data: Resolutions, theme: Theme) -> Figure:
    """A line for each network, named at its end."""
    with drawing(theme, height=4.4) as figure:
        figure.suptitle(f"{data.unit} against the size of the image")
        axes = figure.subplots()
        bare(axes, grid="both")
        styles = ("-", "--", "-.", ":")
        for series, colour, line in zip(data.series, theme.series, styles, strict=False):
            axes.plot(data.sides, series.totals, line, color=colour, marker="o", markersize=3)
        axes.axvline(data.usual, color=theme.muted, linewidth=0.8, linestyle=":")
        axes.annotate(
            f"{data.usual} × {data.usual}, as in the papers",
            (data.usual, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
            fontsize=8,
            color=theme.muted,
        )
        axes.set_xticks(data.sides, [str(side) for side in data.sides], fontsize=8)
        axes.set_ylim(0)
        counts(axes.yaxis)
        axes.set_xlabel("side of the square image, pixels")
        axes.set_ylabel(f"{data.unit}, one image")
        name_ends(
            axes,
            [
                (f"{series.model}: {rounded(series.totals[-1])}", data.sides[-1], series.totals[-1], colour)
                for series, colour in zip(data.series, theme.series, strict=False)
            ],
        )
        return figure
