"""The peak memory of two networks, in training and inference and at two batches, as stacked bars."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from msgspec import Struct

from resflops.report.pictures.labels import label
from resflops.report.style import Theme, bare, drawing

__all__ = ["Bar", "MemoryPair", "Panel", "draw"]


class Bar(Struct, frozen=True, kw_only=True):
    """One pass of one network."""

    model: str
    way: str
    parts: tuple[int, ...]
    """The bytes in use at the peak, in the order of the parts' names."""
    text: str
    """Its sum, as it is written."""


class Panel(Struct, frozen=True, kw_only=True):
    """The passes at one batch."""

    title: str
    bars: tuple[Bar, ...]


class MemoryPair(Struct, frozen=True, kw_only=True):
    """All that is shown."""

    parts: tuple[str, ...]
    panels: tuple[Panel, ...]


def draw(data: MemoryPair, theme: Theme) -> Figure:
    """A panel for each batch, each to a scale of its own, and in it a bar for each network and way."""
    rows = max(len(panel.bars) for panel in data.panels)
    with drawing(theme, height=1.5 + 0.3 * rows) as figure:
        figure.suptitle("What the memory at the peak holds")
        panels = figure.subplots(1, len(data.panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(panels, data.panels, strict=True):
            _draw_panel(axes, panel, theme)
        handles = [
            Patch(color=colour, label=name) for name, colour in zip(data.parts, theme.series, strict=False)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
        return figure


def _draw_panel(axes: Axes, panel: Panel, theme: Theme) -> None:
    # Every bar bears its figure, so that lines to read it off would only be in the way.
    bare(axes, grid="")
    axes.set_title(panel.title)
    widest = max(sum(bar.parts) for bar in panel.bars)
    for place, bar in enumerate(panel.bars):
        left = 0
        for size, colour in zip(bar.parts, theme.series, strict=False):
            axes.barh(place, size, left=left, height=0.7, color=colour)
            left += size
        axes.text(left + widest * 0.02, place, bar.text, va="center", fontsize=7)
    axes.set_yticks(
        range(len(panel.bars)), [f"{label(bar.model)}, {bar.way}" for bar in panel.bars], fontsize=8
    )
    axes.set_ylim(len(panel.bars) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, widest * 1.45)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e9:g}"))
    axes.set_xlabel("GB (10⁹ bytes)", fontsize=9)
