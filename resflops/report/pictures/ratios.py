"""One model against another: the ratio of their times beside the ratio of their counts."""

from collections.abc import Iterator, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from msgspec import Struct

from resflops.render.formats import times
from resflops.report.pictures.labels import label
from resflops.report.style import Theme, bare, drawing, shades

__all__ = ["Ratios", "Setting", "draw"]


class Setting(Struct, frozen=True, kw_only=True):
    """Both models measured in turns under one setting."""

    name: str
    """All of it but the batch."""
    batch: int
    time: float
    """The larger model's median time over the smaller one's."""
    low: float
    high: float
    """The ends of its confidence interval."""
    stable: bool = True
    """Whether both times can be trusted."""
    roof: float | None = None
    """The same ratio if every op ran at the measured peaks."""


class Ratios(Struct, frozen=True, kw_only=True):
    """Two models on one device."""

    smaller: str
    larger: str
    device: str
    macs: float
    """The ratio of their multiply-accumulates."""
    settings: tuple[Setting, ...]


def draw(data: Ratios, theme: Theme) -> Figure:
    """A line for each way to run, a mark for each batch: the ratio with its interval, and the roofline's."""
    names = list(dict.fromkeys(each.name for each in data.settings))
    batches = sorted({each.batch for each in data.settings})
    colours = dict(zip(batches, shades(theme, theme.series[0], len(batches)), strict=True))
    with drawing(theme, height=1.9 + 0.42 * len(names)) as figure:
        figure.suptitle(
            f"How much longer {label(data.larger)} takes than {label(data.smaller)}, {label(data.device)}"
        )
        axes = figure.subplots()
        bare(axes, grid="x")
        axes.axvline(data.macs, color=theme.series[1], linewidth=1.5, linestyle="--")
        for each in data.settings:
            # Numbers of neighbouring batches lie above and below, as their marks may be close.
            above = batches.index(each.batch) % 2 == 0
            _draw_setting(axes, names.index(each.name), each, colours[each.batch], theme, above=above)
        axes.set_yticks(range(len(names)), [label(name) for name in names])
        axes.set_ylim(len(names) - 0.3, -0.9)
        axes.set_xlim(*_choose_limits(data))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"time of {label(data.larger)} ÷ time of {label(data.smaller)}")
        axes.legend(
            handles=list(_legend(data, colours, theme)),
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=4 if len(batches) > 1 else 2,
            fontsize=8,
        )
        return figure


def _choose_limits(data: Ratios) -> tuple[float, float]:
    """Choose the part of the axis that has marks: no length is read off here that should begin at 0."""
    ends = [data.macs]
    for each in data.settings:
        ends += [each.low, each.high, *([each.roof] if each.roof else [])]
    margin = max(0.08 * (max(ends) - min(ends)), 0.02 * max(ends))
    return max(min(ends) - margin, 0), max(ends) + margin


def _draw_setting(axes: Axes, place: int, each: Setting, colour: str, theme: Theme, *, above: bool) -> None:
    axes.errorbar(
        each.time, place, xerr=[[each.time - each.low], [each.high - each.time]], fmt="o",
        color=colour, markerfacecolor=colour if each.stable else theme.paper,
        markersize=6, elinewidth=2 if each.stable else 1, capsize=3,
    )  # fmt: skip
    if each.roof:
        axes.plot(each.roof, place, "D", color=colour, fillstyle="none", markersize=4, alpha=0.6)
    axes.annotate(
        times(each.time), (each.time, place), xytext=(0, 6 if above else -6), textcoords="offset points",
        ha="center", va="bottom" if above else "top", fontsize=7.5,
        bbox={"facecolor": theme.paper, "linewidth": 0, "pad": 0.5},
    )  # fmt: skip


def _legend(data: Ratios, colours: Mapping[int, str], theme: Theme) -> Iterator[Line2D]:
    for batch, colour in colours.items():
        yield Line2D([], [], marker="o", linestyle="", color=colour, label=f"batch {batch}")
    # What is the same of all marks is said once, with the marks as they are here.
    for stable, said in ((True, "measured, with its interval"), (False, "measured to no better than ±5 %")):
        if any(setting.stable == stable for setting in data.settings):
            fill = theme.muted if stable else theme.paper
            yield Line2D([], [], marker="o", markerfacecolor=fill, color=theme.muted, label=said)
    yield Line2D([], [], linestyle="--", color=theme.series[1], label=f"as their MACs: {times(data.macs)}")
    if any(setting.roof for setting in data.settings):
        yield Line2D(
            [],
            [],
            marker="D",
            linestyle="",
            fillstyle="none",
            color=theme.muted,
            label="by the roofline",
        )
