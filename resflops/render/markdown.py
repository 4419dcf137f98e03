"""Markdown as GitHub reads it."""

import re

from resflops.errors import escape_control_characters
from resflops.render.formats import RIGHT, format_cells, format_heading, format_note, format_total
from resflops.render.registry import Screen, renderer
from resflops.tables import Table
from resflops.tables.table import select_for_people

__all__ = ["render_markdown"]


@renderer("markdown", ".md")
def render_markdown(table: Table, screen: Screen) -> str:
    """Write title, rows and notes, and after them the tables below."""
    del screen
    return "\n".join(_render_part(part) for part in (table, *table.below))


def _render_part(table: Table) -> str:
    columns = select_for_people(table.columns)
    notes = [f"- {escape_markdown(format_note(note))}" for note in select_for_people(table.notes)]
    total = [f"**{escape_markdown(text)}**" if text else "" for text in format_total(table, columns)]
    return "\n".join(
        [
            f"**{escape_markdown(table.title)}**",
            "",
            *(f"{escape_markdown(format_note(note))}\n" for note in select_for_people(table.intro)),
            _render_line([escape_markdown(format_heading(column)) for column in columns]),
            _render_line(["---:" if column.kind in RIGHT else ":---" for column in columns]),
            *(_render_line(list(map(escape_markdown, row))) for row in format_cells(table, columns)),
            *([_render_line(total)] if total else []),
            *([""] if notes else []),
            *notes,
            "",
        ]
    )


def _render_line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape_markdown(text: str) -> str:
    r"""Escape text so that Markdown shows it as it stands; an underscore inside a word does no harm.

    >>> escape_markdown("a|b conv2_x __init__ 2*3")
    'a\\|b conv2_x \\_\\_init\\_\\_ 2\\*3'
    """
    text = escape_control_characters(text)
    text = re.sub(r"([\\`*\[\]<>|~$])", r"\\\1", text)
    # An ampersand is one, unless what follows makes it an entity.
    text = re.sub(r"&(?=#?\w+;)", r"\\&", text)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    return text.replace("\n", "<br>")
