"""What a pass holds in memory, step by step: an area for each kind, and the peak with its op and layer."""

from bisect import bisect_left
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from msgspec import Struct

from resflops.peak_memory.records import Kind, Memory, Phase
from resflops.peak_memory.sizes import format_size
from resflops.render.formats import format_value
from resflops.report.pictures.labels import label
from resflops.report.style import LIGHT, Theme, bare, drawing, encode

__all__ = ["Area", "Part", "Timeline", "draw", "draw_file", "timeline_of"]

MOST_PLACES = 500
"""Places along the pass that are drawn: of a longer one, each shows the largest of its steps."""

NARROWEST = 0.08
"""Of the whole pass, how much a part takes that has room for its name."""

AREAS: dict[str, tuple[Kind, ...]] = {
    "weights": ("parameters", "buffers"),
    "optimiser state": ("optimizer",),
    "gradients": ("gradients",),
    "activations kept": ("activations",),
    "input": ("input",),
    "temporary": ("temporary",),
}
"""What is drawn as one area, in a colour of its own, from the bottom up: what stays lies below what comes and
goes."""

UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "bytes": 1}

PHASES: dict[Phase, str] = {"forward": "forward", "backward": "backward", "optimizer": "optimiser"}


class Area(Struct, frozen=True, kw_only=True):
    """One kind of memory."""

    name: str
    sizes: tuple[int, ...]
    """In bytes, at each place."""
    at_peak: int


class Part(Struct, frozen=True, kw_only=True):
    """A part of the pass."""

    name: str
    steps: int


class Timeline(Struct, frozen=True, kw_only=True):
    """What is in use along a pass."""

    model: str
    way: str
    """How it is run, in words."""
    places: tuple[int, ...]
    """The steps that are drawn."""
    parts: tuple[Part, ...]
    areas: tuple[Area, ...]
    peak: int
    peak_step: int
    peak_op: str
    peak_layer: str


def timeline_of(memory: Memory, *, way: str) -> Timeline:
    """What a pass holds, with the kinds that it has.

    Args:
        memory: that of the pass.
        way: how the model is run, in words.
    """
    places = _choose_places(memory.curve)
    split = memory.split()
    areas = []
    for name, kinds in AREAS.items():
        sizes = memory.sum_during(lambda block, kinds=kinds: block.size if block.kind in kinds else 0)  # type: ignore[misc]
        if any(sizes):
            at_peak = sum(split[kind] for kind in kinds)
            areas.append(Area(name=name, sizes=tuple(sizes[place] for place in places), at_peak=at_peak))
    step = memory.steps[memory.peak_step] if memory.steps else None
    given = format_value("shapes", tuple(given.shape for given in memory.inputs))
    return Timeline(
        model=memory.model,
        way=f"{way}, input {given}" if given else way,
        places=places,
        parts=tuple(
            Part(name=PHASES[phase], steps=len(list(steps)))
            for phase, steps in groupby(memory.steps, key=lambda each: each.phase)
        ),
        areas=tuple(areas),
        peak=memory.peak,
        peak_step=memory.peak_step,
        peak_op=step.op if step else "",
        peak_layer=step.layer if step else "",
    )


def _choose_places(curve: tuple[int, ...]) -> tuple[int, ...]:
    """Choose the steps to draw: of a long pass the largest of as many as fall on one place.

    >>> _choose_places((3, 1, 2))
    (0, 1, 2)
    """
    width = -(-len(curve) // MOST_PLACES)
    starts = range(0, len(curve), width)
    return tuple(
        max(range(start, min(start + width, len(curve))), key=lambda step: curve[step]) for start in starts
    )


def draw(data: Timeline, theme: Theme) -> Figure:
    """Stacked areas over the steps, the parts of the pass told apart by their ground, and the peak named."""
    unit, size = next((unit, size) for unit, size in UNITS.items() if data.peak >= size or size == 1)
    with drawing(theme, height=4.2) as figure:
        figure.suptitle(f"{label(data.model)}: {format_size(data.peak)} at the peak")
        axes = figure.subplots()
        bare(axes)
        # A step holds what it holds until the next one begins.
        edges = [*data.places, max(data.places[-1] + 1, 1)]
        colours = [theme.series[list(AREAS).index(area.name)] for area in data.areas]
        axes.stackplot(
            edges,
            *([*(each / size for each in area.sizes), area.sizes[-1] / size] for area in data.areas),
            step="post",
            colors=colours,
            linewidth=0,
        )
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(0, data.peak / size * 1.22)
        axes.set_title(label(data.way, longest=110), fontweight="normal", color=theme.muted)
        axes.set_ylabel(f"{unit} in use")
        axes.set_xlabel("op that takes memory, in the order in which they run")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        _draw_parts(axes, data, theme)
        if data.peak_op:
            _mark_peak(axes, data, theme, size)
        _draw_legend(axes, data, colours, theme)
        return figure


def _draw_parts(axes: Axes, data: Timeline, theme: Theme) -> None:
    """Grey every second part of the pass, and name each at the top."""
    whole = sum(part.steps for part in data.parts)
    place = 0
    for number, part in enumerate(data.parts):
        if number % 2:
            axes.axvspan(place, place + part.steps, color=theme.grid, alpha=0.45, linewidth=0, zorder=0)
        if part.steps > NARROWEST * whole:
            axes.annotate(
                part.name,
                (place + part.steps / 2, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=8,
                color=theme.muted,
            )
        place += part.steps


def _mark_peak(axes: Axes, data: Timeline, theme: Theme, size: int) -> None:
    """Mark the peak, and name its op and layer to the side where there is more room."""
    middle = data.places[bisect_left(data.places, data.peak_step)] + 0.5
    right = middle < (data.places[-1] + 1) / 2
    axes.plot([middle, middle], [0, data.peak / size], color=theme.ink, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot([middle], [data.peak / size], marker="o", markersize=4, color=theme.ink, clip_on=False)
    axes.annotate(
        f"peak: {label(data.peak_op)} of {label(data.peak_layer or 'the model itself')}",
        (middle, data.peak / size),
        xytext=(6 if right else -6, 5),
        textcoords="offset points",
        ha="left" if right else "right",
        va="bottom",
        fontsize=8,
    )


def _draw_legend(axes: Axes, data: Timeline, colours: list[str], theme: Theme) -> None:
    """Name the areas beside them, in the order in which they lie, each with its bytes at the peak."""
    patches = [
        Patch(color=colour, label=f"{area.name}\n{format_value('bytes', area.at_peak)}")
        for area, colour in zip(data.areas, colours, strict=True)
    ]
    axes.legend(
        handles=patches[::-1],
        title="at the peak",
        loc="upper left",
        bbox_to_anchor=(1.01, 0.98),
        fontsize=8,
        title_fontsize=8,
        labelcolor=theme.ink,
        alignment="left",
        borderaxespad=0,
    )


def draw_file(memory: Memory, *, way: str, ending: str) -> bytes:
    """Draw a pass as a file.

    Args:
        memory: that of the pass.
        way: how the model is run, in words.
        ending: ``.svg``, ``.png`` or ``.pdf``.
    """
    return encode(draw(timeline_of(memory, way=way), LIGHT), ending)
