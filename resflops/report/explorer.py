"""One page to explore costs in: no server, no connection, everything in the file.

The page holds the costs as data (``explorer_data``), its own scripts, and three libraries: one lays out the
treemap, one the graph, one draws the table (``assets/README.md``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from resflops.cost import Cost
from resflops.counters import CONVENTIONS
from resflops.errors import UsageError
from resflops.render.formats import shape
from resflops.report.explorer_data import OWN_CONVENTIONS, build_page_data
from resflops.report.standalone import render_standalone

__all__ = ["format_title", "name_apart", "render_explorer"]

LIBRARIES = ("d3-hierarchy.min.js", "dagre.min.js", "tabulator.min.js")
OWN_SCRIPTS = (
    "figures.js", "modules.js", "drawing.js", "choices.js", "sums.js", "descriptions.js", "treemap.js",
    "graph.js", "graph_view.js", "pictures.js", "details.js", "layers.js", "address.js", "going.js",
    "explorer.js",
)  # fmt: skip
"""In an order in which each finds what it needs from the start."""
STYLES = ("tabulator.min.css", "explorer.css")

MOST_NAMED = 4
"""Models that the page's title names, each up to so many signs."""

LONGEST_NAME = 60


def render_explorer(
    costs: Sequence[Cost], *, stored: Mapping[str, str] | None = None, title: str | None = None
) -> str:
    """Render the page about the given models, the first one and its convention shown first.

    Args:
        costs: what the models cost.
        stored: for a model whose trace was stored, where.
        title: the title of the page; the models' names if not given.

    Raises:
        UsageError: there is no model, or two have the same name.
    """
    names = [cost.model for cost in costs]
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f"the page needs at least one model, all with different names, got {', '.join(names) or 'none'}"
        )
    return render_standalone(
        "explorer.html.jinja",
        scripts=(*LIBRARIES, *OWN_SCRIPTS),
        styles=STYLES,
        data=build_page_data(costs, stored=stored),
        names=names,
        title=title or format_title(names),
        groups={
            "resflops": [each for each in CONVENTIONS.values() if each.name in OWN_CONVENTIONS],
            "other counters": [each for each in CONVENTIONS.values() if each.name not in OWN_CONVENTIONS],
        },
        places={name: place for place, name in enumerate(CONVENTIONS)},
        chosen=costs[0].convention,
        torch_versions=sorted({cost.trace.torch_version for cost in costs} - {""}),
    )


def name_apart(costs: Sequence[Cost]) -> list[Cost]:
    """Add the input to the name of each model that is there more than once, on inputs of several sizes."""
    times = Counter(cost.model for cost in costs)
    return [
        cost
        if times[cost.model] == 1
        else replace(cost, trace=replace(cost.trace, model=f"{cost.model} ({_write_inputs(cost)})"))
        for cost in costs
    ]


def _write_inputs(cost: Cost) -> str:
    # As they are typed on the command line.
    return " ".join(shape(given.shape, by="x") for given in cost.trace.inputs)


def format_title(names: Sequence[str]) -> str:
    """Write the page's title; of many models it names the first two.

    >>> format_title(["resnet34"]), format_title(["resnet34", "vgg19"]), format_title(["a", "b", "c"])
    ('What resnet34 costs', 'What resnet34 and vgg19 cost', 'What a, b and c cost')
    >>> format_title(["a", "b", "c", "d", "e"])
    'What a, b and 3 more models cost'
    """
    shown = [_shorten(name) for name in names]
    if len(shown) > MOST_NAMED:
        shown = [*shown[:2], f"{len(shown) - 2} more models"]
    if len(shown) == 1:
        return f"What {shown[0]} costs"
    return f"What {', '.join(shown[:-1])} and {shown[-1]} cost"


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
