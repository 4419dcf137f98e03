"""What a printed figure says beside an exact one, in the words of the page."""

from fractions import Fraction
from math import floor

from resflops.models.published import Agreement, PublishedFigure, select_figures
from resflops.report.context import Context
from resflops.tables import Figure
from resflops.tables.published_figures import FigureVerdict, judge_figures

__all__ = [
    "AGREES",
    "PAPER",
    "build_text_figures",
    "find_printed_figure",
    "find_printed_verdict",
    "find_verdicts",
    "format_with_unit",
    "round_to_place",
]


PAPER = "He et al. 2015"


AGREES: dict[Agreement, str] = {
    "exact": "to the last digit",
    "rounded": "rounded",
    "truncated": "cut off, not rounded",
    "approximate": "about",
    "differs": "no",
}
"""How a printed figure comes from the exact one, in the words of the page."""


def find_verdicts(context: Context, model: str) -> tuple[FigureVerdict, ...]:
    """Judge all that was printed for a model by our counts."""
    others = {figure.relative_to for figure in select_figures(model)} - {""}
    return judge_figures(context.entry(model), among={other: context.cost(other) for other in others})


def find_printed_figure(model: str, *, relative_to: str = "", source: str = PAPER) -> PublishedFigure:
    """Find the one figure that a source prints for a model's MACs, or for their ratio to another's."""
    (figure,) = (
        figure
        for figure in select_figures(model)
        if (figure.source, figure.quantity) == (source, "macs")
        and (figure.relative_to, figure.scope in {"", "convolutions"}) == (relative_to, True)
    )
    return figure


def find_printed_verdict(
    context: Context, model: str, *, relative_to: str = "", source: str = PAPER
) -> FigureVerdict:
    """Find the same figure, judged by our count."""
    figure = find_printed_figure(model, relative_to=relative_to, source=source)
    (verdict,) = (verdict for verdict in find_verdicts(context, model) if verdict.figure == figure)
    return verdict


def round_to_place(verdict: FigureVerdict, half: Fraction) -> Fraction:
    """Bring ours to the place that the figure was printed to: rounded with a half, cut off with zero."""
    place = Fraction(verdict.figure.place)
    return floor(verdict.exact / place + half) * place


def build_text_figures(**values: str) -> dict[str, Figure]:
    """Build the figures of a note from texts."""
    return {name: Figure("text", value) for name, value in values.items()}


def format_with_unit(figure: PublishedFigure) -> str:
    """Write the figure as printed, with the unit that its table's heading gives."""
    return f"{figure.printed} {figure.unit.removesuffix('s')}".rstrip()
