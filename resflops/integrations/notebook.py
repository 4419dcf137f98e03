"""Show a cost in a notebook, as a table or as a picture.

A cost knows no renderer. This module registers itself with the cost, which loads it when it is to be shown.
"""

from matplotlib.figure import Figure

from resflops.cost import Cost
from resflops.cost.cost import DISPLAYS
from resflops.errors import UsageError, suggest
from resflops.render.formats import format_value
from resflops.render.html import render_fragment
from resflops.report.pictures import profile, stages
from resflops.report.style import DARK, LIGHT
from resflops.tables.breakdown import build_breakdown
from resflops.tables.table import format_cost_heading

__all__ = ["DRAWINGS", "draw_cost", "render_cost"]

DRAWINGS = ("profile", "stages")
"""The pictures of a cost: ``profile`` goes layer by layer along the depth, ``stages`` by the size of the
feature maps."""


def render_cost(cost: Cost) -> str:
    """Render a cost as HTML: the model's own modules and, where it names any, its stages."""
    return render_fragment(build_breakdown(cost, depth=1))


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
        return stages.draw(stages.stages_of([cost], unit=unit), theme)
    given = format_value("shapes", tuple(given.shape for given in cost.trace.inputs))
    return profile.draw(profile.profile_of(cost, unit=unit, given=given), theme)


DISPLAYS["html"] = render_cost
DISPLAYS["plot"] = draw_cost
