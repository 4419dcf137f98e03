"""The roofline of a device: what it reached beside what it could reach (Williams et al. 2009)."""

from math import log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import Struct

from resflops.report.pictures.labels import label, name_ends
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Roof", "Roofline", "Spot", "draw"]


class Spot(Struct, frozen=True, kw_only=True):
    """One measurement."""

    model: str
    batch: int
    intensity: float
    """Floating-point operations, two per multiply-accumulate, per byte moved at least."""
    flops_per_second: float


class Roof(Struct, frozen=True, kw_only=True):
    """What was measured in one dtype, and what nothing beats in it."""

    dtype: str
    peak: float
    """Floating-point operations per second of a large matrix product."""
    bandwidth: float
    """Bytes per second of a large copy."""
    spots: tuple[Spot, ...]


class Roofline(Struct, frozen=True, kw_only=True):
    """One device."""

    device: str
    roofs: tuple[Roof, ...]


def draw(data: Roofline, theme: Theme) -> Figure:
    """A panel for each dtype; a model's batches are joined, the largest one is named."""
    with drawing(theme, height=0.6 + 3.4 * len(data.roofs)) as figure:
        figure.suptitle(f"Reached and reachable on {label(data.device)}")
        panels = figure.subplots(len(data.roofs), 1, squeeze=False)[:, 0]
        for panel, roof in zip(panels, data.roofs, strict=True):
            bare(panel, grid="both")
            panel.set_xscale("log")
            panel.set_yscale("log")
            _roof(panel, roof, theme)
            ends = _spots(panel, roof, theme)
            counts(panel.xaxis)
            counts(panel.yaxis)
            panel.set_title(roof.dtype)
            panel.set_ylabel("FLOPs per second\n(2 per MAC)")
            name_ends(panel, ends)
        panels[-1].set_xlabel("arithmetic intensity, FLOPs (2 per MAC) per byte moved at least")
        return figure


def _roof(panel: Axes, roof: Roof, theme: Theme) -> None:
    ridge = roof.peak / roof.bandwidth
    left = min([ridge, *(spot.intensity for spot in roof.spots)]) / 3
    right = max([ridge, *(spot.intensity for spot in roof.spots)]) * 6
    panel.plot(
        [left, ridge, right], [left * roof.bandwidth, roof.peak, roof.peak], color=theme.ink, linewidth=1.5
    )
    panel.annotate(
        "peak of a matrix product", (right, roof.peak), xytext=(0, 4), textcoords="offset points",
        ha="right", fontsize=8, color=theme.muted,
    )  # fmt: skip
    panel.annotate(
        "bandwidth of a copy", (ridge, roof.peak), xytext=(-8, -4), textcoords="offset points",
        ha="right", va="bottom", fontsize=8, color=theme.muted,
    )  # fmt: skip
    lowest = min([roof.peak, *(spot.flops_per_second for spot in roof.spots)])
    panel.set_ylim(10 ** (log10(lowest) - 0.4), 10 ** (log10(roof.peak) + 0.4))
    panel.set_xlim(left, right)


def _spots(panel: Axes, roof: Roof, theme: Theme) -> list[tuple[str, float, float, str]]:
    ends = []
    models = list(dict.fromkeys(spot.model for spot in roof.spots))
    for number, model in enumerate(models):
        colour = theme.series[number % len(theme.series)]
        spots = sorted((spot for spot in roof.spots if spot.model == model), key=lambda spot: spot.batch)
        panel.plot(
            [spot.intensity for spot in spots], [spot.flops_per_second for spot in spots],
            marker="os^Dvp"[number % 6], color=colour, linewidth=1, markersize=4.5,
        )  # fmt: skip
        last = spots[-1]
        ends.append((f"{model}, batch {last.batch}", last.intensity, last.flops_per_second, colour))
    return ends
