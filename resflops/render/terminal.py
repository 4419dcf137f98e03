"""The terminal, and plain text: aligned columns, no frame.

In a file or a pipe a table is as wide as it needs to be. On a screen that is too narrow,
texts are wrapped and details go to a line of their own under the row; a figure is never cut.
"""

import io
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from resflops.errors import escape_control_characters
from resflops.render.formats import RIGHT, format_cells, format_note, format_total
from resflops.render.layout import GAP, Placed, fit_columns, wrap_text
from resflops.render.registry import Screen, renderer
from resflops.tables import Note, Table
from resflops.tables.table import select_for_people

__all__ = ["render_terminal"]

INDENT = " " * 4
HANGING = " " * 2
NARROWEST = 30
"""Sentences are not broken further, however narrow the screen."""

Line = tuple[str, str]
"""Text and its style."""


@renderer("terminal", ".txt")
def render_terminal(table: Table, screen: Screen) -> str:
    """Write title, rows and notes, and after them the tables below."""
    lines: list[Line] = []
    for part in (table, *table.below):
        lines += [*([("", "")] if lines else []), *_render_part(part, screen.width)]
    return _paint_lines(lines) if screen.colour else "".join(f"{text}\n" for text, _ in lines)


def _render_part(table: Table, width: int | None) -> list[Line]:
    notes = _render_notes(table.notes, "dim", width)
    return [
        *((text, "bold") for text in _wrap_lines(table.title, width)),
        *_render_notes(table.intro, "", width),
        ("", ""),
        *_render_grid(table, width),
        *([("", "")] if notes else []),
        *notes,
    ]


def _render_notes(notes: tuple[Note, ...], style: str, width: int | None) -> list[Line]:
    return [
        (line, style) for note in select_for_people(notes) for line in _wrap_lines(format_note(note), width)
    ]


def _wrap_lines(text: str, width: int | None, *, indent: str = "") -> list[str]:
    text = escape_control_characters(text)
    if width is None:
        return [indent + text]
    return [
        (indent + HANGING if number else indent) + line
        for number, line in enumerate(wrap_text(text, max(width, NARROWEST) - len(indent + HANGING)))
    ]


def _render_grid(table: Table, width: int | None) -> list[Line]:
    columns = select_for_people(table.columns)
    body, total = format_cells(table, columns), format_total(table, columns)
    kept, folded = fit_columns(columns, [*body, *([total] if total else [])], width)
    rule = ("─" * (sum(placed.width for placed in kept) + GAP * (len(kept) - 1)), "dim")
    lines = [*_render_heading(kept), rule]
    for number in range(len(body)):
        lines += _render_row(kept, number, style="")
        lines += [(text, "dim") for text in _render_details(folded, number, width)]
    return [*lines, rule, *_render_row(kept, len(body), style="bold")] if total else lines


def _render_heading(kept: Sequence[Placed]) -> list[Line]:
    heads = [wrap_text(placed.column.heading, placed.width) for placed in kept]
    tallest = max(map(len, heads))
    return [
        (text, "bold") for text in _align_cells(kept, [[""] * (tallest - len(head)) + head for head in heads])
    ]


def _render_row(kept: Sequence[Placed], number: int, *, style: str) -> list[Line]:
    return [(text, style) for text in _align_cells(kept, [_wrap_cell(placed, number) for placed in kept])]


def _wrap_cell(placed: Placed, number: int) -> list[str]:
    """Break one cell into its lines."""
    lines = placed.texts[number].split("\n")
    return [piece for line in lines for piece in wrap_text(line, placed.width)]


def _align_cells(kept: Sequence[Placed], cells: Sequence[Sequence[str]]) -> Iterable[str]:
    """Align the cells of one row, line by line."""
    for number in range(max(map(len, cells))):
        parts = []
        for placed, lines in zip(kept, cells, strict=True):
            text = lines[number] if number < len(lines) else ""
            blank = " " * max(placed.width - cell_len(text), 0)
            # cell_len and not len: East Asian letters are two columns wide.
            parts.append(blank + text if placed.column.kind in RIGHT else text + blank)
        yield (" " * GAP).join(parts).rstrip()


def _render_details(folded: Sequence[Placed], number: int, width: int | None) -> list[str]:
    """Write what found no room in the grid, a value with its heading, as many on a line as fit."""
    lines: list[str] = []
    for placed in folded:
        if not (text := placed.texts[number].replace("\n", "; ")):
            continue
        detail = f"{placed.column.heading}: {text}"
        if lines and width is not None and cell_len(f"{INDENT}{lines[-1]}   {detail}") <= width:
            lines[-1] += f"   {detail}"
        else:
            lines.append(detail)
    return [piece for line in lines for piece in _wrap_lines(line, width, indent=INDENT)]


def _paint_lines(lines: Sequence[Line]) -> str:
    from rich.console import Console
    from rich.text import Text

    text = io.StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", no_color=False)
    for line, style in lines:
        # As Text, so that brackets in names are not read as rich's markup.
        console.print(Text(line, style=style), soft_wrap=True, highlight=False)
    return text.getvalue()
