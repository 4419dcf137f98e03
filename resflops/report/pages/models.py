"""Model cards of cost, and pictures that set the networks side by side."""

from msgspec.structs import replace

from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.models.catalog import NETWORKS
from resflops.render.formats import shape
from resflops.report.context import Context
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.picture import Picture
from resflops.report.pictures import profile, resolution, scatter
from resflops.report.timed import find_latencies
from resflops.tables import Column, Note, Table
from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import build_comparison
from resflops.tables.table import format_cost_heading

__all__ = ["CARDS", "PAGE", "build_convention_comparison"]

PATH = "models/README.md"

CARDS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "plain34", "vgg16", "vgg19",
    "resnet20", "resnet56", "resnet110",
)  # fmt: skip
"""The networks that the ResNet paper speaks of."""

DRAWN = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "vgg11", "vgg13", "vgg16", "vgg19",
    "resnext50_32x4d", "resnext101_32x4d", "resnext101_64x4d",
    "wide_resnet50_2",
)  # fmt: skip
"""The networks on ImageNet that the picture of cost against parameters shows."""

GROWING = ("resnet34", "resnet152", "vgg16", "vgg19")
SIDES = (64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)

CONVENTIONS = ("macs", "formula", "flops")
"""The conventions that are not another counter's."""


def build_convention_comparison(costs: list[Cost]) -> Table:
    """Build the table of models under each convention; of two models with the second's ratio to the first."""
    rows = []
    for name in CONVENTIONS:
        totals = [cost.under(name).total for cost in costs]
        rows.append(
            {
                "convention": name,
                "counts": find_convention(name).counts,
                **{cost.model: total for cost, total in zip(costs, totals, strict=True)},
                **({"ratio": totals[1] / totals[0]} if len(totals) == 2 else {}),
            }
        )
    return Table(
        title=f"Cost under each convention, input {_format_input(costs[0])}",
        columns=(
            Column(key="convention", heading="convention"),
            *(Column(key=cost.model, heading=cost.model, kind="count") for cost in costs),
            *([Column(key="ratio", heading="ratio", kind="times")] if len(costs) == 2 else []),
            Column(key="counts", heading="what it counts"),
        ),
        rows=tuple(rows),
    )


def build_scatter_picture(context: Context) -> Picture:
    """Build the picture of cost against parameters."""
    costs = [context.cost(name) for name in DRAWN]
    measured, seconds = find_latencies(list(context.measurements.values()), costs)
    return Picture(
        name="cost-against-parameters",
        data=scatter.Scatter(
            unit=_format_unit(),
            measured=measured,
            points=tuple(
                scatter.Point(
                    model=cost.model,
                    family=NETWORKS[cost.model].family,
                    params=cost.params,
                    total=cost.macs,
                    seconds=seconds.get(cost.model),
                )
                for cost in costs
            ),
        ),
        draw=scatter.draw,
        alt="Multiply-accumulates against parameters of ResNets, ResNeXts and VGGs on ImageNet, "
        "both axes logarithmic. VGGs have most parameters; ResNets have more of both the deeper they are.",
    )


def build_resolution_picture(context: Context) -> Picture:
    """Build the picture of cost against the size of the image."""
    return Picture(
        name="cost-against-resolution",
        data=resolution.Resolutions(
            unit=_format_unit(),
            sides=SIDES,
            usual=NETWORKS[GROWING[0]].input_shape[-1],
            series=tuple(
                resolution.Series(
                    model=name,
                    totals=tuple(context.cost(name, input_shape=(3, side, side)).macs for side in SIDES),
                )
                for name in GROWING
            ),
        ),
        draw=resolution.draw,
        alt="Multiply-accumulates of two ResNets and two VGGs on images of growing size: "
        "they grow with the square of its side.",
    )


def _build_card(name: str, context: Context) -> Document:
    one = context.entry(name)
    layers = build_breakdown(one.cost)
    path = f"models/{name}.md"
    picture = Picture(
        name=f"profile-{name}",
        data=profile.profile_of(one.cost, unit=_format_unit(), given=_format_input(one.cost)),
        draw=profile.draw,
        alt=f"Bars of the multiply-accumulates, parameters and activations of {name}, layer by layer; "
        "the numbers stand in the table of this page.",
    )
    values = {
        "name": name,
        "network": NETWORKS[name],
        "cost": one.cost,
        "input": _format_input(one.cost),
        "activations": sum(row.activations for row in one.cost.layers),
        "compared": build_comparison([one]),
        "conventions": build_convention_comparison([one.cost]),
        "picture": show(picture, path=path),
        "stages": layers.below,
        "layers": replace(layers, below=()),
    }
    return Document(
        path=path, text=fill("model.md.jinja", values, made_with=context.environment), pictures=(picture,)
    )


def _build_card_table(context: Context) -> Table:
    rows = []
    for name in CARDS:
        cost = context.cost(name)
        rows.append(
            {
                "model": name,
                "summary": NETWORKS[name].summary,
                "input": _format_input(cost),
                "macs": cost.macs,
                "params": cost.params,
                "activations": sum(row.activations for row in cost.layers),
                "layers": sum(row.calls for row in cost.layers if row.macs),
            }
        )
    return Table(
        title="Networks with a card",
        columns=(
            Column(key="model", heading="network"),
            Column(key="input", heading="input"),
            Column(key="macs", heading=_format_unit(), kind="count"),
            Column(key="params", heading="parameters", kind="count"),
            Column(key="activations", heading="activations", kind="count"),
            Column(key="layers", heading="weighted layers", kind="count"),
            Column(key="summary", heading="what it is"),
        ),
        rows=tuple(rows),
        notes=(
            Note(
                text="Weighted layers are convolutions and fully connected layers, those of shortcuts too.",
            ),
        ),
    )


def _build(context: Context) -> tuple[Document, ...]:
    pictures = (build_scatter_picture(context), build_resolution_picture(context))
    values = {
        "cards": _build_card_table(context),
        "names": CARDS,
        "against_parameters": show(pictures[0], path=PATH),
        "against_resolution": show(pictures[1], path=PATH),
        "drawn": DRAWN,
        "growing": GROWING,
        "sides": SIDES,
    }
    index = Document(
        path=PATH, text=fill("models.md.jinja", values, made_with=context.environment), pictures=pictures
    )
    return (index, *(_build_card(name, context) for name in CARDS))


def _format_unit() -> str:
    return format_cost_heading(find_convention(DEFAULT_CONVENTION))


def _format_input(cost: Cost) -> str:
    return ", ".join(shape(given.shape) for given in cost.trace.inputs)


PAGE = Page(
    path=PATH,
    title="Model cards",
    summary="what each network of the paper costs layer by layer, with formulas, receptive fields and "
    "pictures, and how the cost depends on parameters and resolution",
    build=_build,
)
