"""LaTeX that fits a paper: ``table`` in a column of a two-column article, ``longtable`` over several pages.

Caption and label stand above, as is usual of tables, and clear of the rules. What qualifies the figures is
set below the table; other notes are comments in the file.
"""

import re
import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from resflops.errors import escape_control_characters
from resflops.render.formats import RIGHT, format_cells, format_heading, format_note, format_total
from resflops.render.print_layout import COLUMN_WIDTH, PAGE_WIDTH, Printed, fit_printed_columns, wrap_heading
from resflops.render.registry import Screen, renderer
from resflops.tables import Column, Note, Table
from resflops.tables.table import select_for_people

__all__ = ["render_latex"]

MOST_ROWS = 40
"""A table of more rows may not fit on a page, and a float cannot be broken."""

LEAST_WRAPPED = 40
"""Points below which a text is not broken to."""


class _Part(Struct, frozen=True, kw_only=True):
    """A table with the texts of its cells, and how it is set."""

    table: Table
    columns: tuple[Column, ...]
    body: list[list[str]]
    total: list[str]
    left_out: tuple[Column, ...]
    long: bool
    printed: Printed
    room: int
    """Points that it may be wide."""
    across: bool
    """Whether it goes across both columns of a page, since it is too wide for one."""

    @property
    def wraps(self) -> bool:
        """Whether the texts of a column are broken into lines."""
        return not self.printed.fits and self.room - self.printed.others >= LEAST_WRAPPED


@renderer("latex", ".tex")
def render_latex(table: Table, screen: Screen) -> str:
    """Write a table for each part, after comments that say which packages the document needs."""
    del screen
    is_long = _is_long(table)
    parts = [_lay_out(part, room=PAGE_WIDTH if is_long else COLUMN_WIDTH) for part in (table, *table.below)]
    return "\n".join([_write_head(parts), *map(_render_part, parts)])


def _is_long(table: Table) -> bool:
    return table.long or len(table.list_shown_rows()) > MOST_ROWS


def _lay_out(table: Table, *, room: int) -> _Part:
    shown = select_for_people(table.columns)
    # At least what names the rows.
    columns = tuple(column for column in shown if column.prints or column is shown[0])
    body, total = format_cells(table, columns), format_total(table, columns)
    is_long = _is_long(table)
    room = PAGE_WIDTH if is_long else room
    rows = [*body, *([total] if total else [])]
    printed = fit_printed_columns(columns, rows, room=room, keep_all=table.chosen)
    across = not printed.fits and room < PAGE_WIDTH
    if across:
        room = PAGE_WIDTH
        printed = fit_printed_columns(columns, rows, room=room, keep_all=table.chosen)
    return _Part(
        table=table,
        columns=tuple(columns[place] for place in printed.columns),
        body=[[row[place] for place in printed.columns] for row in body],
        total=[total[place] for place in printed.columns] if total else [],
        left_out=tuple(columns[place] for place in printed.left_out),
        long=is_long,
        printed=printed,
        room=room,
        across=across,
    )


def _write_head(parts: Sequence[_Part]) -> str:
    packages = ["booktabs"]
    if any(part.long for part in parts):
        packages.append("longtable")
    if any(part.wraps for part in parts):
        packages.append("array")
    lines = [f"needs \\usepackage{{{','.join(packages)}}}"]
    if any(part.long for part in parts):
        lines.append("a longtable stands on pages of one column: in a two-column article after \\onecolumn")
    for part in parts:
        if part.left_out:
            names = ", ".join(format_heading(column) for column in part.left_out)
            lines.append(f"left out, to fit the width: {names}; --columns chooses others")
        lines += [_format_comment(note) for note in select_for_people(part.table.notes) if not note.qualifies]
    return "".join(f"% {line}\n" for line in lines)


def _format_comment(note: Note) -> str:
    # In one line and in ASCII, whatever a model is called: it is read by people and by TeX's reader of lines.
    text = escape_control_characters(format_note(note)).replace("\n", " ")
    return "".join(map(_write_plainly, text))


def _write_plainly(sign: str) -> str:
    plain = {"×": "x", "≥": ">=", "≈": "~", "−": "-", "–": "-", "·": "*"}
    if sign in plain or sign.isascii():
        return plain.get(sign, sign)
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or "?"


def _render_part(part: _Part) -> str:
    return "\n".join([*(_render_long(part) if part.long else _render_float(part)), ""])


def _render_float(part: _Part) -> list[str]:
    table = part.table
    environment = "table*" if part.across else "table"
    return [
        rf"\begin{{{environment}}}",
        r"\centering",
        rf"\caption{{{_write_caption(table)}}}",
        rf"\label{{{_make_label(table)}}}",
        # Classes that expect captions below leave no space under one that stands above.
        r"\vspace{\medskipamount}",
        *_set_size(part),
        rf"\begin{{tabular}}{{{_write_sides(part)}}}",
        r"\toprule",
        _render_heading(part),
        r"\midrule",
        *_render_body(part),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {note}\par}}" for note in _list_qualifications(table)),
        rf"\end{{{environment}}}",
    ]


