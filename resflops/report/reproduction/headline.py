"""The networks of the paper's sentence, and where in them the work is."""

from fractions import Fraction

from msgspec import Struct

from resflops.cost import Cost
from resflops.report.context import Context
from resflops.report.pictures.stages import FULLY_CONNECTED, Part, Stages
from resflops.report.reproduction.wording import AGREES, PAPER, build_text_figures, find_verdicts
from resflops.tables import Column, Note, Table
from resflops.tables.table import Row

__all__ = ["LargeMaps", "build_headline_table", "build_stage_table", "find_large_maps"]


def build_headline_table(context: Context, specs: tuple[str, ...]) -> Table:
    """Build the table of the networks of the paper's sentence, in every quantity that cost may mean."""
    costs = [context.cost(spec) for spec in specs]
    most_expensive = max(costs, key=lambda cost: cost.macs)
    judged = {cost.model: find_verdicts(context, cost.model) for cost in costs}
    return Table(
        title=f"The networks of the sentence; input {_format_input(most_expensive)}, "
        f"convention {most_expensive.convention}",
        columns=(
            Column(key="model", heading="network"),
            Column(key="macs", heading="MACs", kind="count"),
            Column(key="printed", heading="printed", kind="lines"),
            Column(key="part", heading=f"of {most_expensive.model}", kind="fine share"),
            Column(key="times", heading=f"{most_expensive.model} is", kind="times"),
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
                "part": Fraction(cost.macs, most_expensive.macs),
                "times": Fraction(most_expensive.macs, cost.macs),
                "params": cost.params,
                "activations": sum(row.activations for row in cost.layers),
            }
            for cost in costs
        ),
        notes=(
            Note(text="Printed by {paper}.", figures=build_text_figures(paper=PAPER)),
            Note(text="Activations are the elements that the layers write, those of ReLU and pooling too."),
        ),
    )


def build_stage_table(stages: Stages, first: str, second: str, third: str) -> Table:
    """Build the table of three networks at each size of the feature maps; ``times`` is third over first."""
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
            *_build_part_columns(first, stages.unit),
            Column(key=f"{second}_total", heading=f"{second}: {stages.unit}", kind="count"),
            *_build_part_columns(third, stages.unit),
            Column(key="times", heading=f"{third} against {first}", kind="times"),
        ),
        rows=tuple(
            {
                "size": size,
                **{
                    f"{model}_{key}": value
                    for model in (first, second, third)
                    if (model, size) in parts
                    for key, value in _build_part_cells(*parts[model, size]).items()
                },
                "times": _compute_ratio(parts.get((third, size)), parts.get((first, size))),
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


def _build_part_columns(model: str, unit: str) -> tuple[Column, ...]:
    return (
        Column(key=f"{model}_stages", heading=f"{model}: stage", kind="names"),
        Column(key=f"{model}_layers", heading="layers", kind="count"),
        Column(key=f"{model}_total", heading=unit, kind="count"),
        Column(key=f"{model}_share", heading="share", kind="share"),
    )


def _build_part_cells(total: int, part: Part) -> Row:
    return {
        "stages": part.stages,
        "layers": part.layers,
        "total": part.total,
        "share": part.total / total,
    }


def _compute_ratio(over: tuple[int, Part] | None, under: tuple[int, Part] | None) -> Fraction | None:
    return Fraction(over[1].total, under[1].total) if over and under else None


class LargeMaps(Struct, frozen=True, kw_only=True):
    """The feature maps that make the difference between two networks."""

    size: str
    """The smallest of them."""
    first: float
    """Of the first network's work, what it does on maps of this size and larger."""
    third: float


def find_large_maps(stages: Stages, first: str, third: str) -> LargeMaps:
    """Find the sizes down to the last at which the ratio of the two is above their ratio as a whole."""
    networks = {network.model: network for network in stages.models}
    totals = {
        model: {part.size: part.total for part in networks[model].parts if part.size != FULLY_CONNECTED}
        for model in (first, third)
    }
    overall = Fraction(networks[third].total, networks[first].total)
    # The fully connected layers are on no feature map, so neither network has them here.
    both = [size for size in stages.sizes if size in totals[first] and size in totals[third]]
    size = [size for size in both if Fraction(totals[third][size], totals[first][size]) > overall][-1]
    upto = stages.sizes[: stages.sizes.index(size) + 1]
    shares = {
        model: sum(totals[model].get(each, 0) for each in upto) / networks[model].total
        for model in (first, third)
    }
    return LargeMaps(size=size, first=shares[first], third=shares[third])


def _format_input(cost: Cost) -> str:
    return "×".join(map(str, cost.trace.inputs[0].shape))
