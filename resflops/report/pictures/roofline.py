"""The roofline of a device: what it reached beside what it could reach (Williams et al. 2009)."""

from math import log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from msgspec import Struct

from resflops.render.formats import rounded
from resflops.report.pictures.labels import label
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Roof", "Roofline", "Spot", "draw"]

MARKS = "os^Dvp"


class Spot(Struct, frozen=True, kw_only=True):
    """One measurement."""

    model: str
    batch: int
    intensity: float
    """Floating-point operations, two per multiply-accumulate, per byte moved at least."""
    flops_per_second: float


class Roof(Struct, frozen=True, kw_only=True):
    """What was measured in one dtype, and the peaks beside it, which a better kernel may pass."""

    dtype: str
    peak: float
    """Floating-point operations per second of a large matrix product."""
    bandwidth: float
    """Bytes per second of a large copy."""
    spots: tuple[Spot, ...]

    @property
    def above(self) -> tuple[Spot, ...]:
        """What passed the peaks."""
        return tuple(
            spot
            for spot in self.spots
            if spot.flops_per_second > min(self.peak, spot.intensity * self.bandwidth)
        )


class Roofline(Struct, frozen=True, kw_only=True):
    """One device."""

    device: str
    roofs: tuple[Roof, ...]


def draw(data: Roofline, theme: Theme) -> Figure:
    """A panel for each dtype, with what was reached beside the two roofs."""
    with drawing(theme, height=0.6 + 3.4 * len(data.roofs)) as figure:
        figure.suptitle(f"Speed reached beside the measured peaks, {label(data.device)}")
        panels = figure.subplots(len(data.roofs), 1, squeeze=False)[:, 0]
        for panel, roof in zip(panels, data.roofs, strict=True):
            bare(panel, grid="both")
            panel.set_xscale("log")
            panel.set_yscale("log")
            _roof(panel, roof, theme)
            _spots(panel, roof, theme)
            counts(panel.xaxis)
            # Seldom are two powers of ten in view.
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            counts(panel.yaxis)
            panel.set_title(
                f"{roof.dtype}, contiguous: {rounded(round(roof.peak))}FLOP/s in a matrix product, "
                f"{rounded(round(roof.bandwidth))}B/s in a copy"
            )
            if roof.above:
                _told(panel, "above the line: faster than the matrix product", theme)
            panel.set_ylabel("FLOPs per second\n(2 per MAC)")
        panels[-1].set_xlabel("arithmetic intensity, FLOPs (2 per MAC) per byte moved at least")
        return figure


def _roof(panel: Axes, roof: Roof, theme: Theme) -> None:
    ridge = roof.peak / roof.bandwidth
    left = min([ridge, *(spot.intensity for spot in roof.spots)]) / 3
    right = max([ridge, *(spot.intensity for spot in roof.spots)]) * 6
    panel.plot(
        [left, ridge, right], [left * roof.bandwidth, roof.peak, roof.peak], color=theme.ink, linewidth=1.5
    )
    lowest = min([roof.peak, *(spot.flops_per_second for spot in roof.spots)])
    highest = max([roof.peak, *(spot.flops_per_second for spot in roof.spots)])
    panel.set_ylim(10 ** (log10(lowest) - 0.4), 10 ** (log10(highest) + 0.3))
    panel.set_xlim(left, right)


def _told(panel: Axes, text: str, theme: Theme) -> None:
    """A word in the corner that no roof reaches."""
    panel.text(
        0.02, 0.96, text, transform=panel.transAxes, va="top", fontsize=8, color=theme.muted,
        bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 2},
    )  # fmt: skip


def _spots(panel: Axes, roof: Roof, theme: Theme) -> None:
    """The marks of each model, its batches joined; named at the side, where no mark can be."""
    by_model: dict[str, list[Spot]] = {}
    for spot in sorted(roof.spots, key=lambda each: each.batch):
        by_model.setdefault(spot.model, []).append(spot)
    lines = {}
    for number, (model, spots) in enumerate(by_model.items()):
        batches = ", ".join(str(spot.batch) for spot in spots)
        (lines[model],) = panel.plot(
            [spot.intensity for spot in spots],
            [spot.flops_per_second for spot in spots],
            # A second round through the colours has other marks, so that no two models look alike.
            marker=MARKS[(number + number // len(theme.series)) % len(MARKS)],
            color=theme.series[number % len(theme.series)],
            linewidth=1,
            markersize=4.5,
            label=f"{label(model)}\nbatch {label(batches)}",
        )
    fastest_first = sorted(by_model, key=lambda model: -by_model[model][-1].flops_per_second)
    panel.legend(
        handles=[lines[model] for model in fastest_first],
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        fontsize=8,
    )
