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
    """A block for each figure that differs: a bar for each step, the next where the last ends."""
    alike = _group_alike(data.peers)
    same = [peers for peers in alike if not peers[0].steps]
    blocks = [peers for peers in alike if peers[0].steps]
    ends = [end for peers in blocks for _, end in _spans(peers[0])]
    low, high = min(0, *ends, 0), max(0, *ends, 1)
    rows = sum(max(len(peers[0].steps), 2) + 0.5 for peers in blocks)
    with drawing(theme, height=1.4 + 0.2 * rows + 0.16 * len(same)) as figure:
        figure.suptitle(f"{label(data.model)}: how other counters differ from {data.macs:,} MACs")
        axes = figure.subplots()
        bare(axes, grid="x")
        axes.axvline(0, color=theme.ink, linewidth=1)
        if same:
            said = "\n".join(_name_peers(peers).replace("\n", ": ") for peers in same)
            axes.set_title(f"No difference:\n{said}", fontweight="normal", fontsize=8)
        place, ticks = 0.0, []
        for peers in blocks:
            ticks.append((place, _name_peers(peers)))
            _draw_bars(axes, peers[0], place, theme, gap=(high - low) * 0.012)
            place += max(len(peers[0].steps), 2) + 0.5
        axes.set_yticks([at + 0.35 for at, _ in ticks], [text for _, text in ticks], fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(max(place - 0.5, 1), -0.8)
        axes.set_xlim(low - (high - low) * (0.35 if low else 0.02), high + (high - low) * 0.35)
        counts(axes.xaxis)
        axes.set_xlabel("difference from our multiply-accumulates, in the counter's own unit")
        return figure


def _group_alike(peers: tuple[Steps, ...]) -> list[list[Steps]]:
    """Put those together that have the same figure by the same steps."""
    groups: dict[tuple[int, int, tuple[Step, ...]], list[Steps]] = {}
    for peer in peers:
        groups.setdefault((peer.figure, peer.times, peer.steps), []).append(peer)
    return list(groups.values())


def _name_peers(peers: list[Steps]) -> str:
    unit = f", {peers[0].times} per MAC" if peers[0].times > 1 else ""
    return f"{', '.join(label(peer.peer) for peer in peers)}\n{rounded(peers[0].figure)}{unit}"


def _spans(peer: Steps) -> list[tuple[int, int]]:
    spans, at = [], 0
    for step in peer.steps:
        spans.append((at, at + step.amount))
        at += step.amount
    return spans


def _draw_bars(axes: Axes, peer: Steps, place: float, theme: Theme, *, gap: float) -> None:
    """Draw the bars of one peer, each named beside it; more goes to the right, less to the left."""
    spans = _spans(peer)
    for number, (step, (start, end)) in enumerate(zip(peer.steps, spans, strict=True)):
        right = step.amount >= 0
        height = place + number
        axes.barh(height, end - start, left=start, height=0.7, color=theme.series[0 if right else 1],
                  hatch="" if right else "////", edgecolor=theme.paper, linewidth=0)  # fmt: skip
        axes.text(max(start, end) + gap if right else min(start, end) - gap, height,
                  f"{_sign(step.amount)} {label(step.name)}",
                  va="center", ha="left" if right else "right", fontsize=7.5,
                  bbox={"facecolor": theme.paper, "linewidth": 0, "pad": 0.5})  # fmt: skip
        if number + 1 < len(spans):
            axes.plot([end, end], [height, height + 1], color=theme.muted, linewidth=0.8)


def _sign(amount: int) -> str:
    return f"{'+' if amount >= 0 else '−'}{abs(amount):,}"
