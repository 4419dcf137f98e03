"""One page to explore costs in: no server, no connection, everything in the file.

The page holds the costs as data (``explorer_data``), its own scripts, and three libraries: one lays out the
treemap, one the graph, one draws the table (``assets/README.md``). Its content security policy lets run only
the scripts whose digests it names and forbids every request, so that neither a name in a model
nor a library can fetch or send anything.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import json
from msgspec.structs import replace

from resflops._version import __version__
from resflops.cost import Cost
from resflops.counters import CONVENTIONS
from resflops.errors import UsageError
from resflops.render.formats import shape
from resflops.report.explorer_data import OWN_CONVENTIONS, build_page_data

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

SOURCE_MAP = re.compile(r"(//|/\*)# sourceMappingURL=\S+( \*/)?")
"""A comment that makes developer tools ask for another file."""


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
    scripts = [_read_asset(name) for name in (*LIBRARIES, *OWN_SCRIPTS)]
    # The digests in the content security policy are of the scripts as they stand in the page, so the texts
    # are read once and used for both.
    page = Environment(
        loader=PackageLoader("resflops.report"), autoescape=True, undefined=StrictUndefined
    ).get_template("explorer.html.jinja")
    return page.render(
        names=names,
        title=title or format_title(names),
        groups={
            "resflops": [each for each in CONVENTIONS.values() if each.name in OWN_CONVENTIONS],
            "other counters": [each for each in CONVENTIONS.values() if each.name not in OWN_CONVENTIONS],
        },
        places={name: place for place, name in enumerate(CONVENTIONS)},
        chosen=costs[0].convention,
        version=__version__,
        torch_versions=sorted({cost.trace.torch_version for cost in costs} - {""}),
        styles=[Markup(_read_asset(name)) for name in STYLES],  # noqa: S704 - files of this package
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        digests=[_compute_digest(script) for script in scripts],
        data=Markup(_encode_for_script(build_page_data(costs, stored=stored))),  # noqa: S704 - escaped for where it stands
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


def _encode_for_script(data: dict[str, Any]) -> str:
    """Encode JSON that ends no script element and opens no comment, whatever names are in it."""
    text = json.encode(data).decode()
    # Before ES2019 the last two ended a line in JavaScript, even inside a string.
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _read_asset(name: str) -> str:
    text = files("resflops.report").joinpath("assets", name).read_text(encoding="utf-8")
    return SOURCE_MAP.sub("", text)


def _compute_digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
