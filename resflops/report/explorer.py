"""One page to explore costs in: no server, no connection, everything in the file.

The page holds the costs as data, each layer's figure and formula under every convention, and
two libraries that draw them (``assets/README.md``). Its content security policy lets run only
the scripts whose digests it names and forbids every request, so that neither a name in a model
nor a library can fetch or send anything.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import json

from resflops._version import __version__
from resflops.conventions import CONVENTIONS, convention
from resflops.cost import Cost
from resflops.errors import UsageError
from resflops.layers import LayerRow
from resflops.render.formats import shape, window
from resflops.tables.table import cost_heading, ops_listed

__all__ = ["explorer", "page_data"]

SCRIPTS = ("echarts.min.js", "tabulator.min.js", "explorer.js")
STYLES = ("tabulator.min.css", "explorer.css")

LARGEST_EXACT = 2**53 - 1
"""Beyond it JavaScript reads a number as its neighbour; the page gets the digits as text."""

SOURCE_MAP = re.compile(r"(//|/\*)# sourceMappingURL=\S+( \*/)?")
"""A comment that makes developer tools ask for another file."""


def explorer(costs: Sequence[Cost]) -> str:
    """The page about the given models, the first one and its convention shown first.

    Raises:
        UsageError: there is no model, or two are named alike.
    """
    names = [cost.model for cost in costs]
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f"the page needs models of different names, and was given {', '.join(names) or 'none'}"
        )
    scripts = [_asset(name) for name in SCRIPTS]
    page = Environment(
        loader=PackageLoader("resflops.report"), autoescape=True, undefined=StrictUndefined
    ).get_template("explorer.html.jinja")
    return page.render(
        names=names,
        conventions=CONVENTIONS.values(),
        chosen=costs[0].convention,
        version=__version__,
        torch_versions=sorted({cost.trace.torch_version for cost in costs} - {""}),
        styles=[Markup(_asset(name)) for name in STYLES],  # noqa: S704 - files of this package
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        digests=[_digest(script) for script in scripts],
        data=Markup(_in_script(page_data(costs))),  # noqa: S704 - escaped for where it stands
    )


def page_data(costs: Sequence[Cost]) -> dict[str, Any]:
    """What the page's script reads; figures are exact, those beyond 2⁵³ as text."""
    texts: dict[str, int] = {"": 0}
    models = [_model(cost, texts) for cost in costs]
    return {
        "conventions": [
            {
                "name": name,
                "heading": cost_heading(convention(name)),
                "counts": each.counts,
                "source": each.source,
            }
            for name, each in CONVENTIONS.items()
        ],
        "columns": COLUMNS,
        "texts": list(texts),
        "models": models,
    }


COLUMNS = (
    "name", "op", "stage", "calls", "input", "output", "window", "field", "params", "buffers",
    "activations", "counted", "totals", "formulas",
)  # fmt: skip
"""What a row of a layer holds; totals and formulas have one entry a convention."""


def _model(cost: Cost, texts: dict[str, int]) -> dict[str, Any]:
    by_convention = [cost.under(name).layers for name in CONVENTIONS]
    return {
        "name": cost.model,
        "input": ", ".join(shape(given.shape) for given in cost.trace.inputs),
        "uncounted": "" if cost.complete else ops_listed(cost.uncounted),
        "notes": list(cost.trace.notes),
        "rows": [_row(cost, rows, texts) for rows in zip(*by_convention, strict=True)],
    }


def _row(cost: Cost, rows: tuple[LayerRow, ...], texts: dict[str, int]) -> list[Any]:
    """One layer; what many layers have in common is a number that stands for a text."""

    def said(text: str) -> int:
        return texts.setdefault(text, len(texts))

    row = rows[0]
    return [
        said(row.name),
        said(row.op),
        said(cost.trace.stage_of(row.name)),
        row.calls,
        said(shape(row.input_shape)),
        said(shape(row.output_shape)),
        said(window((row.kernel, row.stride, row.padding, row.groups))),
        said(shape(row.receptive_field or ())),
        _exact(row.params),
        _exact(row.buffers),
        _exact(row.activations),
        row.counted,
        [_exact(each.total) for each in rows],
        [said(each.formula) for each in rows],
    ]


def _exact(count: int) -> int | str:
    return count if count <= LARGEST_EXACT else str(count)


def _in_script(data: dict[str, Any]) -> str:
    """JSON that ends no script element and opens no comment, whatever the names in it are."""
    text = json.encode(data).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _asset(name: str) -> str:
    text = files("resflops.report").joinpath("assets", name).read_text(encoding="utf-8")
    return SOURCE_MAP.sub("", text)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
