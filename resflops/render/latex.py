"""LaTeX with booktabs, which pdfLaTeX compiles without further packages."""

import re
import unicodedata

from resflops.errors import escape_control_characters
from resflops.render.formats import RIGHT, format_cells, format_note, format_total
from resflops.render.registry import Screen, renderer
from resflops.tables import Table
from resflops.tables.table import select_for_people

__all__ = ["render_latex"]


@renderer("latex", ".tex")
def render_latex(table: Table, screen: Screen) -> str:
    r"""Write a ``table`` for each part; the document needs ``\usepackage{booktabs}``."""
    del screen
    return "\n".join(_render_part(part) for part in (table, *table.below))


def _render_part(table: Table) -> str:
    columns = select_for_people(table.columns)
    sides = "".join("r" if column.kind in RIGHT else "l" for column in columns)
    total = format_total(table, columns)
    notes = [escape_latex(format_note(note)) for note in select_for_people(table.notes)]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(table.title)}}}",
            *(rf"{escape_latex(format_note(note))}\par\smallskip" for note in select_for_people(table.intro)),
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            _render_line([column.heading for column in columns]),
            r"\midrule",
            *map(_render_line, format_cells(table, columns)),
            *([r"\midrule", _render_line(total)] if total else []),
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip{{\footnotesize {note}\par}}" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def _render_line(cells: list[str]) -> str:
    text = " & ".join(escape_latex(text.replace("\n", "; ")) for text in cells)
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
