"""Every published figure, whether it agrees, and why it does not."""

from collections import Counter
from fractions import Fraction
from itertools import groupby

from resflops.models.published import PublishedFigure, load_figures
from resflops.render.formats import share
from resflops.report.context import Context
from resflops.report.reproduction.wording import AGREES, find_verdicts, format_with_unit, round_to_place
from resflops.tables import Column, Table
from resflops.tables.published_figures import FigureVerdict

__all__ = ["SOURCES", "build_agreement_table", "build_figure_tables"]


def build_figure_tables(context: Context) -> list[Table]:
    """Build the tables of every published figure, one for each source, in the order of the record."""
    judged = _judge_all_figures(context)
    return [
        _build_figure_table(source, list(group), context)
        for source, group in groupby(judged, key=lambda verdict: verdict.figure.source)
    ]


def build_agreement_table(context: Context) -> Table:
    """Build the table of how many figures agree, and how."""
    found = Counter(verdict.agreement for verdict in _judge_all_figures(context))
    return Table(
        title="How the published figures agree with ours",
        columns=(
            Column(key="agrees", heading="agrees"),
            Column(key="figures", heading="figures", kind="count"),
        ),
        rows=tuple({"agrees": text, "figures": found[key]} for key, text in AGREES.items()),
        total={"agrees": "all", "figures": sum(found.values())},
    )


def _judge_all_figures(context: Context) -> list[FigureVerdict]:
    by_figure = {
        verdict.figure: verdict
        for model in dict.fromkeys(figure.model for figure in load_figures())
        for verdict in find_verdicts(context, model)
    }
    ordered = sorted(load_figures(), key=lambda figure: SOURCES.index(figure.source))
    return [by_figure[figure] for figure in ordered]


SOURCES = list(dict.fromkeys(figure.source for figure in load_figures()))


def _build_figure_table(source: str, judged: list[FigureVerdict], context: Context) -> Table:
    return Table(
        title=source,
        columns=(
            Column(key="model", heading="network"),
            Column(key="quantity", heading="figure of"),
            Column(key="printed", heading="printed"),
            Column(key="exact", heading="exact", kind="count"),
            Column(key="share", heading="exact ratio", kind="fine share",
                   audience="all" if any(verdict.figure.relative_to for verdict in judged) else "programs"),
            Column(key="agrees", heading="agrees"),
            Column(key="why", heading="why"),
            Column(key="reference", heading="where"),
        ),
        rows=tuple(
            {
                "model": verdict.figure.model,
                "quantity": _describe_quantity(verdict.figure),
                "printed": format_with_unit(verdict.figure),
                "exact": verdict.exact if isinstance(verdict.exact, int) else None,
                "share": verdict.exact if isinstance(verdict.exact, Fraction) else None,
                "agrees": AGREES[verdict.agreement],
                "why": _explain_verdict(verdict, context),
                "reference": verdict.figure.reference,
            }
            for verdict in judged
        ),
    )  # fmt: skip


def _describe_quantity(figure: PublishedFigure) -> str:
    what = {"macs": "MACs", "params": "parameters", "params+buffers": "parameters and statistics"}
    scope = f" of {figure.scope}" if figure.scope else ""
    return f"{what[figure.quantity]}{scope}" + (f" / {figure.relative_to}" if figure.relative_to else "")


def _explain_verdict(verdict: FigureVerdict, context: Context) -> str:
    """Explain what the verdict alone does not say."""
    figure = verdict.figure
    if figure.reason:
        return figure.reason
    if verdict.agreement == "approximate":
        difference = float((verdict.exact - Fraction(figure.value)) / Fraction(figure.value))
        return f"ours is {share(abs(difference))} {'more' if difference > 0 else 'less'}"
    if figure.scope == "convolutions":
        return "without the fully connected layers"
    if verdict.agreement == "truncated":
        nearest = float(round_to_place(verdict, Fraction(1, 2)) / _compute_scale(figure))
        return f"the nearest would be {nearest:g}"
    return context.entry(figure.model).variant if figure.quantity == "macs" else ""


def _compute_scale(figure: PublishedFigure) -> Fraction:
    """Compute what the printed digits count: billions, millions, hundredths."""
    digits = Fraction(figure.value) / Fraction(figure.place)
    written = Fraction(figure.printed.strip("~").split()[0].split("×")[0].rstrip("kM%").replace(",", ""))
    return Fraction(figure.place) * digits / written
