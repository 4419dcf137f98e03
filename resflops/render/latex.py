"""LaTeX with booktabs, which pdfLaTeX compiles without further packages."""

import re
import unicodedata

from resflops.render.formats import RIGHT, footer, sentence, shown_cells
from resflops.render.registry import Screen, renderer
from resflops.tables import Table
from resflops.tables.table import for_people

__all__ = ["as_latex"]


@renderer("latex", ".tex")
def as_latex(table: Table, screen: Screen) -> str:
    r"""A ``table`` for each part; the document needs ``\usepackage{booktabs}``."""
    del screen
    return "\n".join(_part(part) for part in (table, *table.below))


def _part(table: Table) -> str:
    columns = for_people(table.columns)
    sides = "".join("r" if column.kind in RIGHT else "l" for column in columns)
    total = footer(table, columns)
    notes = [escaped(sentence(note)) for note in for_people(table.notes)]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(table.title)}}}",
            *(rf"{escaped(sentence(note))}\par\smallskip" for note in for_people(table.intro)),
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            _line([column.heading for column in columns]),
            r"\midrule",
            *map(_line, shown_cells(table, columns)),
            *([r"\midrule", _line(total)] if total else []),
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip{{\footnotesize {note}\par}}" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def _line(cells: list[str]) -> str:
    text = " & ".join(escaped(text.replace("\n", "; ")) for text in cells)
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


def escaped(text: str) -> str:
    r"""Text that LaTeX sets as it stands.

    >>> escaped("conv2_x: 3.6×10⁹ & 18 %")
    'conv2\\_x: 3.6$\\times$10\\textsuperscript{9} \\& 18 \\%'
    """
    # Two hyphens would be set as a dash.
    return re.sub("-(?=-)", "-{}", "".join(map(_sign, text)))


def _sign(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    if ord(sign) < 0x180:
        return sign
    # pdfLaTeX stops at letters that its fonts lack: what has no plain form becomes a question mark.
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or "?"
