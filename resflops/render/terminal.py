"""The terminal, and plain text: aligned columns, no frame.

In a file a table is as wide as it needs to be. On a screen that is too narrow, texts are wrapped, details are
left out or go to a line of their own under the row; a figure is never cut.
"""

import io
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from resflops.errors import escape_control_characters
from resflops.render.formats import RIGHT, format_cells, format_note, format_total
from resflops.render.layout import GAP, Layout, Placed, fit_columns, wrap_text
from resflops.render.registry import Screen, renderer
from resflops.tables import Note, Table
from resflops.tables.table import Row, select_for_people

__all__ = ["render_terminal"]

INDENT = " " * 4
HANGING = " " * 2
NARROWEST = 30
"""Sentences are not broken further, however narrow the screen."""

COLOURS = {"good": "green", "bad": "red", "doubtful": "yellow"}

Span = tuple[str, str]
"""Text and its style."""

Line = tuple[Span, ...]


@renderer("terminal", ".txt")
def render_terminal(table: Table, screen: Screen) -> str:
    """Write title, rows and notes, and after them the tables below."""
    lines: list[Line] = []
    for part in (table, *table.below):
        lines += [*([()] if lines else []), *_render_part(part, screen.width)]
    return _paint_lines(lines) if screen.colour else "".join(f"{_join_spans(line)}\n" for line in lines)


def _render_part(table: Table, width: int | None) -> list[Line]:
    columns = select_for_people(table.columns)
    body, total = format_cells(table, columns), format_total(table, columns)
    layout = fit_columns(columns, [*body, *([total] if total else [])], width)
    notes = [
        *_render_notes(table.notes, "dim", width),
        *_style_lines(_wrap_lines(_note_left_out(layout), width), "dim"),
    ]
    return [
        *_style_lines(_wrap_lines(table.title, width), _join_styles("bold", COLOURS.get(table.tone, ""))),
        *_render_notes(table.intro, "", width),
        (),
        *_render_grid(table, layout, len(body), width),
        *([()] if notes else []),
        *notes,
    ]


def _render_notes(notes: tuple[Note, ...], style: str, width: int | None) -> list[Line]:
    return [
        line
        for note in select_for_people(notes)
        for line in _style_lines(_wrap_lines(format_note(note), width), style)
    ]


def _note_left_out(layout: Layout) -> str:
    """Name the columns that found no room, and say how to see them; ``""`` if all did."""
    left_out = [placed for placed in layout.left_out if any(placed.texts)]
    if not left_out:
        return ""
    names = ", ".join(placed.heading or placed.column.key for placed in left_out)
    return (
        f"Not enough room for: {names}. A wider terminal or --out FILE shows all; "
        f"--columns +{left_out[-1].column.key} adds one."
    )


def _style_lines(texts: Iterable[str], style: str) -> list[Line]:
    return [((text, style),) for text in texts]


def _wrap_lines(text: str, width: int | None, *, indent: str = "") -> list[str]:
    text = escape_control_characters(text)
    if width is None:
        return [indent + text] if text else []
    return [
        (indent + HANGING if number else indent) + line
        for number, line in enumerate(wrap_text(text, max(width, NARROWEST) - len(indent + HANGING)))
    ]


def _render_grid(table: Table, layout: Layout, length: int, width: int | None) -> list[Line]:
    """Write headings, rows and total.

    Args:
        table: the table.
        layout: where its columns stand, each with its cells, the total last.
        length: how many rows there are without the total.
        width: the screen's width.
    """
    kept = layout.kept
    rule: Line = (("─" * (sum(placed.width for placed in kept) + GAP * (len(kept) - 1)), "dim"),)
    lines = [*_render_heading(kept), rule]
    for number, row in enumerate(table.list_shown_rows()):
        lines += _render_row(kept, number, row)
        lines += _render_details(layout.folded, number, width, row)
    if table.total is None:
        return lines
    details = _render_details(layout.folded, length, width, table.total)
    return [*lines, rule, *_render_row(kept, length, table.total, style="bold"), *details]