def _render_long(part: _Part) -> list[str]:
    table, width = part.table, len(part.columns)
    heading = [r"\toprule", _render_heading(part), r"\midrule"]
    return [
        r"\begingroup",
        *_set_size(part),
        r"\setlength{\LTcapwidth}{\linewidth}",
        rf"\begin{{longtable}}{{{_write_sides(part)}}}",
        rf"\caption{{{_write_caption(table)}}}",
        rf"\label{{{_make_label(table)}}} \\[\medskipamount]",
        *heading,
        r"\endfirsthead",
        *heading,
        r"\endhead",
        r"\midrule",
        rf"\multicolumn{{{width}}}{{@{{}}r@{{}}}}{{\footnotesize continued on the next page}} \\",
        r"\endfoot",
        r"\bottomrule",
        r"\endlastfoot",
        *_render_body(part),
        r"\end{longtable}",
        *(rf"{{\footnotesize\noindent {note}\par}}" for note in _list_qualifications(table)),
        r"\endgroup",
    ]


def _set_size(part: _Part) -> list[str]:
    size = part.printed.size
    gap = [] if size.gap == 6 else [rf"\setlength{{\tabcolsep}}{{{size.gap}pt}}"]
    return [*([size.command] if size.command else []), *gap]


def _write_sides(part: _Part) -> str:
    sides = ["r" if column.kind in RIGHT else "l" for column in part.columns]
    if part.wraps:
        width = int(part.room - part.printed.others)
        sides[part.printed.wrapped] = rf">{{\raggedright\arraybackslash}}p{{{width}pt}}"
    return f"@{{}}{''.join(sides)}@{{}}"


def _write_caption(table: Table) -> str:
    return escape_latex(format_note(table.caption) if table.caption else table.title)


def _make_label(table: Table) -> str:
    """Make a label of letters, digits and hyphens, which no class and no package gives a meaning."""
    text = table.label or (table.title if table.name == "rows" else table.name)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return f"tab:{re.sub('[^a-z0-9]+', '-', plain).strip('-') or 'table'}"


def _list_qualifications(table: Table) -> list[str]:
    intro = [] if table.caption else select_for_people(table.intro)
    notes = [note for note in select_for_people(table.notes) if note.qualifies]
    return [escape_latex(format_note(note)) for note in (*intro, *notes)]


def _render_heading(part: _Part) -> str:
    heads = []
    for place, column in enumerate(part.columns):
        texts = [row[place] for row in (*part.body, *([part.total] if part.total else []))]
        lines = [escape_latex(line) for line in wrap_heading(_capitalize(format_heading(column)), texts)]
        side = "r" if column.kind in RIGHT else "l"
        stacked = rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"
        heads.append(stacked if len(lines) > 1 else lines[0])
    return _join_cells(heads)


def _capitalize(heading: str) -> str:
    """Begin a heading with a capital letter, unless it goes on with the name of a model.

    >>> _capitalize("parameters (M)"), _capitalize("of vgg19")
    ('Parameters (M)', 'of vgg19')
    """
    return heading if heading.startswith("of ") else heading[:1].upper() + heading[1:]


def _render_body(part: _Part) -> list[str]:
    total = [r"\midrule", _render_line(part, part.total)] if part.total else []
    return [*(_render_line(part, row) for row in part.body), *total]


def _render_line(part: _Part, cells: Sequence[str]) -> str:
    texts = [escape_latex(text.replace("\n", "; ")) for text in cells]
    if part.wraps:
        # A name has no spaces at which it could be broken.
        place = part.printed.wrapped
        texts[place] = re.sub(r"(\\_|[/.:,-])(?=.)", r"\1\\allowbreak{}", texts[place])
    return _join_cells(texts)


def _join_cells(cells: Sequence[str]) -> str:
    text = " & ".join(cells)
    # After a line's \\ a bracket would be read as its argument, and a star as its variant.
    return ("{}" if text.startswith(("[", "*")) else "") + text + r" \\"


SUPERSCRIPTS = {sign: rf"\textsuperscript{{{digit}}}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}

SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    # The fonts of LaTeX's oldest encoding, which is still the default, have neither of the two.
    '"': r"{\char34}",
    "`": r"{\char96}",
    "×": r"$\times$",
    "µ": r"$\mu$",
    "°": r"$^\circ$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
    "⌊": r"$\lfloor$",
    "⌋": r"$\rfloor$",
    "–": r"\textendash{}",
    "−": "$-$",
    "’": "'",
    **SUPERSCRIPTS,
}


def escape_latex(text: str) -> str:
    r"""Escape text so that LaTeX sets it as it stands.

    >>> escape_latex("conv2_x: 3.6×10⁹ & 18 %")
    'conv2\\_x: 3.6$\\times$10\\textsuperscript{9} \\& 18 \\%'
    """
    # Two hyphens would be set as a dash.
    return re.sub("-(?=-)", "-{}", "".join(map(_escape_sign, escape_control_characters(text))))


def _escape_sign(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    if ord(sign) < 0x180:
        return sign
    # pdfLaTeX stops at letters that its fonts lack: what has no plain form becomes a question mark.
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or "?"
