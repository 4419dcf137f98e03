"""What models cost along a variable: a line for each, with its steps, and the law under the title."""

import textwrap

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from msgspec import Struct

from resflops.render.formats import rounded
from resflops.report.pictures.labels import label, name_ends
from resflops.report.pictures.scales import counts
from resflops.report.style import LIGHT, Theme, bare, drawing, encode
from resflops.sweeps.curves.records import Curve, find_stride
from resflops.tables.curve_notes import describe_law
from resflops.tables.curve_steps import has_steps
from resflops.tables.table import format_cost_heading

__all__ = ["CurvePicture", "Line", "curves_of", "draw", "draw_file"]

MOST_MARKS = 40
"""With more points than that, a line has no marks."""

LAW_WIDTH = 118
"""Signs of a law in one line."""

MOST_LAW_LINES = 3

LABELS = {
    "side": "side of the square image, pixels",
    "batch": "batch",
    "seq": "length of the sequence",
}
"""What the axis of a variable is called; that of an option goes by its name."""


class Line(Struct, frozen=True, kw_only=True):
    """One model."""

    model: str
    values: tuple[float, ...]
    totals: tuple[int, ...]
    steps: bool
    """Whether it stays on a level from one value to the next."""
    law: str
    """As an equation; ``""`` where there is none."""


class CurvePicture(Struct, frozen=True, kw_only=True):
    """Models along one variable."""

    unit: str
    variable: str
    lines: tuple[Line, ...]


def curves_of(curves: tuple[Curve, ...]) -> CurvePicture:
    """What is drawn of some curves, all of one variable and under one convention."""
    return CurvePicture(
        unit=format_cost_heading(curves[0].convention),
        variable=curves[0].variable,
        lines=tuple(
            Line(
                model=curve.model,
                values=tuple(float(point.value) for point in curve.counted),
                totals=tuple(point.total or 0 for point in curve.counted),
                # Of what lies between values that were not counted, a level would claim too much.
                steps=has_steps(curve) and find_stride([point.value for point in curve.counted]) == 1,
                law=describe_law(curve.law, curve) if curve.law else "",
            )
            for curve in curves
        ),
    )


def draw(data: CurvePicture, theme: Theme) -> Figure:
    """A line for each model, named at its end; the law of a single one below the title."""
    single = data.lines[0] if len(data.lines) == 1 else None
    law = _wrap_law(single) if single else ""
    with drawing(theme, height=4.2 + 0.16 * law.count("\n")) as figure:
        name = f" of {label(single.model)}" if single else ""
        figure.suptitle(f"{data.unit}{name} against {data.variable}")
        axes = figure.subplots()
        bare(axes, grid="both")
        axes.set_title(law, fontweight="normal", fontsize=8, color=theme.muted)
        ends: list[tuple[str, float, float, str]] = []
        for number, line in enumerate(data.lines):
            colour = theme.series[number % len(theme.series)]
            style = ("-", "--", "-.", ":")[number // len(theme.series) % 4]
            axes.plot(
                line.values,
                line.totals,
                style,
                color=colour,
                linewidth=1.4,
                # The cost at a value holds until the next one.
                drawstyle="steps-post" if line.steps else "default",
                marker="o" if len(line.values) <= MOST_MARKS else "",
                markersize=3.5,
            )
            text = f"{line.model}: {rounded(line.totals[-1])}"
            ends.append((text, line.values[-1], line.totals[-1], colour))
        axes.margins(x=0.02)
        axes.set_ylim(0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=_is_whole(data)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        counts(axes.yaxis)
        axes.set_xlabel(LABELS.get(data.variable, label(data.variable)))
        axes.set_ylabel(data.unit)
        name_ends(axes, ends)
        return figure


def _is_whole(data: CurvePicture) -> bool:
    return all(value == int(value) for line in data.lines for value in line.values)


def _wrap_law(line: Line) -> str:
    """Break a law into lines; one that takes too many is cut."""
    # A sign stays with what follows it.
    law = label(line.law, longest=10_000).replace(" + ", " +\u00a0").replace(" − ", " −\u00a0")
    lines = textwrap.wrap(law, LAW_WIDTH, break_long_words=False, break_on_hyphens=False)
    if len(lines) > MOST_LAW_LINES:
        lines = [*lines[: MOST_LAW_LINES - 1], f"{lines[MOST_LAW_LINES - 1]} …"]
    return "\n".join(lines)


def draw_file(curves: tuple[Curve, ...], *, ending: str, theme: Theme = LIGHT) -> bytes:
    """Draw curves as a file.

    Args:
        curves: all of one variable and under one convention.
        ending: ``.svg``, ``.png`` or ``.pdf``.
        theme: its colours.
    """
    return encode(draw(curves_of(curves), theme), ending)
