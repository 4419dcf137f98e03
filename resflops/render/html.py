"""HTML: a whole document as a file, a fragment where a notebook shows it."""

from resflops.render.formats import (
    RIGHT,
    escape_text,
    format_cells,
    format_heading,
    format_note,
    format_total,
)
from resflops.render.registry import Screen, renderer
from resflops.tables import Column, Table
from resflops.tables.table import select_for_people

__all__ = ["render_fragment", "render_html"]

STYLE = """\
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
:root { color-scheme: light dark; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1.5rem 0 .5rem; }
caption { text-align: left; font-weight: 700; }
th, td { padding: .2rem .7rem; vertical-align: top; overflow-wrap: anywhere; }
thead th { border-bottom: 1px solid; vertical-align: bottom; }
tfoot { border-top: 1px solid; font-weight: 700; }
"""


@renderer("html", ".html", ".htm")
def render_html(table: Table, screen: Screen) -> str:
    """Write a page that needs no other file."""
    del screen
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(table.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"{render_fragment(table)}</body>\n</html>\n"
    )


def render_fragment(table: Table) -> str:
    """Write a ``table`` element for each part, with its notes, to stand in another page."""
    return "".join(map(_render_part, (table, *table.below)))


def _render_part(table: Table) -> str:
    columns = select_for_people(table.columns)
    total = format_total(table, columns)
    return "\n".join(
        [
            *(f"<p>{_escape(format_note(note))}</p>" for note in select_for_people(table.intro)),
            "<table>",
            f"<caption>{_escape(table.title)}</caption>",
            f"<thead>{_render_line(columns, list(map(format_heading, columns)), heads=True)}</thead>",
            "<tbody>",
            *(_render_line(columns, row) for row in format_cells(table, columns)),
            "</tbody>",
            *([f"<tfoot>{_render_line(columns, total)}</tfoot>"] if total else []),
            "</table>",
            *(
                f"<p><small>{_escape(format_note(note))}</small></p>"
                for note in select_for_people(table.notes)
            ),
            "",
        ]
    )


def _render_line(columns: tuple[Column, ...], cells: list[str], *, heads: bool = False) -> str:
    kind, scope = ("th", ' scope="col"') if heads else ("td", "")
    rendered = (
        # An attribute on each cell: a notebook keeps it where it strips a style sheet.
        f'<{kind}{scope} style="text-align: {"right" if column.kind in RIGHT else "left"}">'
        f"{_escape(text)}</{kind}>"
        for column, text in zip(columns, cells, strict=True)
    )
    return f"<tr>{''.join(rendered)}</tr>"


def _escape(text: str) -> str:
    # Here, because every format is imported, whichever is written.
    from html import escape

    return "<br>".join(escape(escape_text(line)) for line in text.split("\n"))
