"""Fills templates of markdown pages, into which a value goes only as its kind is written.

A template holds sentences and no figure: whatever stands between ``{{`` and ``}}`` is a count,
which gets its separators, or a text, which is escaped, unless it is ``Markdown`` already.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from resflops.render import find_renderer
from resflops.render.formats import format_value, rounded, shape, share, times
from resflops.render.markdown import escape_markdown
from resflops.report.environment import Versions as MadeWith
from resflops.report.picture import Picture
from resflops.tables import Kind, Table

__all__ = ["Markdown", "fill", "render_table", "show"]


class Markdown(str):
    """Text that is markdown already, and must not be escaped."""

    __slots__ = ()


def fill(template: str, values: Mapping[str, Any], *, made_with: MadeWith) -> str:
    """Put values into a template; the text ends in one newline.

    Args:
        template: the name of the template's file.
        values: the values, by their names in the template.
        made_with: the versions that the foot of the page names.
    """
    text = _load_templates().get_template(template).render(made_with=made_with, **values)
    return text.strip("\n") + "\n"


def render_table(value: Table) -> Markdown:
    """Render a table as markdown."""
    return Markdown(find_renderer("markdown").render(value).rstrip("\n"))


def show(picture: Picture, *, path: str) -> Markdown:
    """Place a picture in a page, light or dark as the reader has it.

    Args:
        picture: the picture.
        path: the path of the page in the folder of the reports.
    """
    up = "../" * len(PurePosixPath(path).parent.parts)
    light, dark = (f"{up}{name}" for name, _ in picture.list_files())
    return Markdown(
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{escape(picture.alt)}" src="{light}"></picture>\n\n'
        f"[the picture by itself]({light})"
    )


def _format_span(values: Iterable[Any], kind: Kind) -> Markdown:
    """Write one value, or the least and the greatest of several."""
    known = list(values)
    least, most = format_value(kind, min(known)), format_value(kind, max(known))
    return Markdown(least if least == most else f"{least} to {most}")


def _format_markdown(value: object) -> str:
    if isinstance(value, Markdown):
        return value
    # A bool is an int in Python, and no count.
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, str):
        return escape_markdown(value)
    if isinstance(value, tuple):
        return shape(value)
    raise TypeError(f"{value!r} needs a filter in the template that says how it is written")


@cache
def _load_templates() -> Environment:
    # What is escaped here is markdown, by _write; HTML's escapes would be shown as they are.
    templates = Environment(  # noqa: S701
        loader=PackageLoader("resflops.report"),
        undefined=StrictUndefined,
        finalize=_format_markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "rounded": lambda count: Markdown(rounded(count)),
        "precision": lambda part: Markdown(share(part)),
        "share": lambda part: Markdown(share(part, digits=2)),
        "signed_share": lambda part: Markdown(format_value("signed share", part)),
        "span": _format_span,
        "times": lambda ratio: Markdown(times(ratio)),
        "path": Markdown,
        "join": lambda texts, by: Markdown(by.join(texts)),
        "table": render_table,
    }
    return templates
