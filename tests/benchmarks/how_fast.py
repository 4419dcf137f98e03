"""Draw and print what ``counting.py --save`` has measured, for the README.

    python tests/benchmarks/counting.py --save .github/how-fast.json
    python tests/benchmarks/how_fast.py

The picture has a row for each network and device, and a dot for each counter: how many times as long as ours its
count takes. The table, which goes to the standard output, has the same in figures.
"""

import json
from pathlib import Path

from matplotlib.axes import Axes
from msgspec import Struct, convert

from resflops.report.pictures.labels import label
from resflops.report.style import THEMES, Theme, bare, drawing, image

FOLDER = Path(__file__).parents[2] / ".github"
DEVICES = {"cpu": "weights on the CPU", "meta": "weights on meta"}


class Measured(Struct, frozen=True, kw_only=True):
    """One network on one device."""

    spec: str
    device: str
    seconds: dict[str, float]
    """The fastest of all rounds, by counter; ``floor`` is the model's own Python."""

    @property
    def name(self) -> str:
        return self.spec.rpartition("/")[2]

    @property
    def peers(self) -> dict[str, float]:
        """How many times as long as ours each peer's count takes."""
        ours = self.seconds["resflops"]
        return {name: time / ours for name, time in self.seconds.items() if name not in ("floor", "resflops")}

    @property
    def floor(self) -> float:
        return self.seconds["floor"] / self.seconds["resflops"]


class Run(Struct, frozen=True, kw_only=True):
    """All that one run has measured."""

    machine: str
    rounds: int
    means: dict[str, float]
    """By device: the geometric mean over ten networks of the fastest peer's time over ours."""
    measured: tuple[Measured, ...]


def read(path: Path = FOLDER / "how-fast.json") -> Run:
    return convert(json.loads(path.read_text()), Run)


def list_rows(run: Run, device: str) -> list[Measured]:
    """The networks on one device, each once: torchvision's ResNets and VGGs are ours."""
    rows: dict[str, Measured] = {}
    for each in run.measured:
        if each.device == device:
            rows.setdefault(each.name, each)
    return list(rows.values())


def draw(run: Run, theme: Theme, path: Path) -> None:
    rows = {device: list_rows(run, device) for device in DEVICES}
    with drawing(theme, height=1.2 + 0.24 * max(map(len, rows.values()))) as figure:
        figure.suptitle("One count of a built model: times as long as resflops takes")
        panels = figure.subplots(1, len(rows), sharey=True)
        for axes, (device, networks) in zip(panels, rows.items(), strict=True):
            draw_device(axes, networks, theme)
            axes.set_title(DEVICES[device])
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8)
        path.write_bytes(image(figure))


def draw_device(axes: Axes, networks: list[Measured], theme: Theme) -> None:
    bare(axes, grid="x")
    axes.set_xscale("log")
    axes.axvline(1, color=theme.series[0], linewidth=2, label="resflops")
    for place, each in enumerate(networks):
        ratios = sorted(each.peers.values())
        first = place == 0
        axes.plot(
            each.floor,
            place,
            "|",
            color=theme.muted,
            markersize=9,
            label="the model's Python alone" if first else None,
        )
        axes.plot(
            ratios[1:],
            [place] * len(ratios[1:]),
            "o",
            color=theme.muted,
            markersize=4,
            label="other counters" if first else None,
        )
        axes.plot(
            ratios[0],
            place,
            "o",
            color=theme.series[1],
            markersize=6,
            label="the fastest of them" if first else None,
        )
    axes.set_yticks(range(len(networks)), [label(each.name) for each in networks])
    axes.set_ylim(len(networks) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])


def make_table(run: Run) -> str:
    """The table of the README."""
    on_cpu, on_meta = ({each.name: each for each in list_rows(run, device)} for device in DEVICES)
    lines = [
        "| network | resflops, ms | times its own Python | fastest peer, weights on the CPU | on meta |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, each in on_cpu.items():
        ratios = [f"{describe_fastest(row)}" for row in (each, on_meta[name])]
        ours = each.seconds["resflops"] * 1e3
        lines.append(f"| {name} | {ours:.2f} | {1 / each.floor:.1f} | {ratios[0]} | {ratios[1]} |")
    return "\n".join(lines)


def describe_fastest(row: Measured) -> str:
    name, ratio = min(row.peers.items(), key=lambda item: item[1])
    return f"{name} {ratio:.0f}×"


def main() -> None:
    run = read()
    for theme in THEMES:
        draw(run, theme, FOLDER / f"how-fast{'-dark' if theme.name == 'dark' else ''}.svg")
    print(make_table(run))


if __name__ == "__main__":
    main()
