"""Where other counters' figures for one model come from: steps from ours to theirs."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import Struct

from resflops.render.formats import rounded
from resflops.report.pictures.labels import label
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["Step", "Steps", "Waterfall", "draw"]


class Step(Struct, frozen=True, kw_only=True):
    """One named cause."""

    name: str
    amount: int
    """What the peer counts more for it; negative where it counts less."""


class Steps(Struct, frozen=True, kw_only=True):
    """The way from our figure to that of one peer."""

    peer: str
    figure: int
    times: int = 1
    """What the peer counts one multiply-accumulate as."""
    steps: tuple[Step, ...]
    """The causes, and what is unexplained if anything is; they add up to the difference."""


class Waterfall(Struct, frozen=True, kw_only=True):
    """All peers on one model, and our multiply-accumulates."""

    model: str
    macs: int
    peers: tuple[Steps, ...]


def draw(data: Waterfall, theme: Theme) -> Figure:
    """A block for each peer: its figure, and below it a bar for each step, the next where the last ends."""
    lines = sum(1 + max(len(peer.steps), 1) for peer in data.peers) + 0.6 * len(data.peers)
    ends = [end for peer in data.peers for _, end in _spans(peer)]
    low, high = min(0, *ends, 0), max(0, *ends, 1)
    with drawing(theme, height=1.1 + 0.21 * lines) as figure:
        figure.suptitle(f"{label(data.model)}: how other counters differ from {data.macs:,} MACs")
        axes = figure.subplots()
        bare(axes, grid="x")
        axes.axvline(0, color=theme.ink, linewidth=1)
        place, ticks = 0.0, []
        for peer in data.peers:
            ticks += [(place, _heading(peer), True)]
            place += 1
            ticks += _bars(axes, peer, place, theme, gap=(high - low) * 0.012)
            place += max(len(peer.steps), 1) + 0.6
        axes.set_yticks([at for at, *_ in ticks], [text for _, text, _ in ticks], fontsize=8)
        for text, (_, _, strong) in zip(axes.get_yticklabels(), ticks, strict=True):
            text.set_fontweight("bold" if strong else "normal")
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(place - 0.6, -0.9)
        axes.set_xlim(low - (high - low) * 0.14, high + (high - low) * 0.14)
        counts(axes.xaxis)
        axes.set_xlabel("difference from our multiply-accumulates, in the counter's own unit")
        return figure


def _spans(peer: Steps) -> list[tuple[int, int]]:
    spans, at = [], 0
    for step in peer.steps:
        spans.append((at, at + step.amount))
        at += step.amount
    return spans


def _heading(peer: Steps) -> str:
    unit = f", {peer.times} per MAC" if peer.times > 1 else ""
    return f"{label(peer.peer)}: {rounded(peer.figure)}{unit}"


def _bars(
    axes: Axes, peer: Steps, place: float, theme: Theme, *, gap: float
) -> list[tuple[float, str, bool]]:
    """The bars of one peer and the names to their left; more goes to the right, less to the left."""
    if not peer.steps:
        return [(place, "the same", False)]
    ticks = []
    spans = _spans(peer)
    for number, (step, (start, end)) in enumerate(zip(peer.steps, spans, strict=True)):
        colour = theme.series[0] if step.amount >= 0 else theme.series[1]
        height = place + number
        axes.barh(height, end - start, left=start, height=0.66, color=colour,
                  hatch="" if step.amount >= 0 else "////", edgecolor=theme.paper, linewidth=0)  # fmt: skip
        right = step.amount >= 0
        axes.text(max(start, end) + gap if right else min(start, end) - gap, height, _signed(step.amount),
                  va="center", ha="left" if right else "right", fontsize=7.5,
                  bbox={"facecolor": theme.paper, "linewidth": 0, "pad": 0.5})  # fmt: skip
        if number + 1 < len(spans):
            axes.plot([end, end], [height, height + 1], color=theme.muted, linewidth=0.8)
        ticks.append((height, label(step.name), False))
    return ticks


def _signed(amount: int) -> str:
    return f"{'+' if amount >= 0 else '−'}{abs(amount):,}"
