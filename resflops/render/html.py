"""HTML: a document of its own as a file, a fragment where a notebook shows it."""

from html import escape

from resflops.render.formats import RIGHT, clean, footer, sentence, shown_cells
from resflops.render.registry import Screen, renderer
from resflops.tables import Column, Table
from resflops.tables.table import for_people

__all__ = ["as_html", "fragment"]

STYLE = """\
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
:root { color-scheme: light dark; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1.5rem 0 .5rem; }
caption { text-align: left; font-weight: 700; }
th, td { padding: .2rem .7rem; vertical-align: top; overflow-wrap: anywhere; }
thead th { border-bottom: 1px solid; vertical-align: bottom; }
tfoot { border-top: 1px solid; font-weight: 700; }
"""


@renderer("html", ".html")
def as_html(table: Table, screen: Screen) -> str:
    """A page that needs nothing but itself."""
    del screen
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(table.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"{fragment(table)}</body>\n</html>\n"
    )


def fragment(table: Table) -> str:
    """A ``table`` element for each part, with its notes, to stand in another page."""
    return "".join(map(_part, (table, *table.below)))


def _part(table: Table) -> str:
    columns = for_people(table.columns)
    total = footer(table, columns)
    return "\n".join(
        [
            *(f"<p>{_text(sentence(note))}</p>" for note in for_people(table.intro)),
            "<table>",
            f"<caption>{_text(table.title)}</caption>",
            f"<thead>{_line(columns, [column.heading for column in columns], heads=True)}</thead>",
            "<tbody>",
            *(_line(columns, row) for row in shown_cells(table, columns)),
            "</tbody>",
            *([f"<tfoot>{_line(columns, total)}</tfoot>"] if total else []),
            "</table>",
            *(f"<p><small>{_text(sentence(note))}</small></p>" for note in for_people(table.notes)),
            "",
        ]
    )


def _line(columns: tuple[Column, ...], cells: list[str], *, heads: bool = False) -> str:
    kind, scope = ("th", ' scope="col"') if heads else ("td", "")
    written = (
        # An attribute on each cell: a notebook keeps it where it strips a style sheet.
        f'<{kind}{scope} style="text-align: {"right" if column.kind in RIGHT else "left"}">'
        f"{_text(text)}</{kind}>"
        for column, text in zip(columns, cells, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"


def _text(text: str) -> str:
    return "<br>".join(escape(clean(line)) for line in text.split("\n"))