def _render_heading(kept: Sequence[Placed]) -> list[Line]:
    heads = [wrap_text(placed.heading, placed.width) for placed in kept]
    tallest = max(map(len, heads))
    return _align_cells(
        kept, [[""] * (tallest - len(head)) + head for head in heads], styles=["bold"] * len(kept)
    )


def _render_row(kept: Sequence[Placed], number: int, row: Row, *, style: str = "") -> list[Line]:
    styles = [_join_styles(style, _find_colour(placed, row)) for placed in kept]
    return _align_cells(kept, [_wrap_cell(placed, number) for placed in kept], styles=styles)


def _join_styles(*styles: str) -> str:
    return " ".join(filter(None, styles))


def _wrap_cell(placed: Placed, number: int) -> list[str]:
    """Break one cell into its lines."""
    lines = placed.texts[number].split("\n")
    return [piece for line in lines for piece in wrap_text(line, placed.width)]


def _align_cells(
    kept: Sequence[Placed], cells: Sequence[Sequence[str]], *, styles: Sequence[str]
) -> list[Line]:
    """Align the cells of one row, line by line."""
    lines = []
    for number in range(max(map(len, cells))):
        spans: list[Span] = []
        for placed, texts, style in zip(kept, cells, styles, strict=True):
            text = texts[number] if number < len(texts) else ""
            # cell_len and not len: East Asian letters are two columns wide.
            blank = " " * max(placed.width - cell_len(text), 0)
            gap = " " * GAP if spans else ""
            spans += [
                (gap, style if style == "bold" else ""),
                (blank + text if placed.column.kind in RIGHT else text + blank, style),
            ]
        lines.append(_strip_end(spans))
    return lines


def _strip_end(spans: list[Span]) -> Line:
    """Strip the blanks at the end of a line."""
    while spans and not spans[-1][0].strip():
        spans = spans[:-1]
    return (*spans[:-1], (spans[-1][0].rstrip(), spans[-1][1])) if spans else ()


def _render_details(folded: Sequence[Placed], number: int, width: int | None, row: Row) -> list[Line]:
    """Write what found no room in the grid, a value with its heading, as many on a line as fit."""
    lines: list[list[Span]] = []
    for placed in folded:
        text = placed.texts[number].replace("\n", "; ")
        # What stands for an empty text in a grid says nothing on a line of its own.
        if text in {"", placed.column.empty}:
            continue
        detail = f"{placed.heading}: {text}" if placed.heading else text
        style = _find_colour(placed, row) or "dim"
        room = None if width is None else max(width, NARROWEST) - len(INDENT + HANGING)
        if lines and room is not None and cell_len(f"{_join_spans(lines[-1])}   {detail}") <= room:
            lines[-1] += [("   ", ""), (detail, style)]
        else:
            lines.append([(detail, style)])
    return [piece for line in lines for piece in _indent_spans(line, width)]


def _indent_spans(spans: Sequence[Span], width: int | None) -> list[Line]:
    """Indent a line of details; one that is alone on its line may be too long, and is broken."""
    if len(spans) == 1:
        text, style = spans[0]
        return _style_lines(_wrap_lines(text, width, indent=INDENT), style)
    return [((INDENT, ""), *((escape_control_characters(text), style) for text, style in spans))]


def _find_colour(placed: Placed, row: Row) -> str:
    return COLOURS.get(str(row.get(placed.column.tone, "")), "")


def _join_spans(line: Sequence[Span]) -> str:
    return "".join(text for text, _ in line)


def _paint_lines(lines: Sequence[Line]) -> str:
    from rich.console import Console
    from rich.text import Text

    text = io.StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", no_color=False)
    for line in lines:
        # As Text, so that brackets in names are not read as rich's markup.
        console.print(Text.assemble(*line), soft_wrap=True, highlight=False)
    return text.getvalue()
