"""What models cost along the commits of a repository, a panel for each, and the steps by commit and layer."""

from itertools import groupby, pairwise

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from msgspec import Struct

from resflops.cost.convention import find_convention
from resflops.gate.history.steps import CostStep, History, ModelHistory, select_main_line
from resflops.render.formats import rounded
from resflops.report.pictures.labels import SIDES, label
from resflops.report.pictures.scales import counts
from resflops.report.style import LIGHT, Theme, bare, drawing, encode
from resflops.tables.history import list_layers, name_commits
from resflops.tables.table import format_cost_heading

__all__ = ["HistoryPicture", "Panel", "StepMark", "draw", "draw_file", "picture_of"]

MOST_NAMED = 16
"""Steps of a panel that find room for their names: the largest."""
MOST_TICKS = 7
LONGEST_LAYER = 24
MARK_AREA = 16.0
"""In square points."""

Place = tuple[float, float]
"""On paper, in pixels."""


class StepMark(Struct, frozen=True, kw_only=True):
    """One step, at the commit where the cost after it begins."""

    place: int
    name: str
    """Its commit, layer and change; ``""`` for one of those that are too many to be named."""
    rank: int
    """How many steps of the panel are larger."""


class Panel(Struct, frozen=True, kw_only=True):
    """One model along the commits."""

    model: str
    unit: str
    totals: tuple[int | None, ...]
    """The cost at each commit; None where it has no figure."""
    complete: bool
    failed: tuple[int, ...]
    """The commits at which it cannot be counted."""
    steps: tuple[StepMark, ...]


class HistoryPicture(Struct, frozen=True, kw_only=True):
    """Models along the commits of a range."""

    range: str
    commits: int
    ticks: tuple[tuple[int, str], ...]
    """Some commits, with their tags, or with their hashes and dates."""
    panels: tuple[Panel, ...]


def picture_of(history: History) -> HistoryPicture:
    """What is drawn of a history: its main line, for the models that have a figure there."""
    history = select_main_line(history) if history.every else history
    return HistoryPicture(
        range=history.range,
        commits=len(history.commits),
        ticks=_choose_ticks(history),
        panels=tuple(
            _build_panel(history, model)
            for model in history.models
            if any(point.snapshot for point in model.points)
        ),
    )


