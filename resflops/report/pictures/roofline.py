"""The roofline of a device: what it reached beside what it could reach (Williams et al. 2009)."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator
from msgspec import Struct

from resflops.render.formats import rounded
from resflops.report.pictures.labels import Mark, label, name_marks
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing, shades

__all__ = ["Roof", "Roofline", "Spot", "draw"]

MARKS = "os^Dvp"

TICKS = ((80, (1, 1.5, 2, 3, 4, 5, 7)), (1000, (1, 2, 5)), (float("inf"), (1, 3)))
"""Up to which ratio of its ends an axis has which marks in a power of ten."""

CALM, CROWDED, MANY = 3.7, 5.2, 8
"""Inches of a panel, of one with the marks of many models, and how many of them are many."""

SMALLEST, GROWTH = 14, 34
"""Square points of the mark of the smallest batch, and how much larger that of the next one is."""


class Spot(Struct, frozen=True, kw_only=True):
    """One measurement."""

    model: str
    family: str
    """What its networks have in common, such as ``ResNet``; they share a colour."""
    batch: int
    intensity: float
    """Floating-point operations, two per multiply-accumulate, per byte moved at least."""
    flops_per_second: float


class Roof(Struct, frozen=True, kw_only=True):
    """What was measured in one dtype and one way, and the peaks beside it, which a better kernel may pass."""

    dtype: str
    setting: str
    """What its marks have in common, in words: the dtype, and how it was run."""
    peak: float
    """Floating-point operations per second of the fastest probe."""
    probe: str
    """What that was, such as ``3×3 convolution``."""
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


class _Look(Struct, frozen=True, kw_only=True):
    """How a model is drawn, the same in every panel."""

    colour: str
    marker: str


def draw(data: Roofline, theme: Theme) -> Figure:
    """A panel for each dtype, as far as there are marks, each named, its batches joined."""
    spots = [spot for roof in data.roofs for spot in roof.spots]
    looks = _choose_looks(spots, theme)
    batches = sorted({spot.batch for spot in spots})
    heights = [CROWDED if len(_group_by_model(roof)) > MANY else CALM for roof in data.roofs]
    with drawing(theme, height=0.9 + sum(heights)) as figure:
        figure.suptitle(f"Speed reached beside the measured peaks, {label(data.device)}")
        figure.legend(
            handles=_list_keys(spots, batches, theme), loc="outside lower center", ncols=6, fontsize=8
        )
        panels = figure.subplots(len(data.roofs), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, roof in zip(panels, data.roofs, strict=True):
            _draw_panel(panel, roof, theme)
            _draw_spots(panel, roof, looks, batches)
        panels[-1].set_xlabel("arithmetic intensity, FLOPs (2 per MAC) per byte moved at least")
        figure.draw_without_rendering()
        for panel, roof in zip(panels, data.roofs, strict=True):
            name_marks(panel, _list_marks(roof, looks, batches))
        return figure


def _choose_looks(spots: Sequence[Spot], theme: Theme) -> dict[str, _Look]:
    """Choose a colour for each family, a shade and a marker for each of its models."""
    families: dict[str, dict[str, None]] = {}
    for spot in spots:
        families.setdefault(spot.family, {})[spot.model] = None
    looks = {}
    for number, models in enumerate(families.values()):
        colours = shades(theme, theme.series[number % len(theme.series)], len(models))
        for place, (model, colour) in enumerate(zip(models, colours, strict=True)):
            looks[model] = _Look(colour=colour, marker=MARKS[place % len(MARKS)])
    return looks


def _list_keys(spots: Sequence[Spot], batches: Sequence[int], theme: Theme) -> list[Line2D]:
    families = dict.fromkeys(spot.family for spot in spots)
    return [
        *(
            Line2D([], [], color=theme.series[number % len(theme.series)], linewidth=3, label=label(family))
            for number, family in enumerate(families)
        ),
        *(
            Line2D([], [], linestyle="", marker="o", color=theme.muted, label=f"batch {batch}",
                   markersize=_scale(batch, batches) ** 0.5)
            for batch in batches
        ),
    ]  # fmt: skip


def _scale(batch: int, batches: Sequence[int]) -> float:
    return SMALLEST + GROWTH * batches.index(batch)


def _draw_panel(panel: Axes, roof: Roof, theme: Theme) -> None:
    """Draw the roof as far as it stands over the marks, and say what it is."""
    bare(panel, grid="both")
    panel.set_xscale("log")
    panel.set_yscale("log")
    intensities = [spot.intensity for spot in roof.spots]
    speeds = [spot.flops_per_second for spot in roof.spots]
    left, right = min(intensities) / 1.5, max(intensities) * 1.8
    ridge = roof.peak / roof.bandwidth
    corners = [left, *([ridge] if left < ridge < right else []), right]
    heights = [min(roof.peak, at * roof.bandwidth) for at in corners]
    panel.plot(corners, heights, color=theme.ink, linewidth=1.5, linestyle="--" if roof.above else "-")
    panel.set_xlim(left, right)
    panel.set_ylim(min(*speeds, *heights[1:]) / 1.3, max(*speeds, *heights) * 1.45)
    for axis in (panel.xaxis, panel.yaxis):
        low, high = axis.get_view_interval()
        # The more powers of ten are in view, the fewer marks has each.
        axis.set_major_locator(LogLocator(subs=next(subs for most, subs in TICKS if high / low < most)))
        counts(axis)
    panel.set_title(
        f"{roof.setting}: {rounded(round(roof.peak))}FLOP/s in a {roof.probe}, "
        f"{rounded(round(roof.bandwidth))}B/s in a copy"
    )
    if roof.above:
        _tell(panel, f"above the line: faster than the {roof.probe}", theme)
    panel.set_ylabel("FLOPs per second\n(2 per MAC)")


def _tell(panel: Axes, text: str, theme: Theme) -> None:
    """Write a word into the corner above all marks."""
    panel.text(
        0.01, 0.985, text, transform=panel.transAxes, va="top", fontsize=8, color=theme.muted,
        bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 2},
    )  # fmt: skip


def _group_by_model(roof: Roof) -> dict[str, list[Spot]]:
    by_model: dict[str, list[Spot]] = {}
    for spot in sorted(roof.spots, key=lambda each: each.batch):
        by_model.setdefault(spot.model, []).append(spot)
    return by_model


def _draw_spots(panel: Axes, roof: Roof, looks: dict[str, _Look], batches: Sequence[int]) -> None:
    for model, spots in _group_by_model(roof).items():
        look = looks[model]
        places = [spot.intensity for spot in spots], [spot.flops_per_second for spot in spots]
        panel.plot(*places, color=look.colour, linewidth=1)
        sizes = [_scale(spot.batch, batches) for spot in spots]
        panel.scatter(*places, s=sizes, color=look.colour, marker=look.marker, zorder=3)


def _list_marks(roof: Roof, looks: dict[str, _Look], batches: Sequence[int]) -> list[Mark]:
    """List all marks, the one of the largest batch with the model's name."""
    return [
        Mark(
            name=model if spot is spots[-1] else "",
            x=spot.intensity,
            y=spot.flops_per_second,
            area=_scale(spot.batch, batches),
            colour=looks[model].colour,
        )
        for model, spots in _group_by_model(roof).items()
        for spot in spots
    ]
