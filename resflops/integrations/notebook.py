"""Show values in a notebook, in a terminal and as text in any format.

A value knows no renderer. This module registers what displays it, and is loaded when one is to be shown.
"""

import shutil
import sys
from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING

from resflops.cost import Cost
from resflops.cost.backward import Backward
from resflops.cost.layers import Layers
from resflops.crosschecking.reconciliation import CrossCheck
from resflops.extensions import DISPLAYS
from resflops.latency.measurements import Measurements
from resflops.peak_memory.records import Memory
from resflops.records import Trace
from resflops.render import Screen, find_renderer
from resflops.render.html import render_fragment
from resflops.sweeps.curves.records import Curve
from resflops.tables import Table
from resflops.tables.breakdown import build_breakdown
from resflops.tables.crosscheck import build_crosscheck_table
from resflops.tables.curve import build_curve_table
from resflops.tables.latency import build_latency_table
from resflops.tables.memory import SHOWN_LAYERS, summarize_memory
from resflops.tables.summary import build_summary
from resflops.tables.trace import build_trace_table
from resflops.tables.training import build_backward_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["build_table", "draw", "render_html", "render_text"]

HIDDEN_ROWS = "cost.layers"
"""What shows the rows that a table leaves out, for who has the cost at hand."""


@singledispatch
def build_table(value: object) -> Table:
    """Build the table that shows a value.

    Raises:
        TypeError: nothing says how a value of its class is shown.
    """
    raise TypeError(f"a {type(value).__name__} has no table")


@build_table.register
def _(value: Table) -> Table:
    return value


@build_table.register
def _(value: Cost) -> Table:
    return build_breakdown(value, depth=1, hidden_rows=HIDDEN_ROWS)


@build_table.register
def _(value: Layers) -> Table:
    assert isinstance(value.cost, Cost)  # noqa: S101 - only a cost makes them
    return build_breakdown(value.cost, hidden_rows="the tuple itself")


@build_table.register
def _(value: Backward) -> Table:
    return build_backward_table(value, depth=1, everything=False)


@build_table.register
def _(value: Trace) -> Table:
    return build_trace_table(value)


@build_table.register
def _(value: CrossCheck) -> Table:
    return build_crosscheck_table(value)


@build_table.register
def _(value: Memory) -> Table:
    return summarize_memory(value)


@build_table.register
def _(value: Curve) -> Table:
    return summarize_curve(value)


@build_table.register
def _(value: Measurements) -> Table:
    return build_latency_table([value])


def render_html(value: object) -> str:
    """Render a value as HTML to stand in a notebook."""
    return render_fragment(build_table(value))


def render_text(table: Table) -> str:
    """Render a table as text, as wide as the terminal if there is one."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    return find_renderer("terminal").render(table, on=Screen(width=width))


def render_format(table: Table, name: str) -> str:
    """Render a table in the format of a name."""
    return find_renderer(name).render(table)


def build_layers(cost: Cost, *, depth: int | None) -> Table:
    """Build the table of a cost's layers, or of the modules down to a depth."""
    return build_breakdown(cost, depth=depth, hidden_rows=HIDDEN_ROWS)


def summarize(cost: Cost, *, depth: int, columns: Sequence[str]) -> Table:
    """Build the summary of a cost."""
    return build_summary(cost, depth=depth, columns=columns)


def summarize_layers(memory: Memory, *, top: int | None) -> Table:
    """Build the summary of a memory."""
    return summarize_memory(memory, top=SHOWN_LAYERS if top is None else top)


def summarize_curve(curve: Curve, *, everything: bool = False) -> Table:
    """Build the table of a curve."""
    return build_curve_table([curve], everything=everything, all_rows="curve.points")


def draw_points(curve: Curve, *, dark: bool) -> "Figure":
    """Draw a curve."""
    # Here, because matplotlib takes long to import.
    from resflops.integrations.plots import draw_curve

    return draw_curve(curve, dark=dark)


def draw_timeline(memory: Memory, *, dark: bool) -> "Figure":
    """Draw what a pass holds, step by step."""
    # Here, because matplotlib takes long to import.
    from resflops.integrations.plots import draw_memory

    return draw_memory(memory, dark=dark)


def draw(cost: Cost, what: str, *, dark: bool) -> "Figure":
    """Draw a picture of a cost."""
    # Here, because matplotlib takes long to import.
    from resflops.integrations.plots import draw_cost

    return draw_cost(cost, what, dark=dark)


DISPLAYS.update(
    html=render_html,
    text=render_text,
    format=render_format,
    layers=build_layers,
    summary=summarize,
    plot=draw,
    memory=summarize_layers,
    timeline=draw_timeline,
    curve=summarize_curve,
    points=draw_points,
)