def _choose_ticks(history: History) -> tuple[tuple[int, str], ...]:
    tagged = [(place, commit.tags[0]) for place, commit in enumerate(history.commits) if commit.tags]
    last = len(history.commits) - 1
    if len(tagged) < 2:
        chosen = sorted({round(last * part / (MOST_TICKS - 1)) for part in range(MOST_TICKS)})
        return tuple(
            (place, f"{history.commits[place].short}\n{history.commits[place].date}") for place in chosen
        )
    step = -(-len(tagged) // MOST_TICKS)
    # The newest is what most readers look for.
    return tuple(tagged[::-1][::step][::-1])


def _build_panel(history: History, model: ModelHistory) -> Panel:
    snapshots = [point.snapshot for point in model.points]
    known = [snapshot for snapshot in snapshots if snapshot]
    ranked = sorted(model.steps, key=lambda step: (-abs(step.diff.of("total")), -abs(step.diff.of("params"))))
    ranks = {step.after: rank for rank, step in enumerate(ranked)}
    return Panel(
        model=model.name,
        unit=format_cost_heading(find_convention(known[-1].convention)),
        totals=tuple(snapshot.total if snapshot else None for snapshot in snapshots),
        complete=not any(snapshot.uncounted for snapshot in known),
        failed=tuple(place for place, point in enumerate(model.points) if point.kind == "failed"),
        steps=tuple(
            StepMark(
                place=step.after,
                name=_name_step(history, step) if ranks[step.after] < MOST_NAMED else "",
                rank=ranks[step.after],
            )
            for step in model.steps
        ),
    )


def _name_step(history: History, step: CostStep) -> str:
    layers = list_layers(step)
    # A change of the input changes nearly all of them.
    where = label(layers[0], longest=LONGEST_LAYER) if layers and layers[0] else "the model"
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    return f"{name_commits(history.commits, step)} {where}{more} {_describe_change(step)}"


def _describe_change(step: CostStep) -> str:
    for metric, unit in (
        ("total", ""),
        ("macs", " MACs"),
        ("params", " parameters"),
        ("buffers", " in buffers"),
    ):
        change = step.diff.of(metric)  # type: ignore[arg-type]  # the texts above are metrics
        if change:
            return f"{'+' if change > 0 else '−'}{rounded(abs(change))}{unit}"
    return ""


def draw(data: HistoryPicture, theme: Theme) -> Figure:
    """A panel for each model over one axis of commits."""
    with drawing(theme, height=1.1 + 2.1 * len(data.panels)) as figure:
        figure.suptitle(f"Cost from commit to commit: {label(data.range)}")
        panels = figure.subplots(len(data.panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel, colour in zip(panels, data.panels, _repeat(theme, len(data.panels)), strict=True):
            _draw_panel(axes, panel, theme, colour)
        last = panels[-1]
        last.set_xlim(-0.5, data.commits - 0.5)
        last.set_xticks([place for place, _ in data.ticks], [label(text) if "\n" not in text else text
                                                             for _, text in data.ticks])  # fmt: skip
        last.set_xlabel("commit, the oldest first")
        # Names are placed on paper, where the layout is known.
        figure.draw_without_rendering()
        for axes, panel in zip(panels, data.panels, strict=True):
            _name_steps(axes, panel, theme)
        return figure


def _repeat(theme: Theme, count: int) -> list[str]:
    return [theme.series[number % len(theme.series)] for number in range(count)]


def _draw_panel(axes: Axes, panel: Panel, theme: Theme, colour: str) -> None:
    """The cost, which holds from a commit to the next; it is dotted across commits without a figure."""
    bare(axes)
    known = [(place, total) for place, total in enumerate(panel.totals) if total is not None]
    axes.plot(*_trace_line(known, len(panel.totals)), color=colour, linewidth=0.9, linestyle=":")
    for run in _split_runs(panel.totals):
        axes.plot(*_trace_line(run, run[-1][0] + 1), color=colour, linewidth=1.6)
    for place in panel.failed:
        axes.axvspan(place - 0.5, place + 0.5, color=theme.grid, alpha=0.7, linewidth=0, zorder=0)
    marked = [(mark.place, panel.totals[mark.place] or 0) for mark in panel.steps]
    axes.plot([place for place, _ in marked], [total for _, total in marked], linestyle="", marker="o",
              markersize=MARK_AREA**0.5, color=colour)  # fmt: skip
    least = "" if panel.complete else "≥ "
    failed = "; grey: cannot be counted" if panel.failed else ""
    axes.set_title(
        f"{label(panel.model)}: {least}{rounded(known[-1][1])} {panel.unit} in the end{failed}", color=colour
    )
    axes.margins(y=0.35)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    counts(axes.yaxis)


def _split_runs(totals: tuple[int | None, ...]) -> list[list[tuple[int, int]]]:
    """Split the commits into those that follow each other with a figure.

    >>> _split_runs((5, None, 7, 7))
    [[(0, 5)], [(2, 7), (3, 7)]]
    """
    runs = groupby(enumerate(totals), key=lambda each: each[1] is None)
    return [[(place, total) for place, total in run if total is not None] for lacks, run in runs if not lacks]


def _trace_line(points: list[tuple[int, int]], end: int) -> tuple[list[float], list[int]]:
    """Trace the corners of a line that stays on a level until the next commit with another figure.

    >>> _trace_line([(0, 5), (1, 5), (2, 7)], 4)
    ([0, 2, 2, 3.5], [5, 5, 7, 7])
    """
    places: list[float] = [points[0][0]]
    totals = [points[0][1]]
    for place, total in points[1:]:
        if total != totals[-1]:
            places += [place, place]
            totals += [totals[-1], total]
    return [*places, end - 0.5], [*totals, totals[-1]]


def _name_steps(axes: Axes, panel: Panel, theme: Theme) -> None:
    """Put each name beside its mark, where it covers neither the line nor another name, or leave it out."""
    dpi = axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # axes are on a figure
    points = dpi / 72
    # Made once: without one, matplotlib makes one for each box, which takes two milliseconds.
    renderer = RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]
    corners = [
        axes.transData.transform(line.get_xydata())
        for line in axes.get_lines()
        if line.get_linestyle() != "None"
    ]
    taken = [_box_around(left, right, 2 * points) for line in corners for left, right in pairwise(line)]
    taken += [_box_around(place, place, MARK_AREA**0.5 / 2 * points) for place in _list_places(axes, panel)]
    # The largest first, so that it is the small ones that find no room.
    for mark in sorted((mark for mark in panel.steps if mark.name), key=lambda mark: mark.rank):
        text = axes.annotate(mark.name, (mark.place, panel.totals[mark.place] or 0), xytext=(0, 0),
                             textcoords="offset points", fontsize=8, color=theme.ink)  # fmt: skip
        # The layout must not shrink the axes for it.
        text.set_in_layout(False)
        for away, (right, up) in SIDES:
            reach = away + MARK_AREA**0.5 / 2
            text.set_position((right * reach, up * reach))
            text.set_horizontalalignment(("center", "left", "right")[right])
            text.set_verticalalignment(("center", "bottom", "top")[up])
            box = text.get_window_extent(renderer)
            inside = axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            text.remove()


def _list_places(axes: Axes, panel: Panel) -> list[Place]:
    """List the places of the marks on paper."""
    marked = [(mark.place, panel.totals[mark.place] or 0) for mark in panel.steps]
    return [(float(x), float(y)) for x, y in axes.transData.transform(marked)] if marked else []


def _box_around(first: Place, second: Place, margin: float) -> Bbox:
    """The box around a stretch of a line, which is level or upright."""
    (left, right), (low, high) = (sorted((one, other)) for one, other in zip(first, second, strict=True))
    return Bbox.from_extents(left - margin, low - margin, right + margin, high + margin)


def draw_file(history: History, *, ending: str, theme: Theme = LIGHT) -> bytes:
    """Draw a history as a file.

    Args:
        history: the history, in which at least one model has a figure.
        ending: ``.svg``, ``.png`` or ``.pdf``.
        theme: its colours.
    """
    return encode(draw(picture_of(history), theme), ending)
