"""Published figures beside ours: whether they agree, and what notes say of them."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct, to_builtins

from resflops.cost import Cost
from resflops.models.published import Agreement, PublishedFigure, judge_agreement
from resflops.ops import is_of_family
from resflops.records import Shape
from resflops.tables.entries import Entry, list_input_shapes
from resflops.tables.table import Figure, Note, Row

__all__ = [
    "FigureVerdict",
    "describe_figure",
    "encode_verdict",
    "is_about",
    "judge_all",
    "judge_figures",
    "note_verdict",
]


class FigureVerdict(Struct, frozen=True, kw_only=True):
    """A published figure beside ours, and whether they agree."""

    figure: PublishedFigure
    exact: int | Fraction
    agreement: Agreement
    other: str = ""
    """What the other model of a ratio is called in this table."""


def judge_all(entries: Sequence[Entry]) -> list[tuple[FigureVerdict, ...]]:
    """Judge the figures of every model, each among the models on the same input."""
    costs: dict[tuple[Shape, ...], dict[str, Cost]] = {}
    for one in entries:
        # By spec, which a published figure names the other model of its ratio by.
        costs.setdefault(list_input_shapes(one.cost), {})[one.spec or one.cost.model] = one.cost
    return [judge_figures(one, among=costs[list_input_shapes(one.cost)]) for one in entries]


def judge_figures(one: Entry, *, among: Mapping[str, Cost]) -> tuple[FigureVerdict, ...]:
    """Judge the published figures of a model; a ratio can be judged only if the other model is there.

    Args:
        one: the model.
        among: the costs at hand by their models, in which a ratio finds its other one.
    """
    judged = []
    for figure in one.figures:
        if figure.quantity == "macs" and one.cost.convention != "macs":
            continue
        exact: int | Fraction = _count_exactly(one.cost, figure)
        name = ""
        if figure.relative_to:
            other = among.get(figure.relative_to)
            # Counts on unlike inputs have a ratio, but not the one that was printed.
            if other is None or list_input_shapes(other) != list_input_shapes(one.cost):
                continue
            exact, name = Fraction(exact, _count_exactly(other, figure)), other.model
        agreement = judge_agreement(figure, exact)
        judged.append(FigureVerdict(figure=figure, exact=exact, agreement=agreement, other=name))
    return tuple(judged)


def _count_exactly(cost: Cost, figure: PublishedFigure) -> int:
    """Count exactly what a published figure counts."""
    within = _build_scope_test(figure.scope)
    rows = [row for row in cost.layers if within(row.name, row.op)]
    if figure.quantity == "macs":
        return sum(row.macs for row in rows)
    buffers = (
        tensor.elements
        for module in cost.trace.modules
        if figure.quantity == "params+buffers" and within(module.path, "")
        for tensor in module.buffers
        if not tensor.tied_to
    )
    return sum(row.params for row in rows) + sum(buffers)


def _build_scope_test(scope: str) -> Callable[[str, str], bool]:
    """Build the test that tells whether an op of a layer is in the part that a figure is about."""
    if scope == "convolutions":
        return lambda _, op: is_of_family(op, "convolution")
    return lambda layer, _: not scope or layer == scope or layer.startswith(f"{scope}.")


_OURS: dict[Agreement, str] = {
    "exact": "exactly ours",
    "rounded": "ours rounded",
    "truncated": "ours truncated",
    "approximate": "about ours",
    "differs": "ours differs",
}


def is_about(verdict: FigureVerdict, quantity: str) -> bool:
    """Tell whether a figure stands in the column of a quantity; figures of parts are for programs."""
    figure = verdict.figure
    return figure.quantity == quantity and not figure.relative_to and figure.scope in {"", "convolutions"}


def describe_figure(verdict: FigureVerdict) -> str:
    """Write a published figure in a cell, with its source and how ours agrees."""
    figure = verdict.figure
    unit = f" {figure.unit.removesuffix('s')}" if figure.unit else ""
    part = f" ({figure.scope} alone)" if figure.scope else ""
    return f"{figure.printed}{unit}{part}, {figure.source}: {_OURS[verdict.agreement]}"


def encode_verdict(verdict: FigureVerdict) -> Row:
    """Encode a published figure for programs."""
    exact = verdict.exact
    return {
        **to_builtins(verdict.figure),
        "exact": exact if isinstance(exact, int) else float(exact),
        "agreement": verdict.agreement,
    }


def note_verdict(verdict: FigureVerdict, one: Entry) -> list[Note]:
    """Note what a cell has no room for: ratios, sums, parts, and reasons for a difference."""
    figure, texts = verdict.figure, to_builtins(verdict.figure)
    given = {name: Figure("text", text) for name, text in texts.items()}
    given["ours"] = Figure("text", _OURS[verdict.agreement])
    given |= {"model": Figure("text", one.cost.model), "relative_to": Figure("text", verdict.other)}
    if figure.relative_to:
        given["exact"] = Figure("fine share", verdict.exact)
        text = "{source} print {printed} for {model} relative to {relative_to}; exact is {exact}: {ours}."
    elif figure.quantity == "params+buffers":
        if not one.cost.buffers:
            return []
        given |= {
            "params": Figure("count", one.cost.params),
            "buffers": Figure("count", one.cost.buffers),
            "exact": Figure("count", verdict.exact),
        }
        text = "{model}: {params} parameters + {buffers} buffers = {exact}; {source} print {printed}: {ours}."
    elif figure.reason:
        text = "{model}: {source} print {printed}, and ours differs: {reason}."
    elif figure.scope == "convolutions":
        given["exact"] = Figure("count", verdict.exact)
        text = "{model}: {source} print {printed} for the convolutions alone, which have {exact}: {ours}."
    else:
        return []
    return [Note(text=text, figures=given)]
