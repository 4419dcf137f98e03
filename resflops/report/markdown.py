"""Markdown pages from templates, into which a value goes only as its kind is written.

A template holds sentences and no figure: whatever stands between ``{{`` and ``}}`` is a count,
which gets its separators, or a text, which is escaped, unless it is ``Markdown`` already.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from resflops.render import rendering
from resflops.render.formats import rounded, shape, share, times, written
from resflops.render.markdown import escaped
from resflops.report.environment import Environment as MadeWith
from resflops.report.picture import Picture
from resflops.tables import Kind, Table

__all__ = ["Markdown", "fill", "show", "table"]


class Markdown(str):
    """Text that is markdown, and not to be escaped."""

    __slots__ = ()


def fill(template: str, values: Mapping[str, Any], *, made_with: MadeWith) -> str:
    """Put values into a template; the text ends in one newline.

    Args:
        template: its file.
        values: by the names that they have in it.
        made_with: what the foot of the page names.
    """
    text = _templates().get_template(template).render(made_with=made_with, **values)
    return text.strip("\n") + "\n"


def table(value: Table) -> Markdown:
    """A table as the renderer of markdown writes it."""
    return Markdown(rendering("markdown").render(value).rstrip("\n"))


def show(picture: Picture, *, path: str) -> Markdown:
    """Place a picture in a page, light or dark as the reader has it.

    Args:
        picture: it.
        path: of the page in the folder of the reports.
    """
    up = "../" * len(PurePosixPath(path).parent.parts)
    light, dark, printed, _ = (f"{up}{name}" for name, _ in picture.files())
    return Markdown(
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{escape(picture.alt)}" src="{light}"></picture>\n\n'
        f"[the picture as SVG]({light}) · [as PNG]({printed})"
    )


def _span(values: Iterable[Any], kind: Kind) -> Markdown:
    """One value, or the least and the greatest."""
    known = list(values)
    least, most = written(kind, min(known)), written(kind, max(known))
    return Markdown(least if least == most else f"{least} to {most}")


def _write(value: object) -> str:
    if isinstance(value, Markdown):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, tuple):
        return shape(value)
    raise TypeError(f"{value!r} goes into a page through a filter that says how it is written")


@cache
def _templates() -> Environment:
    # What is escaped here is markdown, by _write; HTML's escapes would be shown as they are.
    templates = Environment(  # noqa: S701
        loader=PackageLoader("resflops.report"),
        undefined=StrictUndefined,
        finalize=_write,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "rounded": lambda count: Markdown(rounded(count)),
        "share": lambda part: Markdown(share(part, digits=2)),
        "span": _span,
        "times": lambda ratio: Markdown(times(ratio)),
        "path": Markdown,
        "join": lambda texts, by: Markdown(by.join(texts)),
        "table": table,
    }
    return templates
