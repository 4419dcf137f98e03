"""The story of the paper's own table: how its figures were written, and what they are of."""

from fractions import Fraction

from msgspec import Struct

from resflops.models.published import judge_agreement, load_figures
from resflops.ops import is_of_family
from resflops.report.context import Context
from resflops.report.reproduction.wording import (
    AGREES,
    PAPER,
    find_printed_verdict,
    find_verdicts,
    format_with_unit,
    round_to_place,
)
from resflops.tables import Column, Table
from resflops.tables.published_figures import FigureVerdict

__all__ = [
    "OPTIONS",
    "RoundingFits",
    "build_fully_connected_table",
    "build_keras_table",
    "build_rounding_table",
    "build_shortcut_table",
    "build_stride_placement_table",
    "build_strided_layers_table",
    "count_rounding_fits",
]


def build_rounding_table(context: Context) -> Table:
    """Build the table of the FLOPs of the paper's Table 1: rounded, cut off, and as printed."""
    return Table(
        title=f"{PAPER}, Table 1: FLOPs, which are MACs",
        columns=(
            Column(key="model", heading="network"),
            Column(key="exact", heading="exact MACs", kind="count"),
            Column(key="rounded", heading="rounded"),
            Column(key="cut", heading="cut off"),
            Column(key="printed", heading="printed"),
            Column(key="agrees", heading="so it was"),
        ),
        rows=tuple(
            {
                "model": verdict.figure.model,
                "exact": verdict.exact,
                "rounded": _format_billions(verdict, Fraction(1, 2)),
                "cut": _format_billions(verdict, Fraction(0)),
                "printed": verdict.figure.printed,
                "agrees": AGREES[verdict.agreement],
            }
            for verdict in _judge_table_one(context)
        ),
    )


class RoundingFits(Struct, frozen=True, kw_only=True):
    """How many figures of the paper's Table 1 each way of writing them reproduces."""

    figures: int
    rounding: int
    cutting: int
    neither: int


def count_rounding_fits(context: Context) -> RoundingFits:
    """Count how many of those figures each way of writing them reproduces."""
    judged = _judge_table_one(context)
    found = [
        {way for way, half in (("rounding", Fraction(1, 2)), ("cutting", Fraction(0)))
         if round_to_place(verdict, half) == verdict.figure.value}
        for verdict in judged
    ]  # fmt: skip
    return RoundingFits(
        figures=len(judged),
        rounding=sum("rounding" in ways for ways in found),
        cutting=sum("cutting" in ways for ways in found),
        neither=sum(not ways for ways in found),
    )


def _judge_table_one(context: Context) -> list[FigureVerdict]:
    printed = [figure for figure in load_figures() if figure.reference.endswith("1512.03385, Table 1")]
    return [
        verdict
        for figure in printed
        for verdict in find_verdicts(context, figure.model)
        if verdict.figure == figure
    ]


def _format_billions(verdict: FigureVerdict, half: Fraction) -> str:
    return f"{float(round_to_place(verdict, half) / 10**9):.1f}×10⁹"


def build_stride_placement_table(context: Context) -> Table:
    """Build the table of the deep ResNets as in the paper, and as nearly everyone runs them."""
    rows = []
    for name in ("resnet50", "resnet101", "resnet152"):
        paper, today = context.cost(name), context.cost(f"{name}_v1_5")
        rows.append(
            {
                "model": name,
                "paper": paper.macs,
                "paper_printed": _list_printed(context, name),
                "today": today.macs,
                "today_printed": _list_printed(context, today.model),
                "more": today.macs - paper.macs,
                "share": Fraction(today.macs - paper.macs, paper.macs),
                "params": today.params - paper.params,
            }
        )
    return Table(
        title="Position of the stride, MACs",
        columns=(
            Column(key="model", heading="network"),
            Column(key="paper", heading="v1: stride in the first 1×1", kind="count"),
            Column(key="paper_printed", heading="printed", kind="lines"),
            Column(key="today", heading="v1.5: stride in the 3×3", kind="count"),
            Column(key="today_printed", heading="printed", kind="lines"),
            Column(key="more", heading="more", kind="count"),
            Column(key="share", heading="more", kind="fine share"),
            Column(key="params", heading="more parameters", kind="count"),
        ),
        rows=tuple(rows),
    )


