"""One page about curves: their laws, a picture, where the cost steps, and every point."""

import base64
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from msgspec.structs import replace

from resflops.render.formats import format_note
from resflops.render.html import render_fragment
from resflops.report.pictures.curves import draw_file
from resflops.report.standalone import render_standalone
from resflops.report.style import DARK, LIGHT, Theme
from resflops.sweeps.curves.law import Law
from resflops.sweeps.curves.records import Curve
from resflops.tables.curve import build_curve_table
from resflops.tables.curve_notes import (
    describe_law,
    describe_proof,
    list_told_laws,
    name_figure,
    note_lawless,
    note_points,
)
from resflops.tables.table import Note, format_cost_heading, note_convention

__all__ = ["render_curve_page"]

SCRIPTS = ("curve_page.js",)
STYLES = ("explorer.css", "curve.css")


def render_curve_page(curves: Sequence[Curve]) -> str:
    """Render the page about curves, all of one variable and under one convention."""
    first = curves[0]
    unit = format_cost_heading(first.convention)
    table = build_curve_table(curves, everything=True)
    told = [(curve, law) for curve in curves for law in list_told_laws(curve)]
    models = ", ".join(curve.model for curve in curves)
    return render_standalone(
        "curve.html.jinja",
        scripts=SCRIPTS,
        styles=STYLES,
        data={"laws": [_encode_law(curve, law) for curve, law in told if _is_computable(law)]},
        title=f"{unit} of {models} against {first.variable}",
        variable=first.variable,
        laws=[(curve.model, describe_law(law, curve), describe_proof(law)) for curve, law in told],
        start=next((law.last for _, law in told if _is_computable(law)), None),
        # In an image of its own, each picture keeps the names of its parts to itself.
        pictures={theme.name: _encode_picture(curves, theme) for theme in (LIGHT, DARK)},
        alt=f"A line for each model: {unit} against {first.variable}. The table below has every point.",
        steps=[Markup(render_fragment(each)) for each in table.below],  # noqa: S704 - our own, escaped
        points=Markup(render_fragment(replace(table, below=(), notes=()))),  # noqa: S704
        notes=[format_note(note) for note in _list_notes(curves)],
    )


def _list_notes(curves: Sequence[Curve]) -> list[Note]:
    """List what is to be said beside the laws, which stand at the top."""
    return [
        *(note for curve in curves for note in note_lawless(curve)),
        note_convention(curves[0].convention),
        *(note for curve in curves for note in note_points(curve, shown=True)),
    ]


def _encode_picture(curves: Sequence[Curve], theme: Theme) -> str:
    return base64.b64encode(draw_file(tuple(curves), ending=".svg", theme=theme)).decode()


def _is_computable(law: Law) -> bool:
    """Whether a law is one in whole numbers, which the page computes with."""
    return isinstance(law.first, int) and isinstance(law.last, int)


def _encode_law(curve: Curve, law: Law) -> dict[str, Any]:
    """Write a law for the script, its coefficients as texts: they may be too large for its numbers."""
    return {
        "model": curve.model,
        "figure": name_figure(law.figure, curve),
        "first": str(law.first),
        "last": str(law.last),
        "stride": str(law.stride),
        "counted": [str(point.value) for point in curve.counted],
        "pieces": [
            [
                {
                    "numerator": str(term.coefficient.numerator),
                    "denominator": str(term.coefficient.denominator),
                    "factors": [
                        [str(each.size.divisor), str(each.size.shift), str(each.power)]
                        for each in term.factors
                    ],
                }
                for term in piece
            ]
            for piece in law.pieces
        ],
    }
