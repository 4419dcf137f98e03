"""One network along its depth: cost, parameters and activations, layer by layer."""

from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from msgspec import Struct

from resflops.cost import Cost
from resflops.render.formats import rounded
from resflops.report.pictures.labels import label
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Layer", "Profile", "draw", "profile_of"]


LETTER = 0.0088
"""Width of a letter of a stage's name, as a part of the panel."""

GAP = 0.008
"""What is left free between two names, as a part of the panel."""

LONGEST_STAGE = 10
"""Letters of a stage's name that find room aslant below the panel's title."""


class Layer(Struct, frozen=True, kw_only=True):
    """One layer that the convention counts."""

    stage: str
    total: int
    params: int
    activations: int


class Profile(Struct, frozen=True, kw_only=True):
    """The layers of a network, in order."""

    model: str
    input: str
    convention: str
    unit: str
    total: int
    complete: bool
    params: int
    activations: int
    layers: tuple[Layer, ...]


def profile_of(cost: Cost, *, unit: str, given: str) -> Profile:
    """The layers that cost something under the convention.

    Args:
        cost: the network's.
        unit: what the convention counts, such as ``MACs``.
        given: the shape of its input, as it is written.
    """
    rows = [row for row in cost.layers if row.total]
    return Profile(
        model=cost.model,
        input=given,
        convention=cost.convention,
        unit=unit,
        total=cost.total,
        complete=cost.complete,
        params=cost.params,
        activations=sum(row.activations for row in cost.layers),
        layers=tuple(
            Layer(
                stage=cost.trace.stage_of(row.name),
                total=row.total,
                params=row.params,
                activations=row.activations,
            )
            for row in rows
        ),
    )


def draw(data: Profile, theme: Theme) -> Figure:
    """Three panels over one axis of layers, the stages marked by bands and named above."""
    sums = {key: sum(getattr(layer, key) for layer in data.layers) for key in ("params", "activations")}
    least = "" if data.complete else "≥ "
    panels = (
        ("total", f"{label(data.unit)}: {least}{rounded(data.total)}"),
        ("params", f"Parameters: {_of(sums['params'], data.params)}"),
        ("activations", f"Activations, in elements: {_of(sums['activations'], data.activations)}"),
    )
    with drawing(theme, height=5.4) as figure:
        figure.suptitle(f"{label(data.model)} along its depth, input {label(data.input)}")
        axes = figure.subplots(len(panels), 1, sharex=True)
        for panel, (key, title), colour in zip(axes, panels, theme.series, strict=False):
            bare(panel)
            values = [getattr(layer, key) for layer in data.layers]
            panel.add_patch(PathPatch(_bars(values), color=colour, linewidth=0))
            panel.autoscale_view()
            panel.set_xlim(0.4, len(values) + 0.6)
            panel.set_ylim(0)
            counts(panel.yaxis)
            room = _draw_bands(panel, data, theme, named=key == "total")
            panel.set_title(title, color=colour, pad=room)
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[-1].set_xlabel(f"layer that {label(data.convention)} counts, in order of its first call")
        return figure


def _of(part: int, whole: int) -> str:
    return (
        rounded(whole)
        if rounded(part) == rounded(whole)
        else f"{rounded(part)} of {rounded(whole)} in these layers"
    )


def _bars(values: list[int]) -> Path:
    """All bars as one path: an element each would make the file of a deep network five times as large."""
    return Path.make_compound_path(
        *(
            Path([(n - 0.4, 0), (n - 0.4, value), (n + 0.4, value), (n + 0.4, 0), (n - 0.4, 0)], closed=True)
            for n, value in enumerate(values, start=1)
        )
    )


def _draw_bands(panel: Axes, data: Profile, theme: Theme, *, named: bool) -> float | None:
    """Grey every second stage and name the stages above the panel; return the points that the names take.

    They are aslant where they find no room side by side.
    """
    groups = [(name, len(list(group))) for name, group in groupby(layer.stage for layer in data.layers)]
    if not any(name for name, _ in groups):
        return None
    place, middles = 0.5, []
    for number, (_, width) in enumerate(groups):
        if number % 2 == 0:
            panel.axvspan(place, place + width, color=theme.grid, alpha=0.35, linewidth=0, zorder=0)
        middles.append((place + width / 2 - 0.4) / (len(data.layers) + 0.2))
        place += width
    if not named:
        return None
    names = [label(name, longest=LONGEST_STAGE) for name, _ in groups]
    widths = [len(name) * LETTER for name in names]
    upright = sum(widths) + GAP * (len(widths) - 1) <= 1
    for name, middle in zip(names, _spread(middles, widths) if upright else middles, strict=True):
        _name_stage(panel, name, middle, theme, upright=upright)
    return 16 if upright else 30


def _spread(middles: list[float], widths: list[float]) -> list[float]:
    """Move names that would cover each other or leave the panel as little to the side as they must.

    >>> _spread([0.5, 0.98, 0.99], [0.1, 0.1, 0.1])
    [0.5, 0.842, 0.95]
    """
    starts, least = [], 0.0
    for middle, width in zip(middles, widths, strict=True):
        starts.append(max(middle - width / 2, least))
        least = starts[-1] + width + GAP
    most = 1.0
    for place in reversed(range(len(starts))):
        starts[place] = min(starts[place], most - widths[place])
        most = starts[place] - GAP
    return [round(start + width / 2, 6) for start, width in zip(starts, widths, strict=True)]


def _name_stage(panel: Axes, name: str, middle: float, theme: Theme, *, upright: bool) -> None:
    panel.annotate(
        name,
        (middle, 1.0),
        xycoords="axes fraction",
        xytext=(0, 2),
        textcoords="offset points",
        ha="center" if upright else "left",
        va="bottom",
        rotation=0 if upright else 35,
        rotation_mode="anchor",
        fontsize=8,
        color=theme.muted,
    )