def build_strided_layers_table(context: Context) -> Table:
    """Build the table of the layers of ResNet-50 that the place of the stride makes more expensive."""
    paper = {row.name: row for row in context.cost("resnet50").layers}
    today = {row.name: row for row in context.cost("resnet50_v1_5").layers if row.macs}
    changed = [(paper[name], row) for name, row in today.items() if paper[name].macs != row.macs]
    return Table(
        title="The layers of ResNet-50 that cost more, MACs",
        columns=(
            Column(key="name", heading="layer"),
            Column(key="before", heading="v1"),
            Column(key="after", heading="v1.5"),
            Column(key="more", heading="more", kind="count"),
        ),
        rows=tuple(
            {"name": old.name, "before": old.formula, "after": new.formula, "more": new.macs - old.macs}
            for old, new in changed
        ),
        total={"name": "all", "more": sum(new.macs - old.macs for old, new in changed)},
    )


def build_fully_connected_table(context: Context) -> Table:
    """Build the table of VGG's two figures in the paper: without and with the fully connected layers."""
    rows = []
    for name in ("vgg16", "vgg19"):
        cost = context.cost(name)
        convolutions = sum(row.macs for row in cost.layers if is_of_family(row.op, "convolution"))
        figure = find_printed_verdict(context, name).figure
        rows.append(
            {
                "model": name,
                "convolutions": convolutions,
                "connected": cost.macs - convolutions,
                "total": cost.macs,
                "printed": figure.printed,
                "without": AGREES[judge_agreement(figure, convolutions)],
                "with": AGREES[judge_agreement(figure, cost.macs)],
            }
        )
    return Table(
        title="VGG with and without its fully connected layers, MACs",
        columns=(
            Column(key="model", heading="network"),
            Column(key="convolutions", heading="convolutions", kind="count"),
            Column(key="connected", heading="fully connected", kind="count"),
            Column(key="total", heading="all", kind="count"),
            Column(key="printed", heading="printed"),
            Column(key="without", heading="convolutions alone agree"),
            Column(key="with", heading="all agrees"),
        ),
        rows=tuple(rows),
    )


def build_keras_table(context: Context) -> Table:
    """Build the table of what Keras prints as total parameters, taken apart."""
    rows = []
    for figure in load_figures():
        cost = context.cost(figure.model)
        if figure.quantity == "params+buffers" and cost.buffers:
            exact = cost.params + cost.buffers
            rows.append(
                {
                    "model": figure.model,
                    "params": cost.params,
                    "buffers": cost.buffers,
                    "sum": exact,
                    "printed": figure.printed,
                    "agrees": AGREES[judge_agreement(figure, exact)],
                }
            )
    return Table(
        title="“Total params” of Keras Applications",
        columns=(
            Column(key="model", heading="network"),
            Column(key="params", heading="parameters", kind="count"),
            Column(key="buffers", heading="moving statistics", kind="count"),
            Column(key="sum", heading="together", kind="count"),
            Column(key="printed", heading="Keras prints"),
            Column(key="agrees", heading="agrees"),
        ),
        rows=tuple(rows),
    )


def build_shortcut_table(context: Context) -> Table:
    """Build the table of ResNet-34 under the paper's three ways of widening a shortcut."""
    figure = find_printed_verdict(context, "resnet34").figure
    costs = {option: context.cost(f"resnet34,shortcut={option}") for option in "ABC"}
    return Table(
        title=f"ResNet-34 under each option; {PAPER} print {figure.printed}",
        columns=(
            Column(key="option", heading="option"),
            Column(key="what", heading="shortcut"),
            Column(key="macs", heading="MACs", kind="count"),
            Column(key="more", heading="more than A", kind="count"),
            Column(key="params", heading="parameters", kind="count"),
            Column(key="agrees", heading="printed figure agrees"),
        ),
        rows=tuple(
            {
                "option": option,
                "what": OPTIONS[option],
                "macs": cost.macs,
                "more": cost.macs - costs["A"].macs,
                "params": cost.params,
                "agrees": AGREES[judge_agreement(figure, cost.macs)],
            }
            for option, cost in costs.items()
        ),
    )


OPTIONS = {
    "A": "identity, new channels filled with zeros",
    "B": "1×1 convolution where the shape changes, identity elsewhere",
    "C": "1×1 convolution in every block",
}


def _list_printed(context: Context, model: str) -> tuple[str, ...]:
    """List what was printed for the MACs of a model as a whole, with how it agrees."""
    return tuple(
        f"{format_with_unit(verdict.figure)} ({verdict.figure.source}): {AGREES[verdict.agreement]}"
        for verdict in find_verdicts(context, model)
        if verdict.figure.quantity == "macs" and not (verdict.figure.scope or verdict.figure.relative_to)
    )
