"""The tables of the reproduction: printed figures beside exact ones, and what explains them."""

from collections import Counter
from fractions import Fraction
from itertools import groupby
from math import floor

from msgspec import Struct

from resflops.cost import Cost
from resflops.published import Agreement, PublishedFigure, agreement, figures_of, published_figures
from resflops.render.formats import share
from resflops.report.material import Material
from resflops.report.pictures.stages import FULLY_CONNECTED, Part, Stages
from resflops.tables import Column, Figure, Note, Table, Verdict, verdicts
from resflops.tables.table import Row

__all__ = [
    "AGREES",
    "PAPER",
    "Fits",
    "LargeMaps",
    "figure_tables",
    "fits",
    "fully_connected_table",
    "keras_table",
    "large_maps",
    "places_table",
    "printed_verdict",
    "sentence_table",
    "shortcut_table",
    "stage_table",
    "stride_table",
    "strided_layers_table",
    "tally",
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


def sentence_table(material: Material, specs: tuple[str, ...]) -> Table:
    """The networks of the paper's sentence, in every quantity that one may mean by cost."""
    costs = [material.cost(spec) for spec in specs]
    dearest = max(costs, key=lambda cost: cost.macs)
    judged = {cost.model: _judged(material, cost.model) for cost in costs}
    return Table(
        title=f"The networks of the sentence; input {_input(dearest)}, convention {dearest.convention}",
        columns=(
            Column(key="model", heading="network"),
            Column(key="macs", heading="MACs (macs)", kind="count"),
            Column(key="printed", heading="printed", kind="lines"),
            Column(key="part", heading=f"of {dearest.model}", kind="fine share"),
            Column(key="times", heading=f"{dearest.model} is", kind="times"),
            Column(key="params", heading="parameters", kind="count"),
            Column(key="activations", heading="activations", kind="count"),
        ),
        rows=tuple(
            {
                "model": cost.model,
                "macs": cost.macs,
                "printed": tuple(
                    f"{verdict.figure.printed}: {AGREES[verdict.agreement]}"
                    for verdict in judged[cost.model]
                    if verdict.figure.quantity == "macs"
                ),
                "part": Fraction(cost.macs, dearest.macs),
                "times": Fraction(dearest.macs, cost.macs),
                "params": cost.params,
                "activations": sum(row.activations for row in cost.layers),
            }
            for cost in costs
        ),
        notes=(
            Note(text="Printed by {paper}.", figures=_texts(paper=PAPER)),
            Note(text="Activations are the elements that the layers write, those of ReLU and pooling too."),
        ),
    )


def stage_table(stages: Stages, first: str, second: str, third: str) -> Table:
    """Three networks at each size of the feature maps, and how the first stands to the third."""
    parts = {
        (network.model, part.size): (network.total, part)
        for network in stages.models
        for part in network.parts
    }
    totals = {network.model: network.total for network in stages.models}
    return Table(
        title=f"Stage by stage, {stages.unit}",
        columns=(
            Column(key="size", heading="feature maps"),
            *_part_columns(first, stages.unit),
            Column(key=f"{second}_total", heading=f"{second}: {stages.unit}", kind="count"),
            *_part_columns(third, stages.unit),
            Column(key="times", heading=f"{third} against {first}", kind="times"),
        ),
        rows=tuple(
            {
                "size": size,
                **{
                    f"{model}_{key}": value
                    for model in (first, second, third)
                    if (model, size) in parts
                    for key, value in _part_cells(*parts[model, size]).items()
                },
                "times": _ratio(parts.get((third, size)), parts.get((first, size))),
            }
            for size in stages.sizes
        ),
        total={
            "size": "all",
            **{
                f"{network.model}_{key}": value
                for network in stages.models
                for key, value in (
                    ("layers", sum(part.layers for part in network.parts)),
                    ("total", network.total),
                    ("share", 1.0),
                )
            },
            "times": Fraction(totals[third], totals[first]),
        },
    )  # fmt: skip


def _part_columns(model: str, unit: str) -> tuple[Column, ...]:
    return (
        Column(key=f"{model}_stages", heading=f"{model}: stage", kind="names"),
        Column(key=f"{model}_layers", heading="layers", kind="count"),
        Column(key=f"{model}_total", heading=unit, kind="count"),
        Column(key=f"{model}_share", heading="share", kind="share"),
    )


def _part_cells(total: int, part: Part) -> Row:
    return {
        "stages": part.stages,
        "layers": part.layers,
        "total": part.total,
        "share": part.total / total,
    }


def _ratio(over: tuple[int, Part] | None, under: tuple[int, Part] | None) -> Fraction | None:
    return Fraction(over[1].total, under[1].total) if over and under else None


class LargeMaps(Struct, frozen=True, kw_only=True):
    """The feature maps that make the difference between two networks."""

    size: str
    """The smallest of them."""
    first: float
    """Of the first network's work, what it does on maps of this size and larger."""
    third: float


def large_maps(stages: Stages, first: str, third: str) -> LargeMaps:
    """The sizes down to the last at which one network takes more of the other than it does in all."""
    networks = {network.model: network for network in stages.models}
    totals = {
        model: {part.size: part.total for part in networks[model].parts if part.size != FULLY_CONNECTED}
        for model in (first, third)
    }
    overall = Fraction(networks[third].total, networks[first].total)
    both = [size for size in stages.sizes if size in totals[first] and size in totals[third]]
    size = [size for size in both if Fraction(totals[third][size], totals[first][size]) > overall][-1]
    upto = stages.sizes[: stages.sizes.index(size) + 1]
    shares = {
        model: sum(totals[model].get(each, 0) for each in upto) / networks[model].total
        for model in (first, third)
    }
    return LargeMaps(size=size, first=shares[first], third=shares[third])


class Fits(Struct, frozen=True, kw_only=True):
    """How many of the figures in the paper's Table 1 each way of writing them gives."""

    figures: int
    rounding: int
    cutting: int
    neither: int


def places_table(material: Material) -> Table:
    """The FLOPs of the paper's Table 1: rounded, cut off, and as printed."""
    return Table(
        title=f"{PAPER}, Table 1: FLOPs, which are MACs",
        columns=(
            Column(key="model", heading="network"),
            Column(key="exact", heading="exact MACs (macs)", kind="count"),
            Column(key="rounded", heading="rounded"),
            Column(key="cut", heading="cut off"),
            Column(key="printed", heading="printed"),
            Column(key="agrees", heading="so it was"),
        ),
        rows=tuple(
            {
                "model": verdict.figure.model,
                "exact": verdict.exact,
                "rounded": _places(verdict, Fraction(1, 2)),
                "cut": _places(verdict, Fraction(0)),
                "printed": verdict.figure.printed,
                "agrees": AGREES[verdict.agreement],
            }
            for verdict in _table_one(material)
        ),
    )


def fits(material: Material) -> Fits:
    """Which way of writing gives how many of those figures."""
    judged = _table_one(material)
    found = [
        {way for way, half in (("rounding", Fraction(1, 2)), ("cutting", Fraction(0)))
         if _to_place(verdict, half) == verdict.figure.value}
        for verdict in judged
    ]  # fmt: skip
    return Fits(
        figures=len(judged),
        rounding=sum("rounding" in ways for ways in found),
        cutting=sum("cutting" in ways for ways in found),
        neither=sum(not ways for ways in found),
    )


def _table_one(material: Material) -> list[Verdict]:
    printed = [figure for figure in published_figures() if figure.reference.endswith("1512.03385, Table 1")]
    return [
        verdict
        for figure in printed
        for verdict in _judged(material, figure.model)
        if verdict.figure == figure
    ]


def _to_place(verdict: Verdict, half: Fraction) -> Fraction:
    place = Fraction(verdict.figure.place)
    return floor(verdict.exact / place + half) * place


def _places(verdict: Verdict, half: Fraction) -> str:
    return f"{float(_to_place(verdict, half) / 10**9):.1f}×10⁹"


def stride_table(material: Material) -> Table:
    """The deep ResNets as in the paper, and as everyone runs them."""
    rows = []
    for name in ("resnet50", "resnet101", "resnet152"):
        paper, today = material.cost(name), material.cost(f"{name}_v1_5")
        rows.append(
            {
                "model": name,
                "paper": paper.macs,
                "paper_printed": _printed(material, name),
                "today": today.macs,
                "today_printed": _printed(material, today.model),
                "more": today.macs - paper.macs,
                "share": Fraction(today.macs - paper.macs, paper.macs),
                "params": today.params - paper.params,
            }
        )
    return Table(
        title="Where the stride stands, MACs (macs)",
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


def strided_layers_table(material: Material) -> Table:
    """The layers of ResNet-50 that the place of the stride makes dearer."""
    paper = {row.name: row for row in material.cost("resnet50").layers}
    today = {row.name: row for row in material.cost("resnet50_v1_5").layers if row.macs}
    changed = [(paper[name], row) for name, row in today.items() if paper[name].macs != row.macs]
    return Table(
        title="The layers of ResNet-50 that cost another amount, MACs (macs)",
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


def fully_connected_table(material: Material) -> Table:
    """VGG's two figures in the paper: one without, one with the fully connected layers."""
    rows = []
    for name in ("vgg16", "vgg19"):
        cost = material.cost(name)
        convolutions = sum(row.macs for row in cost.layers if row.op.startswith("conv"))
        figure = printed_verdict(material, name).figure
        rows.append(
            {
                "model": name,
                "convolutions": convolutions,
                "connected": cost.macs - convolutions,
                "total": cost.macs,
                "printed": figure.printed,
                "without": AGREES[agreement(figure, convolutions)],
                "with": AGREES[agreement(figure, cost.macs)],
            }
        )
    return Table(
        title="VGG with and without its fully connected layers, MACs (macs)",
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


def keras_table(material: Material) -> Table:
    """What Keras prints as total parameters, taken apart."""
    rows = []
    for figure in published_figures():
        cost = material.cost(figure.model)
        if figure.quantity == "params+buffers" and cost.buffers:
            exact = cost.params + cost.buffers
            rows.append(
                {
                    "model": figure.model,
                    "params": cost.params,
                    "buffers": cost.buffers,
                    "sum": exact,
                    "printed": figure.printed,
                    "agrees": AGREES[agreement(figure, exact)],
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


def shortcut_table(material: Material) -> Table:
    """ResNet-34 under the paper's three ways of widening a shortcut."""
    figure = printed_verdict(material, "resnet34").figure
    costs = {option: material.cost(f"resnet34,shortcut={option}") for option in "ABC"}
    return Table(
        title=f"ResNet-34 under each option; {PAPER} print {figure.printed}",
        columns=(
            Column(key="option", heading="option"),
            Column(key="what", heading="shortcut"),
            Column(key="macs", heading="MACs (macs)", kind="count"),
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
                "agrees": AGREES[agreement(figure, cost.macs)],
            }
            for option, cost in costs.items()
        ),
    )


OPTIONS = {
    "A": "identity, new channels filled with zeros",
    "B": "1×1 convolution where the shape changes, identity elsewhere",
    "C": "1×1 convolution in every block",
}


def figure_tables(material: Material) -> list[Table]:
    """Every published figure, a table for each source, in the order of the record."""
    judged = _all_judged(material)
    return [
        _figure_table(source, list(group), material)
        for source, group in groupby(judged, key=lambda verdict: verdict.figure.source)
    ]


def tally(material: Material) -> Table:
    """How many figures agree, and how."""
    found = Counter(verdict.agreement for verdict in _all_judged(material))
    return Table(
        title="How the published figures agree with ours",
        columns=(
            Column(key="agrees", heading="agrees"),
            Column(key="figures", heading="figures", kind="count"),
        ),
        rows=tuple({"agrees": text, "figures": found[key]} for key, text in AGREES.items()),
        total={"agrees": "all", "figures": sum(found.values())},
    )


def printed_verdict(material: Material, model: str, *, relative_to: str = "", source: str = PAPER) -> Verdict:
    """The one figure that a source prints of a model's MACs, or of their ratio to another's."""
    (verdict,) = (
        verdict
        for verdict in _judged(material, model)
        if (verdict.figure.source, verdict.figure.quantity) == (source, "macs")
        and (verdict.figure.relative_to, verdict.figure.scope in {"", "convolutions"}) == (relative_to, True)
    )
    return verdict


def _all_judged(material: Material) -> list[Verdict]:
    by_figure = {
        verdict.figure: verdict
        for model in dict.fromkeys(figure.model for figure in published_figures())
        for verdict in _judged(material, model)
    }
    ordered = sorted(published_figures(), key=lambda figure: SOURCES.index(figure.source))
    return [by_figure[figure] for figure in ordered]


SOURCES = list(dict.fromkeys(figure.source for figure in published_figures()))


def _judged(material: Material, model: str) -> tuple[Verdict, ...]:
    others = {figure.relative_to for figure in figures_of(model)} - {""}
    return verdicts(material.entry(model), among={other: material.cost(other) for other in others})


def _figure_table(source: str, judged: list[Verdict], material: Material) -> Table:
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
                "quantity": _quantity(verdict.figure),
                "printed": _with_unit(verdict.figure),
                "exact": verdict.exact if isinstance(verdict.exact, int) else None,
                "share": verdict.exact if isinstance(verdict.exact, Fraction) else None,
                "agrees": AGREES[verdict.agreement],
                "why": _why(verdict, material),
                "reference": verdict.figure.reference,
            }
            for verdict in judged
        ),
    )  # fmt: skip


def _quantity(figure: PublishedFigure) -> str:
    what = {"macs": "MACs (macs)", "params": "parameters", "params+buffers": "parameters and statistics"}
    scope = f" of {figure.scope}" if figure.scope else ""
    return f"{what[figure.quantity]}{scope}" + (f" / {figure.relative_to}" if figure.relative_to else "")


def _with_unit(figure: PublishedFigure) -> str:
    return f"{figure.printed} {figure.unit.removesuffix('s')}".rstrip()


def _why(verdict: Verdict, material: Material) -> str:
    """What the verdict alone does not say."""
    figure = verdict.figure
    if figure.reason:
        return figure.reason
    if verdict.agreement == "approximate":
        apart = float((verdict.exact - Fraction(figure.value)) / Fraction(figure.value))
        return f"ours is {share(abs(apart))} {'more' if apart > 0 else 'less'}"
    if figure.scope == "convolutions":
        return "without the fully connected layers"
    if verdict.agreement == "truncated":
        nearest = float(_to_place(verdict, Fraction(1, 2)) / _scale(figure))
        return f"the nearest would be {nearest:g}"
    return material.entry(figure.model).variant if figure.quantity == "macs" else ""


def _scale(figure: PublishedFigure) -> Fraction:
    """What the printed digits stand for one of: a billion, a million, a hundredth."""
    digits = Fraction(figure.value) / Fraction(figure.place)
    written = Fraction(figure.printed.strip("~").split()[0].split("×")[0].rstrip("kM%").replace(",", ""))
    return Fraction(figure.place) * digits / written


def _printed(material: Material, model: str) -> tuple[str, ...]:
    """What was printed of a model's MACs as a whole, with how it agrees."""
    return tuple(
        f"{_with_unit(verdict.figure)} ({verdict.figure.source}): {AGREES[verdict.agreement]}"
        for verdict in _judged(material, model)
        if verdict.figure.quantity == "macs" and not (verdict.figure.scope or verdict.figure.relative_to)
    )


def _input(cost: Cost) -> str:
    return "×".join(map(str, cost.trace.inputs[0].shape))


def _texts(**values: str) -> dict[str, Figure]:
    return {name: Figure("text", value) for name, value in values.items()}
