"""Three small kernels against one large kernel, and the first convolutions of two networks."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from msgspec import Struct

from resflops.records import Shape
from resflops.render.formats import rounded, shape, times
from resflops.report.pictures.labels import label
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Kernels", "Layer", "Pair", "draw"]

MARKS = ("o", "s", "D")
TICKS = (0.5, 1, 2, 5, 10, 20, 50)


class Pair(Struct, frozen=True, kw_only=True):
    """Channels that go in and come out."""

    channels: str
    ratios: tuple[float, ...]
    """The cost of the small kernels as a multiple of the large one's, for each stride."""


class Layer(Struct, frozen=True, kw_only=True):
    """One of a network's first convolutions."""

    model: str
    name: str
    macs: int
    field: Shape
    """What one of its outputs sees of the image."""


class Kernels(Struct, frozen=True, kw_only=True):
    """Both comparisons."""

    unit: str
    strides: tuple[int, ...]
    pairs: tuple[Pair, ...]
    layers: tuple[Layer, ...]


def draw(data: Kernels, theme: Theme) -> Figure:
    """A panel for the ratios, and one for the networks."""
    with drawing(theme, height=3.6) as figure:
        figure.suptitle("Three 3×3 convolutions against one 7×7, and where it matters")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _draw_ratios(left, data, theme)
        _draw_layers(right, data, theme)
        return figure


def _draw_ratios(axes: Axes, data: Kernels, theme: Theme) -> None:
    # Every mark bears its figure, so that lines to read it off would only be in the way.
    bare(axes, grid="")
    axes.set_title(f"{label(data.unit)} of three 3×3 ÷ one 7×7, same receptive field")
    axes.set_xscale("log")
    axes.axvline(1, color=theme.ink, linewidth=1)
    for place, stride in enumerate(data.strides):
        colour = theme.series[place]
        axes.plot(
            [pair.ratios[place] for pair in data.pairs],
            range(len(data.pairs)),
            MARKS[place % len(MARKS)],
            color=colour,
            markersize=6,
            label=f"stride {stride}",
        )
        for row, pair in enumerate(data.pairs):
            axes.annotate(
                times(pair.ratios[place]),
                (pair.ratios[place], row),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=colour,
            )
    axes.set_yticks(range(len(data.pairs)), [f"{pair.channels} channels" for pair in data.pairs])
    axes.set_ylim(len(data.pairs) - 0.5, -0.7)
    axes.tick_params(axis="y", length=0)
    least, most = min(min(pair.ratios) for pair in data.pairs), max(max(pair.ratios) for pair in data.pairs)
    axes.set_xlim(min(least, 1) / 1.5, max(most, 1) * 1.6)
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("ratio: three 3×3 cost less left of 1, more right of it")
    axes.legend(loc="lower right", fontsize=8)


def _draw_layers(axes: Axes, data: Kernels, theme: Theme) -> None:
    bare(axes, grid="")
    axes.set_title("The first convolutions")
    widest = max(layer.macs for layer in data.layers)
    models = list(dict.fromkeys(layer.model for layer in data.layers))
    for place, layer in enumerate(data.layers):
        colour = theme.series[models.index(layer.model)]
        axes.barh(place, layer.macs, height=0.62, color=colour)
        text = f"{rounded(layer.macs)}, sees {shape(layer.field)}"
        axes.text(layer.macs + widest * 0.02, place, text, va="center", fontsize=8)
    axes.set_yticks(
        range(len(data.layers)),
        [f"{label(layer.model)}\n{label(layer.name)}" for layer in data.layers],
        fontsize=8,
    )
    axes.set_ylim(len(data.layers) - 0.5, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, widest * 1.75)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    counts(axes.xaxis)
    axes.set_xlabel(f"{label(data.unit)}, one image")
