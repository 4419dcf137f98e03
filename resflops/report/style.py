"""The house style of every picture: one size of type, one palette in light and dark, no chart junk.

The palette is Okabe and Ito's (jfly.uni-koeln.de/color), which colour-blind eyes tell apart, on
white so much darker that a text in it is read; what it says is said by a label or a place as
well, so that print in grey loses nothing.
A picture's bytes depend on its data alone: no date, no random ids, matplotlib's own font,
and none of the settings of the user's ``matplotlibrc``.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from msgspec import Struct

__all__ = ["DARK", "LIGHT", "THEMES", "House", "Theme", "bare", "drawing", "encode", "image", "shades"]


class Theme(Struct, frozen=True, kw_only=True):
    """The colours of one background."""

    name: str
    paper: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]
    """Colours that are told apart, the first for what the picture is about."""


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1f2328",
    muted="#59636e",
    grid="#d1d9e0",
    series=("#0072b2", "#b84f00", "#007a59", "#a8467f", "#8a6000", "#3b7ea1"),
)
DARK = Theme(
    name="dark",
    paper="#0d1117",
    ink="#f0f6fc",
    muted="#9198a1",
    grid="#3d444d",
    series=("#56b4e9", "#ff8a3d", "#2bc99a", "#e6a3c8", "#e6b84d", "#a5b4ff"),
)
THEMES = (LIGHT, DARK)


class House(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_svg_(self) -> str:
        # A notebook shows what pyplot has at the end of a cell, and would show it twice.
        if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
            pyplot.close(self)
        return image(self).decode()


@contextmanager
def drawing(theme: Theme, *, width: float = 8.0, height: float) -> Iterator[House]:
    """An empty figure in the house style, to be drawn on in the ``with`` block.

    Args:
        theme: its colours.
        width: inches; eight is the width of a page.
        height: inches.
    """
    with mpl.rc_context(_over_defaults(_settings(theme))):
        yield House(figsize=(width, height), layout="constrained")


def image(figure: Figure) -> bytes:
    """Draw a figure as SVG: the same bytes for the same figure and version of matplotlib."""
    buffer = io.BytesIO()
    with mpl.rc_context(_over_defaults({"svg.hashsalt": "resflops", "svg.fonttype": "path"})):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # A forge counts lines and git compares them: no blanks at their ends.
    return b"\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + b"\n"


def encode(figure: Figure, ending: str) -> bytes:
    """Write a figure as a file: the same bytes for the same figure and version of matplotlib.

    Args:
        figure: the figure.
        ending: ``.svg``, ``.png`` or ``.pdf``.
    """
    if ending == ".svg":
        return image(figure)
    buffer = io.BytesIO()
    metadata = {"CreationDate": None} if ending == ".pdf" else {}
    figure.savefig(buffer, format=ending.removeprefix("."), dpi=200, metadata=metadata)
    return buffer.getvalue()


def shades(theme: Theme, colour: str, count: int) -> list[str]:
    """Make shades of a colour for the members of a family, from paler than it to darker (lighter on dark).

    >>> shades(LIGHT, "#0072b2", 1)
    ['#0072b2']
    """
    if count == 1:
        return [colour]
    # Not all the way to the paper, so that the palest is still seen on it.
    steps = [0.3 - 0.7 * n / (count - 1) for n in range(count)]
    return [to_hex(_blend(colour, theme.paper if step > 0 else theme.ink, abs(step))) for step in steps]


def _blend(colour: str, other: str, part: float) -> tuple[float, float, float]:
    red, green, blue = (
        (1 - part) * one + part * two for one, two in zip(to_rgb(colour), to_rgb(other), strict=True)
    )
    return red, green, blue


def bare(axes: Axes, *, grid: Literal["x", "y", "both", ""] = "y") -> None:
    """Only the lines that a reader needs: no frame, and a grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid)


def _over_defaults(ours: dict[str, Any]) -> Any:  # noqa: ANN401 - matplotlib names each of its settings in a type
    # The backend is the process's, and asking for its default would load one.
    return {name: value for name, value in mpl.rcParamsDefault.items() if "backend" not in name} | ours


def _settings(theme: Theme) -> dict[str, Any]:
    return {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9,
        "axes.edgecolor": theme.muted,
        "axes.labelcolor": theme.ink,
        "axes.facecolor": theme.paper,
        "axes.linewidth": 0.8,
        "figure.facecolor": theme.paper,
        "figure.titlesize": 11,
        "figure.titleweight": "bold",
        "savefig.facecolor": "auto",
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        "text.color": theme.ink,
        "text.parse_math": False,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
    }
