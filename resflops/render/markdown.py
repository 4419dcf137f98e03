"""Markdown as GitHub reads it."""

import re

from resflops.render.formats import RIGHT, footer, sentence, shown_cells
from resflops.render.registry import Screen, renderer
from resflops.tables import Table
from resflops.tables.table import for_people

__all__ = ["as_markdown"]


@renderer("markdown", ".md")
def as_markdown(table: Table, screen: Screen) -> str:
    """Title, rows and notes, and after them the tables below."""
    del screen
    return "\n".join(_part(part) for part in (table, *table.below))


def _part(table: Table) -> str:
    columns = for_people(table.columns)
    notes = [f"- {escaped(sentence(note))}" for note in for_people(table.notes)]
    total = [f"**{escaped(text)}**" if text else "" for text in footer(table, columns)]
    return "\n".join(
        [
            f"**{escaped(table.title)}**",
            "",
            *(f"{escaped(sentence(note))}\n" for note in for_people(table.intro)),
            _line([escaped(column.heading) for column in columns]),
            _line(["---:" if column.kind in RIGHT else ":---" for column in columns]),
            *(_line(list(map(escaped, row))) for row in shown_cells(table, columns)),
            *([_line(total)] if total else []),
            *([""] if notes else []),
            *notes,
            "",
        ]
    )


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it stands; an underscore inside a word does no harm.

    >>> escaped("a|b conv2_x __init__ 2*3")
    'a\\|b conv2_x \\_\\_init\\_\\_ 2\\*3'
    """
    text = re.sub(r"([\\`*\[\]<>|~$])", r"\\\1", text)
    # An ampersand is one, unless what follows makes it an entity.
    text = re.sub(r"&(?=#?\w+;)", r"\\&", text)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    return text.replace("\n", "<br>")
