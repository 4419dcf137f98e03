"""Draw a cost, and hand the figure to pyplot where that is in use."""

import sys

from matplotlib.figure import Figure

from resflops.cost import Cost
from resflops.errors import UsageError, suggest
from resflops.peak_memory.records import Memory
from resflops.render.formats import format_value
from resflops.report.pictures import curves as curve_picture
from resflops.report.pictures import memory as memory_picture
from resflops.report.pictures import profile, stages
from resflops.report.style import DARK, LIGHT
from resflops.sweeps.curves.records import Curve
from resflops.tables.memory_notes import describe_way
from resflops.tables.table import format_cost_heading

__all__ = ["DRAWINGS", "draw_cost", "draw_curve", "draw_memory"]

DRAWINGS = ("profile", "stages")
"""The pictures of a cost: ``profile`` goes layer by layer along the depth, ``stages`` by the size of the
feature maps."""


def draw_cost(cost: Cost, what: str, *, dark: bool) -> Figure:
    """Draw a picture of a cost.

    Args:
        cost: the cost of a model.
        what: one of ``DRAWINGS``.
        dark: draw in light colours on a dark ground.

    Raises:
        UsageError: there is no such picture, or the cost is zero.
    """
    theme = DARK if dark else LIGHT
    unit = format_cost_heading(cost.priced_by)
    if what not in DRAWINGS:
        known = ", ".join(DRAWINGS)
        raise UsageError(f"no picture named {what!r}{suggest(what, DRAWINGS)}; available: {known}")
    if not cost.total:
        raise UsageError(
            f"{cost.model} costs nothing under the convention {cost.convention}: there is nothing to draw; "
            "choose another convention with cost.under(name)"
        )
    if what == "stages":
        figure = stages.draw(stages.stages_of([cost], unit=unit), theme)
    else:
        given = format_value("shapes", tuple(given.shape for given in cost.trace.inputs))
        figure = profile.draw(profile.profile_of(cost, unit=unit, given=given), theme)
    _register_with_pyplot(figure)
    return figure


def draw_memory(memory: Memory, *, dark: bool) -> Figure:
    """Draw what a pass holds in memory, step by step.

    Args:
        memory: that of the pass.
        dark: draw in light colours on a dark ground.
    """
    timeline = memory_picture.timeline_of(memory, way=describe_way(memory))
    figure = memory_picture.draw(timeline, DARK if dark else LIGHT)
    _register_with_pyplot(figure)
    return figure


def draw_curve(curve: Curve, *, dark: bool) -> Figure:
    """Draw what a model costs along a variable.

    Args:
        curve: that of the model.
        dark: draw in light colours on a dark ground.
    """
    figure = curve_picture.draw(curve_picture.curves_of((curve,)), DARK if dark else LIGHT)
    _register_with_pyplot(figure)
    return figure


def _register_with_pyplot(figure: Figure) -> None:
    """Register a figure with pyplot, for its ``show`` and for a notebook to find it, if pyplot is imported.

    It is not imported for that: this takes long, and loads a backend that may open windows.
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        # pyplot makes its figures by this function, and so takes one that is there already.
        pyplot.figure(FigureClass=lambda **_: figure)
