"""One page to explore costs in: no server, no connection, everything in the file.

The page holds the costs as data, each layer's figure and formula under every convention, and
two libraries that draw them (``assets/README.md``). Its content security policy lets run only
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

from resflops._version import __version__
from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.cost.layers import LayerRow
from resflops.counters import CONVENTIONS
from resflops.errors import UsageError
from resflops.records import Shape
from resflops.render.formats import format_window, shape
from resflops.tables.table import format_cost_heading, list_uncounted_ops

__all__ = ["build_page_data", "render_explorer"]

SCRIPTS = ("echarts.min.js", "tabulator.min.js", "explorer.js")
STYLES = ("tabulator.min.css", "explorer.css")

LARGEST_EXACT = 2**53 - 1
"""Beyond it JavaScript reads a number as its neighbour; the page gets the digits as text."""

SOURCE_MAP = re.compile(r"(//|/\*)# sourceMappingURL=\S+( \*/)?")
"""A comment that makes developer tools ask for another file."""


def render_explorer(costs: Sequence[Cost], *, stored: Mapping[str, str] | None = None) -> str:
    """Render the page about the given models, the first one and its convention shown first.

    Args:
        costs: what the models cost.
        stored: for a model whose trace was stored, where.

    Raises:
        UsageError: there is no model, or two have the same name.
    """
    names = [cost.model for cost in costs]
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f"the page needs at least one model, all with different names, got {', '.join(names) or 'none'}"
        )
    scripts = [_read_asset(name) for name in SCRIPTS]
    # The digests in the content security policy are of the scripts as they stand in the page, so the texts
    # are read once and used for both.
    page = Environment(
        loader=PackageLoader("resflops.report"), autoescape=True, undefined=StrictUndefined
    ).get_template("explorer.html.jinja")
    return page.render(
        names=names,
        conventions=CONVENTIONS.values(),
        chosen=costs[0].convention,
        version=__version__,
        torch_versions=sorted({cost.trace.torch_version for cost in costs} - {""}),
        styles=[Markup(_read_asset(name)) for name in STYLES],  # noqa: S704 - files of this package
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        digests=[_compute_digest(script) for script in scripts],
        data=Markup(_encode_for_script(build_page_data(costs, stored=stored))),  # noqa: S704 - escaped for where it stands
    )


def build_page_data(costs: Sequence[Cost], *, stored: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Build what the page's script reads; figures are exact, those beyond 2⁵³ as text."""
    texts: dict[str, int] = {"": 0}
    models = [_build_model_data(cost, texts, (stored or {}).get(cost.model, "")) for cost in costs]
    return {
        "conventions": [
            {
                "name": name,
                "heading": format_cost_heading(find_convention(name)),
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
"""The fields of a layer's row; totals and formulas have one entry a convention."""


def _build_model_data(cost: Cost, texts: dict[str, int], stored: str) -> dict[str, Any]:
    by_convention = [_key_rows(cost.under(name).layers) for name in CONVENTIONS]
    usual = _key_rows(cost.under(DEFAULT_CONVENTION).layers)
    # A convention may charge for what is free under another, and then has a row more.
    fullest = max(by_convention, key=len)
    keys = [*fullest, *(key for rows in by_convention for key in rows if key not in fullest)]
    return {
        "name": cost.model,
        "input": ", ".join(shape(given.shape) for given in cost.trace.inputs),
        "uncounted": "" if cost.complete else list_uncounted_ops(cost.uncounted),
        "notes": [*cost.trace.notes, *([stored] if stored else [])],
        "rows": [
            _build_row(cost, usual.get(key), [rows.get(key) for rows in by_convention], texts)
            for key in dict.fromkeys(keys)
        ],
    }


Key = tuple[str, str, Shape, Shape, int]
"""Layer, op, shapes, and how many rows with these have come before."""


def _key_rows(rows: Sequence[LayerRow]) -> dict[Key, LayerRow]:
    # Rows alike in name, op and shapes are told apart by their order.
    seen: Counter[tuple[str, str, Shape, Shape]] = Counter()
    keyed = {}
    for row in rows:
        start = (row.name, row.op, row.input_shape, row.output_shape)
        keyed[(*start, seen[start])] = row
        seen[start] += 1
    return keyed


def _build_row(
    cost: Cost, usual: LayerRow | None, rows: Sequence[LayerRow | None], texts: dict[str, int]
) -> list[Any]:
    """Build the row of one layer, in which a number stands for each text, as many layers share theirs.

    Args:
        cost: the model's cost.
        usual: the row under the default convention, where a module's parameters stand in its
            first row; None for an op that is free under it.
        rows: that under each convention; None where there is none.
        texts: the numbers of the texts so far; new texts are added.
    """

    def number_text(text: str) -> int:
        return texts.setdefault(text, len(texts))

    row = usual or next(each for each in rows if each is not None)
    return [
        number_text(row.name),
        number_text(row.op),
        number_text(cost.trace.stage_of(row.name)),
        row.calls,
        number_text(shape(row.input_shape)),
        number_text(shape(row.output_shape)),
        number_text(format_window((row.kernel, row.stride, row.padding, row.groups))),
        number_text(shape(row.receptive_field or ())),
        _encode_count(usual.params if usual else 0),
        _encode_count(usual.buffers if usual else 0),
        # An op that is free by default makes nothing new: a view, a copy.
        _encode_count(usual.activations if usual else 0),
        row.counted,
        [_encode_count(each.total if each else 0) for each in rows],
        [number_text(each.formula if each else "") for each in rows],
    ]


def _encode_count(count: int) -> int | str:
    return count if count <= LARGEST_EXACT else str(count)


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
